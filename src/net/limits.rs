//! How many sockets this process may have open.

use super::sys;

/// Descriptors left for what else a process opens during a scan: an output file, a name lookup, a
/// directory that is being read, the event queue.
const RESERVE: usize = 4;

/// Raises the process's limit of open descriptors towards `wanted`, as far as the system lets an
/// ordinary user; descriptors that may be open afterwards (the limit is never lowered).
///
/// For a program to call before [`scan`](super::scan), which itself changes no limit. Where the
/// limit cannot be read or raised, nothing happens.
pub fn raise_descriptor_limit(wanted: usize) -> usize {
    sys::raise_descriptor_limit(wanted)
}

/// Sockets that this process can open now: its limit, less what is open and a small reserve.
pub fn available_sockets() -> usize {
    sys::descriptors_left().saturating_sub(RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_takes_one() {
        // Other tests open and close descriptors meanwhile, so many are held to see the difference.
        raise_descriptor_limit(1024);
        let before = available_sockets();
        let held: Vec<_> = (0..200)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket"))
            .collect();
        let after = available_sockets();
        drop(held);
        if before != usize::MAX - RESERVE {
            assert!(
                after < before,
                "{before} before, {after} with 200 more open"
            );
        }
    }

    #[test]
    fn raising_never_lowers() {
        let before = raise_descriptor_limit(0);
        assert!(raise_descriptor_limit(1) >= before);
    }
}
