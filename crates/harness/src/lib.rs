//! Real parts for landfall's tests, quick start and benchmarks, so that nothing has to be mocked.
//!
//! Everything here blocks, needs no async runtime, and cleans up when it is dropped: processes that it started are
//! killed and waited for, temporary folders are removed. What it must not know is how landfall decides: it sees only
//! landfall's binary, its files and its HTTP.
//!
//! - [`Registry`]: a real `docker-registry`, with auth, notifications and an access log to count requests in;
//! - [`CountingProxy`]: stands between landfall and a registry, records, and injects failures and delays;
//! - [`ApiServer`]: a real `kube-apiserver` with its `etcd`, and `kubectl` to ask it with; [`ApiProxy`]: stands between it and
//!   landfall, holds requests up, refuses them, and forgets history;
//! - [`Postgres`]: a real PostgreSQL server, with a database for each test;
//! - [`ImageSpec`], [`oci_layout`], [`push`]: deterministic images, by `skopeo` or by a fast uploader;
//! - [`Landfall`]: the binary as a process that can be killed and restarted;
//! - [`http`], [`manifests`], [`wait`]: deliveries, resource files, and waiting without guessing.

mod access_log;
mod child;
pub mod counting_proxy;
mod credentials;
pub mod http;
pub mod image;
mod kubernetes;
pub mod manifests;
pub mod oci_layout;
mod port;
mod postgres;
pub mod process;
pub mod push;
pub mod registry;
pub mod wait;
mod wire;

pub use access_log::RequestLine;
pub use counting_proxy::{CountingProxy, Rule};
pub use credentials::Credentials;
pub use image::{Digest, ImageSpec, Manifest, Platform};
pub use kubernetes::{ApiProxy, ApiServer, Definitions, Forgetting};
pub use port::free_port;
pub use postgres::Postgres;
pub use process::Landfall;
pub use push::Uploader;
pub use registry::{NotificationEndpoint, Registry, RegistryConfig, Storage};
