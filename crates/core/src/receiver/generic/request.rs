//! What expressions of a generic receiver can name: the request, and functions that bring repositories into normal form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Actions;
use super::action::Action;
use crate::delivery::Unverified;
use crate::expression::{Budget, Environment, ExpressionError, Value, template};
use crate::repository::{normalize_chart, normalize_git, normalize_image};

/// A request as expressions see it, all headers and the query included, with the actions that it is asked by. It is never
/// kept nor shown: a secret may be anywhere in it.
#[derive(Clone)]
pub(crate) struct Asked {
    actions: Actions,
    headers: Arc<[(String, Vec<u8>)]>,
    query: Arc<[(String, String)]>,
}

impl Asked {
    pub(crate) fn new(actions: &Actions, request: &Unverified) -> Self {
        // Go's server takes these two out of the headers.
        let visible = |(name, _): &&(String, Vec<u8>)| name != "host" && name != "transfer-encoding";
        Self {
            actions: actions.clone(),
            headers: request.headers.iter().filter(visible).cloned().collect(),
            query: request.query.iter().cloned().collect(),
        }
    }

    pub(super) fn actions(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter()
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = Value> {
        let named = self
            .headers
            .iter()
            .filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        named.map(|(_, value)| Value::text(String::from_utf8_lossy(value).as_ref()))
    }

    fn parameter(&self, name: &str) -> Value {
        let found = self.query.iter().find(|(given, _)| given == name);
        Value::text(found.map(|(_, value)| value.as_str()).unwrap_or_default())
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked(…)")
    }
}

/// What names mean for one request.
pub(super) struct Names<'a> {
    request: Value,
    call: Box<Call<'a>>,
}

type Call<'a> = dyn Fn(&'static str, &[Value], &mut Budget) -> Result<Value, ExpressionError> + 'a;

const NORMALIZERS: [&str; 3] = ["normalizeGit", "normalizeImage", "normalizeChart"];

impl<'a> Names<'a> {
    pub(super) fn new(asked: &'a Asked, body: Value) -> Self {
        let entries = [
            ("header", Value::Function("request.header")),
            ("headers", Value::Function("request.headers")),
            ("params", Value::Function("request.params")),
            ("body", body),
        ];
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self {
            // A body nests less than values may, so there is room for one level more.
            request: Value::map(entries).unwrap_or_default(),
            call: Box::new(|name, arguments, budget| call(asked, name, arguments, budget)),
        }
    }

    /// What `whenExpression` knows: the request, and the parameters of its action.
    pub(super) fn of_conditions(
        &self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Environment<'_>, ExpressionError> {
        let entries = parameters.iter();
        let entries = entries.map(|(key, value)| (key.as_str().into(), Value::text(value.as_str())));
        let mut names = vec![
            ("request", self.request.clone()),
            ("params", Value::map(entries.collect())?),
        ];
        names.extend(NORMALIZERS.map(|name| (name, Value::Function(name))));
        Ok(Environment {
            names,
            call: &*self.call,
        })
    }

    /// What templates know: the same, and some functions more.
    pub(super) fn of_templates(
        &self,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Environment<'_>, ExpressionError> {
        let mut environment = self.of_conditions(parameters)?;
        let functions = template::FUNCTIONS.map(|name| (name, Value::Function(name)));
        environment.names.extend(functions);
        Ok(environment)
    }
}

fn call(asked: &Asked, name: &'static str, arguments: &[Value], budget: &mut Budget) -> Result<Value, ExpressionError> {
    if let Some(made) = template::call(name, arguments, budget) {
        return made;
    }
    let text: &str = match arguments {
        [Value::Text(text)] => text,
        // Go gives a function of its own the zero of what it takes.
        [Value::Nil] => "",
        _ => return Err(ExpressionError::Failed(format!("{name} takes one string"))),
    };
    budget.pay_for(text.len())?;
    match name {
        "request.header" => Ok(asked.headers(text).next().unwrap_or_else(|| Value::text(""))),
        "request.headers" => Value::list(asked.headers(text).collect()),
        "request.params" => Ok(asked.parameter(text)),
        "normalizeGit" => Ok(Value::text(normalize_git(text).into_string())),
        "normalizeImage" => Ok(Value::text(normalize_image(text).into_string())),
        "normalizeChart" => Ok(Value::text(normalize_chart(text).into_string())),
        other => Err(ExpressionError::Failed(format!("there is no function {other}"))),
    }
}
