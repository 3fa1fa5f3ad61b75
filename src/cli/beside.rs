//! A file that is written beside its place and gets its name when it is complete: whoever finds it
//! there finds all of it.

use std::fs::File;
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
        // Opened here: with the permissions of any new file, and errors without a name that nobody
        // asked for.
        let mut options = File::options();
        options.write(true).create_new(true);
        let file = builder.make_in(folder, |path| options.open(path))?;
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
