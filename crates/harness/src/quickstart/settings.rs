//! Reads what the environment says of the quick start: where things listen, and how it ends. It starts nothing.

use anyhow::{Context as _, Result, bail};

/// What can be set.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the registry listens, on 127.0.0.1.
    pub registry_port: u16,
    /// Where landfall listens, on 127.0.0.1.
    pub landfall_port: u16,
    /// How it ends.
    pub ending: Ending,
}

/// How the quick start ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// It goes on serving until Ctrl-C.
    ByCtrlC,
    /// It stops when everything has been shown.
    ByItself,
}

/// The registry's port in the manifests of the example.
pub const REGISTRY_PORT: u16 = 5055;
const LANDFALL_PORT: u16 = 8080;

impl Settings {
    /// Reads `REGISTRY_PORT`, `LISTEN` and `ONCE`; an empty variable counts as absent.
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let registry_port = match set("REGISTRY_PORT") {
            None => REGISTRY_PORT,
            Some(text) => port(&text).with_context(|| format!("REGISTRY_PORT={text} is no port, such as 5056"))?,
        };
        let landfall_port = match set("LISTEN") {
            None => LANDFALL_PORT,
            Some(text) => text
                .strip_prefix("127.0.0.1:")
                .and_then(port)
                .with_context(|| format!("LISTEN={text} has to be 127.0.0.1 and a port, such as 127.0.0.1:8081"))?,
        };
        if registry_port == landfall_port {
            bail!("REGISTRY_PORT and LISTEN name the same port, {registry_port}");
        }
        let ending = match set("ONCE").as_deref() {
            None | Some("0") => Ending::ByCtrlC,
            Some(_) => Ending::ByItself,
        };
        Ok(Self {
            registry_port,
            landfall_port,
            ending,
        })
    }
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let settings = |registry_port, landfall_port, ending| {
            Ok(Settings {
                registry_port,
                landfall_port,
                ending,
            })
        };
        let error = |text: &str| Err(text.to_owned());
        let rows = [
            (vec![], settings(5055, 8080, Ending::ByCtrlC)),
            (
                vec![("ONCE", ""), ("LISTEN", "")],
                settings(5055, 8080, Ending::ByCtrlC),
            ),
            (vec![("ONCE", "0")], settings(5055, 8080, Ending::ByCtrlC)),
            (
                vec![("ONCE", "1"), ("LISTEN", "127.0.0.1:1"), ("REGISTRY_PORT", "2")],
                settings(2, 1, Ending::ByItself),
            ),
            (
                vec![("REGISTRY_PORT", "65536")],
                error("REGISTRY_PORT=65536 is no port, such as 5056"),
            ),
            (
                vec![("LISTEN", "0.0.0.0:80")],
                error("LISTEN=0.0.0.0:80 has to be 127.0.0.1 and a port, such as 127.0.0.1:8081"),
            ),
            (
                vec![("REGISTRY_PORT", "8080")],
                error("REGISTRY_PORT and LISTEN name the same port, 8080"),
            ),
        ];
        for (variables, expected) in rows {
            let read = Settings::from(|name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            assert_eq!(read.map_err(|error| error.to_string()), expected, "{variables:?}");
        }
    }
}
