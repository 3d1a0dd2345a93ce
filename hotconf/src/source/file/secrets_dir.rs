//! A directory with one value a file, as Kubernetes, Docker and systemd hand out secrets.

use super::followed::{Followed, followed_source};
use super::fragments;
use super::piece::{Found, Good, Lack, Parsed, Piece, Pieced, Pieces, Target, Told, Wanted, examine};
use super::resolve::{End, Trail, resolve};
use super::{Candidate, follow_links};
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::value::{Builder, Document, Kind};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// A directory in which each file's name is a setting and its content the value.
///
/// The name is a dotted path (`http.timeout`), the same with double underscores (`http__timeout`), or a
/// plain name. The content is text, read by the field's type; one line end at its end is left out.
/// Hidden files are passed over. All values of one read are of one generation of the volume, and the
/// directory is followed like a [`File`](crate::File). Later sources override earlier ones.
///
/// ```
/// use hotconf::{Hot, HotConf, Secret, SecretsDir};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     db_password: Secret<String>,
/// }
///
/// let dir = std::env::temp_dir().join(format!("hotconf-doc-secrets-{}", std::process::id()));
/// std::fs::create_dir_all(&dir)?;
/// std::fs::write(dir.join("db_password"), "hunter2\n")?;
/// let app = Hot::<App>::builder().source(SecretsDir::new(&dir)).read()?;
/// assert_eq!(app.db_password.expose(), "hunter2");
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a source does nothing until a builder has it"]
pub struct SecretsDir {
    followed: Followed<Secrets>,
}

impl SecretsDir {
    /// Follows the directory at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { followed: Followed::new(Secrets { dir: Candidate::new(path.as_ref()) }) }
    }
}

followed_source!(SecretsDir);

struct Secrets {
    dir: Candidate,
}

impl Target for Secrets {
    type Doc = Document;

    fn name(&self) -> &str {
        &self.dir.name
    }

    fn trail(&self) -> Trail {
        let mut trail = resolve(&self.dir.path);
        if let End::Dir(dir) = trail.end.clone() {
            follow_links(&mut trail, &dir, fragments::is_plain);
        }
        trail
    }

    fn is_child(&self, name: &OsStr) -> bool {
        fragments::is_plain(name) || name == "..data"
    }

    fn is_single(&self) -> bool {
        false
    }

    fn weight(&self) -> u64 {
        fragments::weight(&self.dir.path, fragments::is_plain)
    }

    fn examine(&self, wanted: &Wanted, good: Option<&Good>, told: &Told) -> Found {
        examine(self, wanted, good, told)
    }
}

impl Pieced for Secrets {
    fn read(&self, max: usize) -> Result<Pieces, Lack> {
        let pieces = fragments::read(&self.dir.path, Path::new(&*self.dir.name), max, fragments::is_plain)?;
        Ok(Pieces { pieces, rank: 0 })
    }

    fn parse(&self, _: &Wanted, pieces: &Pieces, _: Option<&Good>) -> Result<Parsed, Vec<Problem>> {
        let mut root = BTreeMap::new();
        let mut problems = Vec::new();
        for piece in &pieces.pieces {
            if let Err(problem) = insert(&mut root, piece) {
                problems.push(problem.at(Origin::whole(piece.name.clone())));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut builder = Builder::keyed(self.dir.name.clone());
        fill(&mut builder, &root);
        Ok(Parsed {
            docs: vec![Arc::new(builder.finish().in_dir(Some(Arc::from(self.dir.path.as_path()))))],
            ..Parsed::default()
        })
    }
}

/// What stands under one key.
enum Entry<'p> {
    Value(&'p str, &'p Arc<str>),
    Table(BTreeMap<String, Entry<'p>>),
}

#[allow(clippy::result_large_err)] // Once per file that is wrong.
/// Puts a file's value at the path that its name says.
fn insert<'p>(root: &mut BTreeMap<String, Entry<'p>>, piece: &'p Piece) -> Result<(), Problem> {
    let text = std::str::from_utf8(&piece.bytes)
        .map_err(|_| Problem::new(ProblemKind::Syntax, "", "is not text: it is not UTF-8"))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    let path = Path::new(&*piece.name).file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let path = path.replace("__", ".");
    let conflict = |why: &str| Problem::new(ProblemKind::Conflict, path.clone(), why.to_owned());
    let mut keys = path.split('.').peekable();
    let mut table = root;
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            return match table.insert(key.to_owned(), Entry::Value(text, &piece.name)) {
                None => Ok(()),
                Some(_) => Err(conflict("another file of this directory names the same setting")),
            };
        }
        let below = table.entry(key.to_owned()).or_insert_with(|| Entry::Table(BTreeMap::new()));
        table = match below {
            Entry::Table(table) => table,
            Entry::Value(_, other) => {
                return Err(conflict(&format!("{other} gives a value to what would be a table")));
            }
        };
    }
    Ok(())
}

fn fill(builder: &mut Builder, table: &BTreeMap<String, Entry<'_>>) {
    let open = builder.table(0);
    for (key, entry) in table {
        match entry {
            Entry::Value(text, name) => {
                let place = builder.place(Origin::whole((*name).clone()));
                builder.key_owned(place, key);
                builder.str_owned(Kind::Text, place, text);
            }
            Entry::Table(below) => {
                builder.key_owned(0, key);
                fill(builder, below);
            }
        }
    }
    builder.close(open, table.len());
}
