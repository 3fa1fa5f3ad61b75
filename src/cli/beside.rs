//! A file that is written beside its place and gets its name when it is complete: whoever finds it
//! there finds all of it.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use nishad::output::escape;
use tempfile::{Builder, NamedTempFile, PathPersistError};

/// A file without its name.
#[derive(Debug)]
pub(crate) struct Beside {
    body: Body,
    place: PathBuf,
    /// What is there is overwritten.
    force: bool,
}

#[derive(Debug)]
enum Body {
    /// Without any name, so that whatever ends the program leaves nothing of it.
    Unnamed(File),
    /// Where the system or the file system has nothing like that.
    Named(NamedTempFile),
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
        let body = match unnamed::create(folder(&place)) {
            Ok(file) => Body::Unnamed(file),
            Err(_) => Body::Named(named(&place, create_new)?),
        };
        if let Some(there) = there {
            // As open to others as what it replaces; where that cannot be, it is no less so.
            let _ = body.as_file().set_permissions(there);
        }
        Ok(Beside { body, place, force })
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// Those of the system; what is complete stays beside its place then, and the error tells where.
    pub(crate) fn complete(self) -> io::Result<()> {
        let Beside { body, place, force } = self;
        body.as_file().sync_data()?;
        let path = match body {
            Body::Named(file) => file.into_temp_path(),
            Body::Unnamed(mut file) => match named(&place, |path| unnamed::link(&file, path)) {
                Ok(linked) => linked.into_temp_path(),
                Err(_) => copied(&mut file, &place)?.into_temp_path(),
            },
        };
        let named = match force {
            true => path.persist(&place),
            false => path.persist_noclobber(&place).or_else(|error| {
                match error.error.kind() {
                    io::ErrorKind::AlreadyExists => Err(error),
                    // A file system that cannot tell in one step; it was not there at the start.
                    _ => error.path.persist(&place),
                }
            }),
        };
        named.map_err(kept)
    }
}

/// Where a file at `place` is.
fn folder(place: &Path) -> &Path {
    let folder = place
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Has `make` make a file of a name of its own beside `place`.
fn named<F>(
    place: &Path,
    make: impl FnMut(&Path) -> io::Result<F>,
) -> io::Result<NamedTempFile<F>> {
    let mut builder = Builder::new();
    builder.prefix(".nishad-").suffix(".part");
    builder.make_in(folder(place), make)
}

/// A copy of `file` beside `place`, where a file system makes files without a name and gives them none.
fn copied(file: &mut File, place: &Path) -> io::Result<NamedTempFile> {
    let mut copy = named(place, create_new)?;
    let _ = copy
        .as_file()
        .set_permissions(file.metadata()?.permissions());
    file.rewind()?;
    io::copy(file, copy.as_file_mut())?;
    copy.as_file().sync_data()?;
    Ok(copy)
}

/// With the permissions of any new file, and errors without a name that nobody asked for.
fn create_new(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// What is complete is not thrown away.
fn kept(PathPersistError { error, path }: PathPersistError) -> io::Error {
    match path.keep() {
        Ok(path) => {
            let path = path.to_string_lossy();
            io::Error::other(format!("{error}; it is all in {}", escape(&path)))
        }
        Err(_) => error,
    }
}

impl Body {
    /// Without the name of the file in errors, which nobody asked for.
    fn as_file(&self) -> &File {
        match self {
            Body::Unnamed(file) => file,
            Body::Named(file) => file.as_file(),
        }
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.as_file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.body.as_file().flush()
    }
}

/// Files without a name, open(2): `O_TMPFILE`.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::{Path, PathBuf};

    use nix::fcntl::{AT_FDCWD, AtFlags};
    use nix::libc::O_TMPFILE;
    use nix::unistd::linkat;

    /// A file that `folder`'s file system has room for. An error is that it cannot be, or could not be
    /// given a name.
    pub(super) fn create(folder: &Path) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true);
        let file = options.custom_flags(O_TMPFILE).open(folder)?;
        // Without /proc there is nothing to make a name for.
        through_proc(&file).symlink_metadata()?;
        Ok(file)
    }

    /// Gives `file` the name `path`, which must not be there.
    pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
        let from = through_proc(file);
        Ok(linkat(
            AT_FDCWD,
            &from,
            AT_FDCWD,
            path,
            AtFlags::AT_SYMLINK_FOLLOW,
        )?)
    }

    fn through_proc(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod unnamed {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(super) fn create(_folder: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn link(_file: &File, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    use nix::libc::{O_EXCL, O_TMPFILE};

    use super::*;

    /// All results were lost at the end of the run.
    #[test]
    fn a_file_that_cannot_be_given_a_name_is_copied() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let place = dir.path().join("found");
        // Exclusive, it never gets a name, open(2).
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .custom_flags(O_TMPFILE | O_EXCL);
        let Ok(file) = options.open(dir.path()) else {
            println!("skipped: this file system has no files without a name");
            return;
        };
        let body = Body::Unnamed(file);
        let mut beside = Beside {
            body,
            place,
            force: false,
        };
        beside.write_all(b"whole").expect("there is room");
        let place = beside.place.clone();
        beside.complete().expect("it is copied");
        assert_eq!(std::fs::read(place).expect("there"), b"whole");
        let names = std::fs::read_dir(dir.path()).expect("there").count();
        assert_eq!(names, 1, "nothing else is left");
    }
}
