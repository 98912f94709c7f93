//! Sees to it that there are as many file descriptors as connections need; it opens nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything that is no connection at the door: the journal, registries, the admin socket, probes.
const OTHERS: usize = 512;

/// Asks the system for descriptors for so many connections, and returns for how many there are.
pub fn provide(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (connections + OTHERS) as u64;
    let allowed = maximum.unwrap_or(u64::MAX).min(wanted);
    let current = current.unwrap_or(u64::MAX);
    let raised = Rlimit {
        current: Some(allowed),
        maximum,
    };
    let there_are = if current < allowed && setrlimit(Resource::Nofile, raised).is_ok() {
        allowed
    } else {
        current
    };
    affordable(connections, there_are)
}

/// For how many connections so many descriptors do: at most for the half of them, where there are too few for everything.
fn affordable(connections: usize, descriptors: u64) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    connections
        .min(descriptors.saturating_sub(OTHERS).max(descriptors / 2))
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_others() {
        for (connections, descriptors, expected) in [
            (4096, u64::MAX, 4096),
            (4096, 4608, 4096),
            (4096, 4607, 4095),
            (4096, 1024, 512),
            (4096, 256, 128),
            (10, 256, 10),
            (10, 0, 1),
        ] {
            assert_eq!(
                affordable(connections, descriptors),
                expected,
                "{connections} of {descriptors}"
            );
        }
    }
}
