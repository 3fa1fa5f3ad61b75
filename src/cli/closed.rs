//! Whether standard output was closed when the program was started, as by `nishad >&-`.
//!
//! Rust opens the null device in the place of a standard stream that is closed, so that no file or socket
//! gets its number and, with that, what is printed. Afterwards nothing tells it from a null device that was
//! meant, where results may well go. So it is looked at before.

use std::io;

/// An error if there is no standard output.
pub(crate) fn check() -> io::Result<()> {
    match system::was_closed() {
        true => Err(io::Error::other("it is closed")),
        false => Ok(()),
    }
}

#[cfg(unix)]
mod system {
    #![allow(
        unsafe_code,
        reason = "nothing safe runs before Rust's runtime; sound, for the section holds pointers to \
                  functions that are called once, and this one needs nothing of the runtime and cannot panic"
    )]

    use std::io;
    use std::os::fd::AsFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    use nix::libc::EBADF;

    static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// Called by the C library, before it calls main().
    #[used]
    #[cfg_attr(
        target_vendor = "apple",
        unsafe(link_section = "__DATA,__mod_init_func")
    )]
    #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        let copied = io::stdout().as_fd().try_clone_to_owned();
        let is_closed = copied.is_err_and(|error| error.raw_os_error() == Some(EBADF));
        WAS_CLOSED.store(is_closed, Ordering::Relaxed);
    }

    pub(super) fn was_closed() -> bool {
        WAS_CLOSED.load(Ordering::Relaxed)
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn was_closed() -> bool {
        false
    }
}
