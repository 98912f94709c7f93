//! Decides how a sender's webhook secret is called in flags, in the environment and in a Secret: one word for each sender, and one
//! rule for all names. It must not know the secrets.

use landfall_core::receiver::Sender;
use landfall_core::secret::SecretAge;

/// The name of the Secret that secrets come from which neither a flag nor the environment sets. It is Image Updater's.
pub const SECRET: &str = "argocd-image-updater-secret";

/// One of the two secrets that a sender can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName {
    pub sender: Sender,
    pub age: SecretAge,
}

/// Image Updater's word for a sender in the names of its settings.
fn word(sender: Sender) -> &'static str {
    match sender {
        Sender::DockerHub => "docker",
        Sender::Distribution => "distribution",
        Sender::GitHub => "ghcr",
        Sender::Harbor => "harbor",
        Sender::Quay => "quay",
        Sender::AliyunAcr => "aliyun-acr",
        Sender::Azure => "acr",
        Sender::CloudEvents => "cloudevents",
        Sender::EventBridge => "eventbridge",
        // These have no secret there, since they have no type.
        Sender::Gitea | Sender::GitLab | Sender::Bitbucket | Sender::Artifactory => sender.path_segment(),
    }
}

impl SecretName {
    /// Every name of the door by type, each sender's current secret before its previous one.
    pub fn all() -> impl Iterator<Item = Self> {
        let ages = [SecretAge::Current, SecretAge::Previous];
        Sender::by_type().flat_map(move |(sender, _)| ages.map(|age| Self { sender, age }))
    }

    /// The flag, without its dashes: `docker-webhook-secret`, `docker-webhook-secret-previous`.
    pub fn flag(self) -> String {
        format!("{}-webhook-secret{}", word(self.sender), self.suffix())
    }

    /// The flag with the path of a file: `docker-webhook-secret-file`, `docker-webhook-secret-previous-file`.
    pub fn file_flag(self) -> String {
        format!("{}-file", self.flag())
    }

    /// The variable: `DOCKER_WEBHOOK_SECRET`, `DOCKER_WEBHOOK_SECRET_PREVIOUS`.
    pub fn variable(self) -> String {
        as_variable(&self.flag())
    }

    /// The variable with the path of a file: `DOCKER_WEBHOOK_SECRET_FILE`.
    pub fn file_variable(self) -> String {
        as_variable(&self.file_flag())
    }

    /// The key in the Secret: `webhook.docker-secret`, `webhook.docker-secret-previous`.
    pub fn key(self) -> String {
        format!("webhook.{}-secret{}", word(self.sender), self.suffix())
    }

    fn suffix(self) -> &'static str {
        match self.age {
            SecretAge::Current => "",
            SecretAge::Previous => "-previous",
        }
    }
}

fn as_variable(flag: &str) -> String {
    flag.replace('-', "_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_image_updaters() {
        let names: Vec<String> = SecretName::all()
            .map(|name| {
                let type_name = name.sender.type_name().unwrap();
                let (flag, file_flag) = (name.flag(), name.file_flag());
                let (variable, file_variable) = (name.variable(), name.file_variable());
                format!(
                    "{type_name} {flag} {file_flag} {variable} {file_variable} {}",
                    name.key()
                )
            })
            .collect();
        for (type_name, word, prefix) in [
            ("docker.io", "docker", "DOCKER"),
            ("distribution", "distribution", "DISTRIBUTION"),
            ("ghcr.io", "ghcr", "GHCR"),
            ("harbor", "harbor", "HARBOR"),
            ("quay.io", "quay", "QUAY"),
            ("aliyun-acr", "aliyun-acr", "ALIYUN_ACR"),
            ("acr", "acr", "ACR"),
            ("cloudevents", "cloudevents", "CLOUDEVENTS"),
            ("eventbridge", "eventbridge", "EVENTBRIDGE"),
        ] {
            for (suffix, capitals) in [("", ""), ("-previous", "_PREVIOUS")] {
                let expected = format!(
                    "{type_name} {word}-webhook-secret{suffix} {word}-webhook-secret{suffix}-file \
                     {prefix}_WEBHOOK_SECRET{capitals} {prefix}_WEBHOOK_SECRET{capitals}_FILE \
                     webhook.{word}-secret{suffix}"
                );
                assert!(names.contains(&expected), "{expected:?} is not among {names:#?}");
            }
        }
        assert_eq!(names.len(), 2 * Sender::by_type().count());
    }
}
