//! Reads one regular file, whole or not at all; the only user of `libc`.
//!
//! A FIFO would block, a device may act when it is opened, a directory has no bytes: whatever is not a
//! regular file is refused before it is opened, and once more after, since it may have been swapped in
//! between. What was read lies between two equal stats of the open file.

use super::resolve::Stamp;
use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// How often a file that changes while it is read is read anew.
const ATTEMPTS: usize = 3;

/// A file's bytes, wiped when they are dropped, since they may hold secrets.
pub(super) struct Bytes {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) stamp: Stamp,
}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It does not exist.
    Missing(String),
    /// It exists and cannot be read: the sentence says why and what to do.
    Barred(String),
    /// It changed under each attempt.
    Unsteady,
}

/// Reads the file at `path`, of at most `max` bytes.
pub(super) fn read(path: &Path, max: usize) -> Result<Bytes, Unread> {
    for _ in 0..ATTEMPTS {
        // A path walked into a directory that is being deleted, as on each swap of a Kubernetes volume,
        // is found at its new place by a second walk.
        let (mut file, before) = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => open(path),
            opened => opened,
        }
        .map_err(|error| explain(path, &error))?;
        if !before.is_file() {
            return Err(Unread::Barred(not_regular(before.file_type())));
        }
        let too_large = |size: u64| {
            Unread::Barred(format!(
                "has {size} bytes or more, and the limit for a document is {max}; raise it with `Builder::max_document_bytes`"
            ))
        };
        if before.len() > max as u64 {
            return Err(too_large(before.len()));
        }
        // One byte more than it should have: growth is noticed, and the buffer is never moved, which
        // would leave an unwiped copy behind.
        let room = usize::try_from(before.len()).unwrap_or(max).min(max) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        fill(&mut file, &mut bytes, max).map_err(|error| explain(path, &error))?;
        if bytes.len() > max {
            return Err(too_large(bytes.len() as u64));
        }
        let after = file.metadata().map_err(|error| explain(path, &error))?;
        let stamp = Stamp::of(&after);
        // Files of `/proc` and the like say that they are empty, and are not.
        if stamp == Stamp::of(&before) && (bytes.len() as u64 == after.len() || after.len() == 0) {
            return Ok(Bytes { bytes, stamp });
        }
    }
    Err(Unread::Unsteady)
}

/// Opens what is a regular file, and nothing else.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        return Err(io::Error::other(not_regular(meta.file_type())));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    Ok((file, meta))
}

/// Reads to the end, or to one byte over `max`, without leaving a copy behind when the buffer grows.
fn fill(file: &mut File, bytes: &mut Zeroizing<Vec<u8>>, max: usize) -> io::Result<()> {
    loop {
        let room = bytes.capacity() - bytes.len();
        let n = if room > 0 {
            let n = file.by_ref().take(room as u64).read_to_end(bytes)?;
            if n < room {
                return Ok(());
            }
            n
        } else {
            let mut chunk = Zeroizing::new([0; 16 * 1024]);
            let n = file.read(&mut chunk[..])?;
            let mut larger = Zeroizing::new(Vec::with_capacity((bytes.capacity() * 2).max(bytes.len() + n)));
            larger.extend_from_slice(bytes);
            larger.extend_from_slice(&chunk[..n]);
            *bytes = larger;
            n
        };
        if n == 0 || bytes.len() > max {
            return Ok(());
        }
    }
}

/// Says what an error of the file system means and what to do.
fn explain(path: &Path, error: &io::Error) -> Unread {
    match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing(
            if std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()) {
                "is a link that leads nowhere: what it points to does not exist"
            } else {
                "does not exist"
            }
            .to_owned(),
        ),
        io::ErrorKind::NotADirectory => {
            Unread::Barred("does not exist: a part of its path is a file and not a directory".to_owned())
        }
        io::ErrorKind::PermissionDenied => Unread::Barred(
            "permission denied: the file and each directory above it must be readable for this process"
                .to_owned(),
        ),
        io::ErrorKind::WouldBlock => Unread::Unsteady,
        io::ErrorKind::Other => Unread::Barred(error.to_string()),
        _ => Unread::Barred(by_number(error).map_or_else(|| error.to_string(), str::to_owned)),
    }
}

/// Errors that the standard library has no stable name for.
#[cfg(unix)]
fn by_number(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error()? {
        libc::ELOOP => Some("is a loop of links: following it never ends"),
        libc::EMFILE => Some("too many open files in this process: raise its limit (`ulimit -n`)"),
        libc::ENFILE => Some("too many open files on this system: raise `fs.file-max`"),
        _ => None,
    }
}

#[cfg(not(unix))]
fn by_number(_: &io::Error) -> Option<&'static str> {
    None
}

/// Names what stands where a file should.
fn not_regular(kind: FileType) -> String {
    let what = if kind.is_dir() { "a directory" } else { special(kind) };
    format!("is {what}, and only a regular file is read")
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ if kind.is_char_device() || kind.is_block_device() => "a device",
        _ => "something else",
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::source::file::fake::TempDir;

    fn refusal(path: &Path, max: usize) -> String {
        match read(path, max) {
            Err(Unread::Missing(why) | Unread::Barred(why)) => why,
            Err(Unread::Unsteady) => "unsteady".to_owned(),
            Ok(_) => "read".to_owned(),
        }
    }

    #[test]
    fn what_is_not_a_regular_file_is_named_and_never_opened() {
        let dir = TempDir::new();
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let socket = dir.path().join("socket");
        let _keep = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(refusal(&fifo, 99).contains("is a FIFO"));
        assert!(refusal(&socket, 99).contains("is a socket"));
        assert!(refusal(dir.path(), 99).contains("is a directory"));
        assert!(refusal(Path::new("/dev/null"), 99).contains("is a device"));
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        assert!(refusal(&dir.path().join("loop"), 99).contains("loop of links"));
        std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
        assert!(refusal(&dir.path().join("dangling"), 99).contains("leads nowhere"));
    }

    #[test]
    fn the_limit_is_held_to_the_byte() {
        let dir = TempDir::new();
        let path = dir.path().join("f");
        std::fs::write(&path, [b'x'; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap_or_else(|_| panic!("100 are allowed")).bytes.len(), 100);
        let refused = refusal(&path, 99);
        assert!(
            refused.contains("limit for a document is 99") && refused.contains("Builder::max_document_bytes")
        );
    }

    #[test]
    fn a_file_that_says_it_is_empty_is_read_to_its_end() {
        let bytes = read(Path::new("/proc/self/mountinfo"), 1 << 20).unwrap_or_else(|_| panic!("readable"));
        assert!(!bytes.bytes.is_empty());
    }
}
