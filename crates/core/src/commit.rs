//! Decides what the commit that updates an Application says. It must not know where the commit is made.
//!
//! The fields of the data are those that Image Updater documents for its template: its owners' templates name them.

use std::sync::{Arc, LazyLock};

use crate::go::template::{ParseError, RenderError, StructType, Template, Type, Value};

/// The name that errors give the template.
const NAME: &str = "commitMessage";

/// Image Updater's own message: a headline, and a line for each change.
const BUILT_IN: &str = "\
build: automatic update of {{ .AppName }}

{{ range .AppChanges -}}
updates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'
{{ end -}}
";

/// One image that gets another tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The image's name without its registry.
    pub image: String,
    /// The tag that was deployed, or its digest.
    pub old_tag: String,
    /// The tag that is to be deployed, or its digest.
    pub new_tag: String,
    /// The labels of the new image, where they were asked for.
    pub labels: Vec<(String, String)>,
}

/// A template of messages.
#[derive(Clone, Debug)]
pub struct MessageTemplate(Template);

/// The message of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the commit says.
    pub text: String,
    /// Why the template says nothing, where it does not.
    pub problem: Option<RenderError>,
}

impl MessageTemplate {
    /// The template in the text of a file; without text it is the built-in one.
    ///
    /// # Errors
    /// The text is no template of Go's.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Template::parse(NAME, if text.is_empty() { BUILT_IN } else { text }).map(Self)
    }

    /// The message of the commit that makes these changes to an Application. Where the template cannot be carried out, a
    /// headline has to do: a commit without its words is better than none.
    pub fn message(&self, application: &str, changes: &[Change]) -> Message {
        match self.0.render(&data(application, changes)) {
            Ok(text) => Message {
                text: String::from_utf8_lossy(&text).into_owned(),
                problem: None,
            },
            Err(problem) => Message {
                text: format!("build: update of application {application}"),
                problem: Some(problem),
            },
        }
    }
}

static CHANGE: LazyLock<Arc<StructType>> = LazyLock::new(|| {
    Arc::new(StructType {
        name: "argocd.commitMessageChange",
        fields: vec![
            ("Image", Type::Text),
            ("OldTag", Type::Text),
            ("NewTag", Type::Text),
            ("Labels", Type::Map(Arc::new(Type::Text))),
        ],
    })
});

static MESSAGE: LazyLock<Arc<StructType>> = LazyLock::new(|| {
    let changes = Type::List(Arc::new(Type::Struct(Arc::clone(&CHANGE))));
    Arc::new(StructType {
        name: "argocd.commitMessageTemplate",
        fields: vec![("AppName", Type::Text), ("AppChanges", changes)],
    })
});

fn data(application: &str, changes: &[Change]) -> Value {
    let change = |change: &Change| {
        let labels = change.labels.iter().map(|(key, value)| (key, Value::text(value)));
        let fields = [
            Value::text(&change.image),
            Value::text(&change.old_tag),
            Value::text(&change.new_tag),
            Value::map(Type::Text, labels),
        ];
        Value::structure(&CHANGE, fields)
    };
    let changes = Value::list(Type::Struct(Arc::clone(&CHANGE)), changes.iter().map(change));
    Value::structure(&MESSAGE, [Value::text(application), changes])
}

#[cfg(test)]
mod tests {
    use super::{Change, MessageTemplate};

    fn changes() -> [Change; 2] {
        let change = |image: &str, old: &str, new: &str, labels: &[(&str, &str)]| Change {
            image: image.to_owned(),
            old_tag: old.to_owned(),
            new_tag: new.to_owned(),
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        };
        [
            change("example/web", "1.0.0", "1.0.1", &[("revision", "abc")]),
            change("example/worker", "1", "2", &[]),
        ]
    }

    #[test]
    fn a_commit_says_what_its_template_says() {
        let rows = [
            (
                "",
                "build: automatic update of shop\n\nupdates image example/web tag '1.0.0' to '1.0.1'\n\
                 updates image example/worker tag '1' to '2'\n",
            ),
            ("chore: {{.AppName}}", "chore: shop"),
            (
                "{{range .AppChanges}}{{.Image}}@{{index .Labels \"revision\"}};{{end}}",
                "example/web@abc;example/worker@;",
            ),
            ("{{range .AppChanges}}{{.Labels.revision}};{{end}}", "abc;<no value>;"),
            ("{{with index .AppChanges 0}}{{slice .NewTag 0 1}}{{end}}", "1"),
            ("{{slice \"é\" 0 1}}", "\u{fffd}"),
        ];
        for (template, expected) in rows {
            let message = MessageTemplate::parse(template)
                .expect("it is a template")
                .message("shop", &changes());
            assert_eq!((message.text.as_str(), message.problem), (expected, None), "{template}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_carried_out_leaves_a_headline() {
        let template = MessageTemplate::parse("{{.AppName}}: {{.Nope}}").expect("it is a template");
        let message = template.message("shop", &changes());
        assert_eq!(message.text, "build: update of application shop");
        assert_eq!(
            message.problem.expect("the problem is told").to_string(),
            "template: commitMessage:1:16: executing \"commitMessage\" at <.Nope>: can't evaluate field Nope in type \
             argocd.commitMessageTemplate"
        );
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let error = MessageTemplate::parse("{{.AppName")
            .map(drop)
            .map_err(|error| error.to_string());
        assert_eq!(error, Err("template: commitMessage:1: unclosed action".to_owned()));
    }
}
