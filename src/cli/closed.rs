//! Whether standard output can be written: not if it was closed when the program was started, as by
//! `nishad >&-`, nor if it is there to be read from.
//!
//! Rust opens the null device in the place of a standard stream that is closed, so that no file or socket
//! gets its number and, with that, what is printed. Afterwards nothing tells it from a null device that was
//! meant, where results may well go. So it is looked at before. And what cannot be written to because it is
//! open for reading, Rust takes for closed: it reports each write to it as done.

use std::io;

/// An error if there is no standard output, or none to write to.
pub(crate) fn check() -> io::Result<()> {
    if system::was_closed() {
        return Err(io::Error::other("it is closed"));
    }
    if system::is_for_reading() {
        return Err(io::Error::other("it is open for reading only"));
    }
    Ok(())
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

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
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

    pub(super) fn is_for_reading() -> bool {
        let flags = fcntl(io::stdout(), FcntlArg::F_GETFL);
        flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE.bits() == OFlag::O_RDONLY.bits())
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) fn was_closed() -> bool {
        false
    }

    pub(super) fn is_for_reading() -> bool {
        false
    }
}
