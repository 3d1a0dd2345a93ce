//! The files of a cache: three generations, each renamed into place whole.
//!
//! A crash at any point leaves the generation before: the new one is complete and flushed under a name of
//! its own before anything is renamed, and the directory is flushed after.

use super::codec::{Record, checksum, decode, encode};
use crate::secret::Secret;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

const GENERATIONS: usize = 3;
/// What is still under the name of a write after this is of a process that was killed in the midst of it.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);
/// A cache file larger than this is none of ours.
const LARGEST: u64 = 64 << 20;

/// The generations of one source's content.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    stem: String,
    key: Option<Secret<[u8; 32]>>,
}

impl Shelf {
    /// Under a name made of `name`'s first word and a hash of `whole`, all that tells this content from another.
    pub(super) fn new(dir: &Path, name: &str, whole: &str, key: Option<Secret<[u8; 32]>>) -> Self {
        let word: String = name.chars().take_while(char::is_ascii_alphanumeric).take(16).collect();
        let stem = format!("{}-{:016x}", word.to_ascii_lowercase(), checksum(whole.as_bytes()));
        Self { dir: dir.to_owned(), stem, key }
    }

    fn generation(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{}.{number}.cache", self.stem))
    }

    /// The newest generation that can be read, and what is wrong with those before it.
    pub(super) fn read(&self) -> (Option<Record>, Vec<String>) {
        let mut trouble = Vec::new();
        for number in 0..GENERATIONS {
            let path = self.generation(number);
            match contents(&path).map(|bytes| self.decode(&bytes)) {
                Ok(Ok(record)) => return (Some(record), trouble),
                Ok(Err(reason)) => trouble.push(format!("passed over {}: {reason}", path.display())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => trouble.push(format!("cannot read {}: {error}", path.display())),
            }
        }
        (None, trouble)
    }

    /// Puts a new generation in front of the others.
    pub(super) fn write(&self, record: &Record) -> Result<(), String> {
        let bytes = self.encode(record).map_err(io::Error::other);
        bytes
            .and_then(|bytes| self.put(&bytes))
            .map_err(|error| format!("cannot keep the last good content in {}: {error}", self.dir.display()))
    }

    #[cfg_attr(not(feature = "sealed"), allow(clippy::unnecessary_wraps))] // sealing may fail
    fn encode(&self, record: &Record) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let plain = Zeroizing::new(encode(record));
        match &self.key {
            #[cfg(feature = "sealed")]
            Some(key) => super::seal::seal(key, &plain).map(Zeroizing::new),
            _ => Ok(plain),
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<Record, &'static str> {
        match &self.key {
            #[cfg(feature = "sealed")]
            Some(key) => decode(&Zeroizing::new(super::seal::open(key, bytes)?)),
            _ => decode(bytes),
        }
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        make_dir(&self.dir)?;
        // By process: two programs that share a directory do not write into each other's file.
        let fresh = self.dir.join(format!(".{}.{}.new", self.stem, std::process::id()));
        self.sweep();
        let written = write_whole(&fresh, bytes).and_then(|()| {
            for number in (1..GENERATIONS).rev() {
                match fs::rename(self.generation(number - 1), self.generation(number)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            fs::rename(&fresh, self.generation(0))?;
            flush_dir(&self.dir)
        });
        if written.is_err() {
            // It may not even exist; the error above is what matters.
            let _ = fs::remove_file(&fresh);
        }
        written
    }
}

impl Shelf {
    /// Removes what writes that were cut short have left behind. Whatever of that fails is of no matter.
    fn sweep(&self) {
        let prefix = format!(".{}.", self.stem);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix(&prefix)?.strip_suffix(".new"));
            let ours = name.is_some();
            let age = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
            if ours && age().is_some_and(|age| age > LEFT_BEHIND) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Without it a crash could undo the renames. Only Unix can open a directory.
fn flush_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Cursor;
    use crate::source::file::fake::TempDir;
    use crate::value::Value;

    fn record(order: u64) -> Record {
        let cursor = Cursor { order, ..Cursor::default() };
        let documents = vec![Value::Table(vec![("a".into(), Value::Integer(1))])];
        Record { source: "etcd".into(), cursor, as_of: 0, documents }
    }

    fn newest(shelf: &Shelf) -> Option<u64> {
        shelf.read().0.map(|record| record.cursor.order)
    }

    #[test]
    fn the_newest_of_three_generations_is_read_and_a_damaged_one_passed_over() {
        let dir = TempDir::new();
        let shelf = Shelf::new(dir.path(), "etcd http://a", "x", None);
        assert_eq!(newest(&shelf), None);
        for order in 1..=5 {
            shelf.write(&record(order)).unwrap();
        }
        assert_eq!(newest(&shelf), Some(5));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left behind");
        fs::write(shelf.generation(0), b"hotconf cache").unwrap();
        let (read, trouble) = shelf.read();
        assert_eq!(read.unwrap().cursor.order, 4);
        assert!(trouble[0].contains("ends too early"), "{trouble:?}");
        fs::remove_file(shelf.generation(0)).unwrap();
        assert_eq!(newest(&shelf), Some(4), "as after a crash between two renames");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = TempDir::new();
        let shelf = Shelf::new(&dir.path().join("deep/er"), "etcd", "x", None);
        shelf.write(&record(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&shelf.generation(0)), mode(&shelf.dir)), (0o600, 0o700));
    }

    #[test]
    fn what_a_killed_process_left_behind_is_removed_and_what_is_being_written_is_not() {
        let dir = TempDir::new();
        let shelf = Shelf::new(dir.path(), "etcd", "x", None);
        let left = |pid: u32, age: Duration| {
            let path = dir.path().join(format!(".{}.{pid}.new", shelf.stem));
            let file = File::create(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
            path
        };
        let (old, young) = (left(1, LEFT_BEHIND * 2), left(2, LEFT_BEHIND / 2));
        shelf.write(&record(1)).unwrap();
        assert!(!old.exists() && young.exists());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let dir = TempDir::new();
        fs::write(dir.path().join("file"), "").unwrap();
        let shelf = Shelf::new(&dir.path().join("file/dir"), "etcd", "x", None);
        assert!(shelf.write(&record(1)).unwrap_err().contains("file/dir"));
    }
}
