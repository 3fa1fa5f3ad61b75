//! A file that is written beside its place and gets its name when it is complete: whoever finds it
//! there finds all of it.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nishad::output::escape;
use tempfile::{Builder, NamedTempFile, PersistError};

/// A file without its name.
#[derive(Debug)]
pub(crate) struct Beside {
    file: NamedTempFile,
    place: PathBuf,
    /// What is there is overwritten.
    force: bool,
}

impl Beside {
    /// A file that is to be at `path`, in the place of another only with `force`. Errors are those of
    /// the system.
    pub(crate) fn create(path: &Path, force: bool) -> io::Result<Beside> {
        // A link stays one.
        let place = path.canonicalize().unwrap_or_else(|_| path.into());
        if place.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let there = place.metadata().ok().map(|there| there.permissions());
        let folder = place
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut builder = Builder::new();
        builder.prefix(".nishad-").suffix(".part");
        if let Some(usual) = usual_permissions() {
            builder.permissions(usual);
        }
        let file = builder.tempfile_in(folder).map_err(without_name)?;
        if let Some(there) = there {
            // As open to others as what it replaces; where that cannot be, it is no less so.
            let _ = file.as_file().set_permissions(there);
        }
        Ok(Beside { file, place, force })
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// Those of the system; what is complete stays beside its place then, and the error tells where.
    pub(crate) fn complete(self) -> io::Result<()> {
        let Beside { file, place, force } = self;
        file.as_file().sync_data()?;
        let named = match force {
            true => file.persist(&place),
            false => file.persist_noclobber(&place).or_else(|error| {
                match error.error.kind() {
                    io::ErrorKind::AlreadyExists => Err(error),
                    // A file system that cannot tell in one step; it was not there at the start.
                    _ => error.file.persist(&place),
                }
            }),
        };
        named.map(|_| ()).map_err(kept)
    }
}

/// An error without the name of the file that it is of, which nobody asked for.
fn without_name(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|named| named.source());
    let inner = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    match inner.unwrap_or(&error).raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error,
    }
}

/// What is complete is not thrown away.
fn kept(PersistError { error, file }: PersistError) -> io::Error {
    match file.keep() {
        Ok((_, path)) => {
            let path = path.to_string_lossy();
            io::Error::other(format!("{error}; it is all in {}", escape(&path)))
        }
        Err(_) => error,
    }
}

/// Those of any new file, from which the system takes what the user's mask says.
#[cfg(unix)]
fn usual_permissions() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn usual_permissions() -> Option<Permissions> {
    None
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.as_file().flush()
    }
}

impl Beside {
    /// Without the name of the file in errors, which nobody asked for.
    fn as_file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }
}
