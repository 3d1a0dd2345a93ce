//! A file of `NAME=value` lines, named like environment variables.
//!
//! The grammar is that of shells, without their expansion: comments, `export`, single quotes for text
//! as it is, double quotes with escapes, both over several lines. No `$NAME` is expanded: a password
//! may hold a dollar sign. What a name means is the environment's to say.

use super::Candidate;
use super::followed::{Followed, followed_source};
use super::piece::{Found, Good, Lack, Parsed, Piece, Pieced, Pieces, Target, Told, Wanted, examine};
use super::resolve::{Trail, resolve};
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::source::env;
use crate::value::Document;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

/// A `.env` file, followed like any [`File`](crate::File); its variables are named like the
/// environment's. It changes no variable of the process. Later sources override earlier ones.
///
/// ```
/// use hotconf::{Dotenv, Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     port: u16,
/// }
///
/// let path = std::env::temp_dir().join(format!("hotconf-doc-{}.env", std::process::id()));
/// std::fs::write(&path, "# local\nexport APP_PORT='8080'\n")?;
/// let app = Hot::<App>::builder().source(Dotenv::new(&path, "APP")).read()?;
/// assert_eq!(app.port, 8080);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a source does nothing until a builder has it"]
pub struct Dotenv {
    followed: Followed<Variables>,
}

impl Dotenv {
    /// Follows the file at `path`; variables with another prefix are passed over.
    pub fn new(path: impl AsRef<Path>, prefix: impl Into<String>) -> Self {
        let file = Candidate::new(path.as_ref());
        Self { followed: Followed::new(Variables { file, prefix: prefix.into() }) }
    }
}

followed_source!(Dotenv);

struct Variables {
    file: Candidate,
    prefix: String,
}

impl Target for Variables {
    type Doc = Document;

    fn name(&self) -> &str {
        &self.file.name
    }

    fn trail(&self) -> Trail {
        resolve(&self.file.path)
    }

    fn is_single(&self) -> bool {
        true
    }

    fn weight(&self) -> u64 {
        std::fs::metadata(&self.file.path).map_or(0, |meta| meta.len())
    }

    fn examine(&self, wanted: &Wanted, good: Option<&Good>, told: &Told) -> Found {
        examine(self, wanted, good, told)
    }
}

impl Pieced for Variables {
    fn read(&self, max: usize) -> Result<Pieces, Lack> {
        Ok(Pieces { pieces: vec![Piece::read(&self.file.path, &self.file.name, max)?], rank: 0 })
    }

    fn parse(&self, wanted: &Wanted, pieces: &Pieces, _: Option<&Good>) -> Result<Parsed, Vec<Problem>> {
        let name = &self.file.name;
        let mut variables = Vec::new();
        for piece in &pieces.pieces {
            let text = std::str::from_utf8(&piece.bytes).map_err(|_| {
                let problem = Problem::new(ProblemKind::Syntax, "", "is not text: it is not UTF-8");
                vec![problem.at(Origin::whole(name.clone()))]
            })?;
            variables.extend(parse(name, text)?);
        }
        Ok(document(wanted, &self.prefix, &self.file, variables))
    }
}

/// A variable's name, its value, and the line on which it stands.
type Variable = (String, String, u32);

/// Asks the environment's mapping what the variables mean. Of a name that is set twice the last holds,
/// as it would in a shell.
fn document(wanted: &Wanted, prefix: &str, file: &Candidate, variables: Vec<Variable>) -> Parsed {
    let Candidate { name: file, path } = file;
    let mut lines = HashMap::new();
    let mut last = HashMap::new();
    for (name, value, line) in variables {
        lines.insert(name.clone(), line);
        last.insert(OsString::from(name), OsString::from(value));
    }
    let origin = |name: &str| Origin::line(file.clone(), lines.get(name).copied().unwrap_or(1), 1);
    let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
    let (doc, warnings) = env::document(wanted.schema, &wanted.above, prefix, last, file, origin);
    let doc = doc.in_dir(path.parent().map(Arc::from));
    Parsed { docs: vec![Arc::new(doc)], warnings, splices: 0 }
}

/// Reads the lines of a `.env` file. A message quotes no value: it may be a secret.
fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Variable>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut variables, mut problems) = (Vec::new(), Vec::new());
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let start = line;
        let (statement, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = statement.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            (rest, line) = (after, line + 1);
            continue;
        }
        let mut refuse = |why: &str| {
            let problem = Problem::new(ProblemKind::Syntax, "", why);
            problems.push(problem.at(Origin::line(file.clone(), start, 1)));
        };
        let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed);
        let name = assignment.split_once('=').map(|(name, _)| name.trim());
        let Some(name) = name.filter(|name| is_name(name)) else {
            refuse("expected a line of the form `NAME=value`");
            (rest, line) = (after, line + 1);
            continue;
        };
        // The value may go on over several lines, so it is read from the whole rest.
        let value = rest.split_once('=').map_or("", |(_, value)| value);
        let (value, used) = match quoted(value) {
            Ok(read) => read,
            Err(why) => {
                refuse(why);
                (rest, line) = (after, line + 1);
                continue;
            }
        };
        let consumed = rest.len() - rest.split_once('=').map_or(0, |(_, value)| value.len()) + used;
        line += u32::try_from(rest[..consumed].matches('\n').count()).unwrap_or(0);
        rest = &rest[consumed..];
        variables.push((name.to_owned(), value, start));
    }
    if problems.is_empty() { Ok(variables) } else { Err(problems) }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

/// The value at the beginning of `text`, and how many bytes its lines take.
fn quoted(text: &str) -> Result<(String, usize), &'static str> {
    let lead = text.len() - text.trim_start_matches([' ', '\t']).len();
    let body = &text[lead..];
    let end_of_line = |from: usize| text[from..].find('\n').map_or(text.len(), |at| from + at + 1);
    let Some(quote) = body.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = end_of_line(0);
        let line = text[..end].trim();
        // A `#` within a word is part of it; one after a blank begins a comment.
        let comment =
            line.char_indices().find(|&(at, c)| c == '#' && (at == 0 || line[..at].ends_with([' ', '\t'])));
        let value = comment.map_or(line, |(at, _)| line[..at].trim_end());
        return Ok((value.to_owned(), end));
    };
    let mut value = String::new();
    let mut chars = body.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                let end = end_of_line(lead + at + 1);
                let tail = text[lead + at + 1..end].trim();
                if !tail.is_empty() && !tail.starts_with('#') {
                    return Err("there is more behind the closing quote");
                }
                return Ok((value, end));
            }
            '\\' if quote == '"' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, c @ ('"' | '\\' | '$' | '`' | '\''))) => value.push(c),
                Some((_, '\n')) | None => {}
                Some((_, other)) => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    Err("the quote that opens the value is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, u32)> {
        parse(&Arc::from(".env"), text).unwrap()
    }

    #[test]
    fn the_forms_that_shells_write_are_read() {
        let text = "\n# note\nA=1\nexport B = two words # note\nC='x $y #z'\nD=\"a\\nb\\\"\"\nE=\nF=a#b\r\nG='one\ntwo'\nH=3";
        let expected = [
            ("A", "1", 3),
            ("B", "two words", 4),
            ("C", "x $y #z", 5),
            ("D", "a\nb\"", 6),
            ("E", "", 7),
            ("F", "a#b", 8),
            ("G", "one\ntwo", 9),
            ("H", "3", 11),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(n, v, l)| ((*n).to_owned(), (*v).to_owned(), *l)).collect();
        assert_eq!(pairs(text), expected);
    }

    #[test]
    fn every_bad_line_is_named_and_none_is_quoted() {
        let problems = parse(&Arc::from(".env"), "A=1\nhunter2\nB='x\nC=\"y\" z\n").unwrap_err();
        let lines: Vec<_> = problems.iter().filter_map(|p| p.origin()?.line_number()).collect();
        assert_eq!(lines, [2, 3, 4]);
        assert!(problems.iter().all(|problem| !problem.to_string().contains("hunter2")));
    }
}
