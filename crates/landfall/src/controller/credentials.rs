//! Finds the credentials of a project for a repository, among the Secrets that Kargo's users label for it.

use landfall_core::go::regexp::Regexp;
use landfall_core::repository::ImageRepository;
use landfall_core::resource::{Resource, Secret};

use crate::registry::{Access, Password};
use crate::resources::Snapshot;

/// Credentials for image repositories, in the order in which they are tried.
#[derive(Default)]
pub struct Credentials {
    candidates: Vec<Candidate>,
    /// The namespace whose credentials every project may use.
    shared_namespace: Option<String>,
}

struct Candidate {
    namespace: String,
    name: String,
    matches: Matches,
    username: String,
    password: Password,
}

enum Matches {
    Repository(ImageRepository),
    Pattern(Regexp),
}

/// Credentials together with the name under which what they show is kept apart from what others see.
#[derive(Clone)]
pub struct Granted {
    /// What to show to the registry.
    pub access: Access,
    /// `anonymous`, or the Secret's name.
    pub name: String,
}

impl Credentials {
    /// The credentials of a snapshot, and a sentence for each Secret that is labelled as one and cannot be used.
    pub fn of(snapshot: &Snapshot, shared_namespace: Option<String>) -> (Self, Vec<String>) {
        let secrets = snapshot.resources.values().filter_map(|loaded| match &loaded.resource {
            Resource::Secret(secret) if secret.credential_type() == Some("image") => Some(&**secret),
            _ => None,
        });
        Self::of_secrets(secrets, shared_namespace)
    }

    /// The credentials of Secrets that are labelled as such.
    pub fn of_secrets<'a>(
        secrets: impl IntoIterator<Item = &'a Secret>,
        shared_namespace: Option<String>,
    ) -> (Self, Vec<String>) {
        let (mut candidates, mut problems) = (Vec::new(), Vec::new());
        for secret in secrets {
            match candidate(secret) {
                Ok(candidate) => candidates.push(candidate),
                Err(problem) => {
                    let namespace = secret.metadata.namespace.as_deref().unwrap_or_default();
                    problems.push(format!("Secret {namespace}/{}: {problem}", secret.metadata.name));
                }
            }
        }
        candidates.sort_by(|a, b| a.name.cmp(&b.name));
        (
            Self {
                candidates,
                shared_namespace,
            },
            problems,
        )
    }

    /// What `project` shows to the registry for `repository`: its own first match by name, else the shared namespace's,
    /// else nothing. `written` is the repository as the subscription has it, which patterns may be meant for.
    pub fn granted(&self, project: &str, repository: &ImageRepository, written: &str) -> Granted {
        let in_namespace = |namespace: &str| {
            self.candidates
                .iter()
                .filter(|candidate| candidate.namespace == namespace)
                .find(|candidate| candidate.covers(repository, written))
        };
        let found = in_namespace(project).or_else(|| in_namespace(self.shared_namespace.as_deref()?));
        match found {
            None => Granted {
                access: Access::Anonymous,
                name: "anonymous".to_owned(),
            },
            Some(candidate) => Granted {
                access: Access::Basic {
                    username: candidate.username.clone(),
                    password: candidate.password.clone(),
                },
                name: format!("Secret {}/{}", candidate.namespace, candidate.name),
            },
        }
    }
}

impl Candidate {
    fn covers(&self, repository: &ImageRepository, written: &str) -> bool {
        match &self.matches {
            Matches::Repository(own) => own == repository,
            Matches::Pattern(pattern) => pattern.is_match(written) || pattern.is_match(repository.as_str()),
        }
    }
}

fn candidate(secret: &Secret) -> Result<Candidate, String> {
    let text = |key: &str| -> Result<String, String> {
        match secret.data.get(key) {
            None => Ok(String::new()),
            Some(value) => Ok(value
                .expose_text()
                .ok_or_else(|| format!("the key {key:?} of its data is no UTF-8"))?
                .to_owned()),
        }
    };
    let repo_url = text("repoURL")?;
    if repo_url.is_empty() {
        return Err("it has no key \"repoURL\" in its data".to_owned());
    }
    let matches = if text("repoURLIsRegex")? == "true" {
        Matches::Pattern(Regexp::compile(&repo_url).map_err(|error| format!("repoURL: {error}"))?)
    } else {
        Matches::Repository(ImageRepository::parse(&repo_url).map_err(|error| format!("repoURL: {error}"))?)
    };
    let (username, password) = (text("username")?, text("password")?);
    if username.is_empty() || password.is_empty() {
        return Err("it needs the keys \"username\" and \"password\" in its data".to_owned());
    }
    let metadata = &secret.metadata;
    Ok(Candidate {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone(),
        matches,
        username,
        password: Password::new(password),
    })
}
