//! Holds the HTTP connections, by how TLS is checked and whether a proxy may stand between; must not know registries.

use std::error::Error as _;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Url};

use super::endpoint::is_loopback;
use super::error::RegistryError;

/// Whether a server's certificate must be proved (the opposite of `insecureSkipTLSVerify`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsVerification {
    /// The certificate must be valid for the host.
    #[default]
    Verify,
    /// Any certificate will do.
    Skip,
}

/// One pool of connections for each way to connect. Each is made when it is first needed: to read the system's certificates takes time and
/// memory, and where Warehouses are in an API server, mostly nobody here asks registries at all.
pub(super) struct Connections {
    user_agent: String,
    connect_timeout: Duration,
    idle_per_host: usize,
    proxied: Pools,
    /// For this machine itself, where the environment's proxy does not apply.
    direct: Pools,
}

#[derive(Default)]
struct Pools {
    verified: OnceLock<Client>,
    unverified: OnceLock<Client>,
}

/// Which pool to make.
#[derive(Clone, Copy)]
enum Route {
    AsTheEnvironmentSays,
    Direct,
}

impl Connections {
    pub(super) fn new(user_agent: &str, connect_timeout: Duration, idle_per_host: usize) -> Self {
        Self {
            user_agent: user_agent.to_owned(),
            connect_timeout,
            idle_per_host,
            proxied: Pools::default(),
            direct: Pools::default(),
        }
    }

    /// The client for a URL; an error if TLS cannot be set up.
    pub(super) fn to(&self, url: &Url, tls: TlsVerification) -> Result<&Client, RegistryError> {
        let (route, pools) = match is_loopback(url) {
            true => (Route::Direct, &self.direct),
            false => (Route::AsTheEnvironmentSays, &self.proxied),
        };
        let pool = match tls {
            TlsVerification::Verify => &pools.verified,
            TlsVerification::Skip => &pools.unverified,
        };
        match pool.get() {
            Some(client) => Ok(client),
            None => {
                let client = self.client(route, tls)?;
                Ok(pool.get_or_init(|| client))
            }
        }
    }

    fn client(&self, route: Route, tls: TlsVerification) -> Result<Client, RegistryError> {
        let mut builder = Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(self.idle_per_host)
            .referer(false)
            // Redirects are followed by hand: where they lead, and with which headers, is for `site` to say.
            .redirect(reqwest::redirect::Policy::none());
        if let Route::Direct = route {
            builder = builder.no_proxy();
        }
        if tls == TlsVerification::Skip {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder.build().map_err(|error| {
            RegistryError::refused(format!(
                "the HTTP client cannot be set up: {}",
                innermost(&error.without_url())
            ))
        })
    }
}

/// Whether a failure to connect looks as if the server does not speak TLS: it answered something else, or hung up on the
/// greeting. Who shows a certificate we do not trust speaks TLS, and must not be asked in the clear instead.
pub(super) fn may_speak_plain(error: &reqwest::Error) -> bool {
    error.is_connect() && std::iter::successors(error.source(), |cause| cause_of(*cause)).any(is_no_greeting)
}

fn is_no_greeting(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, UnexpectedEof};
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidMessage(_));
    }
    // Nobody at the port of `https` may mean that there is somebody at that of `http`.
    cause.downcast_ref::<std::io::Error>().is_some_and(|io| {
        matches!(
            io.kind(),
            BrokenPipe | ConnectionRefused | ConnectionReset | UnexpectedEof
        )
    })
}

/// The next cause. An `io::Error` that wraps another error is passed over by its own `source`.
fn cause_of<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// The innermost cause of an error, which says the most and names no URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        text = current.to_string();
        cause = current.source();
    }
    text
}
