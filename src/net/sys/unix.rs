//! What all Unix systems share: the limit of descriptors.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Descriptors that are open where no list of them can be read: the standard ones.
const STANDARD: usize = 3;

/// Raises the soft limit towards `wanted`: to the hard one, or where the system refuses that, to
/// `most`. See [`crate::net::raise_descriptor_limit`].
pub(super) fn raise_descriptor_limit(wanted: usize, most: usize) -> usize {
    // Signed on FreeBSD.
    let number = |limit: usize| rlim_t::try_from(limit).unwrap_or(rlim_t::MAX);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return usize::MAX;
    };
    let wanted = number(wanted).min(hard);
    for limit in [wanted, wanted.min(number(most))] {
        if limit > soft && setrlimit(Resource::RLIMIT_NOFILE, limit, hard).is_ok() {
            break;
        }
    }
    descriptor_limit()
}

/// Descriptors that this process may have open.
pub(in crate::net) fn descriptor_limit() -> usize {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) => usize::try_from(soft).unwrap_or(usize::MAX),
        Err(_) => usize::MAX,
    }
}

/// How many descriptors the directory `list` tells to be open.
pub(super) fn open_descriptors(list: &str) -> usize {
    match std::fs::read_dir(list) {
        // The list itself is open while it is read.
        Ok(entries) => entries.count().saturating_sub(1),
        Err(_) => STANDARD,
    }
}
