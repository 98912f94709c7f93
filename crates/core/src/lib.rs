//! What landfall decides, in the order of its sentence: an HTTP request becomes an authenticated [delivery], which yields
//! [events](event); each is written to the [journal] before we answer; the [matcher] finds who subscribed to that
//! repository; a [refresh] is planned for each [target]; [discovery] asks the registry; [selection] chooses; the status
//! records the choice.
//!
//! **Nothing here does I/O.** There is no clock, environment, file, socket, randomness or async runtime in this crate: time
//! and chance come in as arguments. Nothing here knows HTTP libraries, databases, Kubernetes clients or YAML.

pub mod artifact;
pub mod repository;
pub mod resource;
pub mod secret;

pub mod delivery;
pub mod discovery;
pub mod door;
pub mod event;
pub mod journal;
pub mod lease;
pub mod matcher;
pub mod pace;
pub mod receiver;
pub mod refresh;
pub mod selection;
pub mod silence;
pub mod target;

pub mod commit;

pub mod go;
pub mod semver;
