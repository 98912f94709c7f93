//! Picks ports for the processes that the harness starts; it does not know which process gets which.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

/// Ports that this process handed out already: two tests that run at once must not get the same one.
static HANDED_OUT: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A TCP port on 127.0.0.1 that nobody listens on at the moment, and that this process has not handed out before.
///
/// Another process may still take it first, so whoever starts something on it must be ready to try another.
///
/// # Errors
/// When the system gives no port.
pub fn free_port() -> Result<u16> {
    const ATTEMPTS: usize = 100;
    let mut guard = HANDED_OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let handed_out = guard.get_or_insert_with(HashSet::new);
    for _ in 0..ATTEMPTS {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("the system gives no free port on 127.0.0.1")?;
        let port = listener.local_addr().context("a listener without an address")?.port();
        if handed_out.insert(port) {
            return Ok(port);
        }
    }
    bail!("no port on 127.0.0.1 that was not handed out before, in {ATTEMPTS} attempts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_handed_out_twice() {
        let ports: HashSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }
}
