//! `--set http.timeout=5s` on the command line.

use super::text::{Texts, takes_text};
use super::{BoxFuture, Context, Source, SourceError, Update};
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::schema::nearest::did_you_mean;
use crate::value::Document;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

/// Settings from `--set path=value` and `--set=path=value` arguments; all others are left alone.
///
/// A `String` takes the text as it is, other fields read it by their type, lists and tables as one TOML
/// value. A later argument overrides an earlier one. Nothing after `--` is read. Not live.
///
/// ```
/// use hotconf::{Args, Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let shop = Hot::<Shop>::builder().source(Args::new(["--set", "retries=5", "--verbose"])).read()?;
/// assert_eq!(shop.retries, 5);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Args {
    args: Vec<OsString>,
}

impl Args {
    /// The arguments of this process.
    pub fn from_env() -> Self {
        Self::new(std::env::args_os().skip(1))
    }

    /// These arguments, without the program's name.
    pub fn new<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        Self { args: args.into_iter().map(Into::into).collect() }
    }
}

impl fmt::Debug for Args {
    /// Names the settings; no value is shown, nor any other argument.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut args = self.args.iter().take_while(|arg| *arg != "--");
        let mut names = Vec::new();
        while let Some(arg) = args.next() {
            let setting = match arg.to_str() {
                Some("--set") => args.next().and_then(|arg| arg.to_str()),
                Some(arg) => arg.strip_prefix("--set="),
                None => None,
            };
            names.extend(setting.and_then(|setting| setting.split_once('=')).map(|(path, _)| path.trim()));
        }
        f.debug_struct("Args").field("settings", &names).finish()
    }
}

impl Source for Args {
    fn describe(&self) -> Cow<'_, str> {
        Cow::Borrowed(SOURCE)
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let doc = document(cx.schema, cx.above(), &self.args);
            Ok(Update::documents(vec![Arc::new(doc)]))
        })
    }

    fn is_live(&self) -> bool {
        false
    }
}

const SOURCE: &str = "arguments";

fn document(schema: &'static Schema, above: &[String], args: &[OsString]) -> Document {
    let (mut texts, mut problems) = (Texts::default(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        let setting = match arg.to_str() {
            Some("--set") => match args.next().map(|arg| arg.to_str()) {
                Some(Some(setting)) => setting,
                Some(None) => {
                    problems.push(refuse("--set", SOURCE, "", "is not valid UTF-8"));
                    continue;
                }
                None => {
                    problems.push(refuse("--set", SOURCE, "", "expected `path=value` after it"));
                    break;
                }
            },
            Some(arg) => match arg.strip_prefix("--set=") {
                Some(setting) => setting,
                None => continue,
            },
            None if arg.to_string_lossy().starts_with("--set=") => {
                problems.push(refuse("--set", SOURCE, "", "is not valid UTF-8"));
                continue;
            }
            None => continue,
        };
        let Some((path, value)) = setting.split_once('=') else {
            // Not shown: without the sign it may be anything, a password too.
            problems.push(refuse("--set", SOURCE, "", "expected `path=value`, found no `=`"));
            continue;
        };
        let path = path.trim();
        if let Err(problem) = set(&mut texts, schema, above, &format!("--set {path}"), SOURCE, path, value) {
            problems.push(problem);
        }
    }
    texts.into_document(SOURCE).with_problems(problems)
}

/// Puts one setting in, after its path was found in the schema below `above`.
pub(super) fn set(
    texts: &mut Texts,
    schema: &'static Schema,
    above: &[String],
    argument: &str,
    source: &str,
    path: &str,
    value: &str,
) -> Result<(), Problem> {
    let problem = |message: String| refuse(argument, source, path, message);
    let steps = keys::split(path).map_err(|reason| problem(format!("not a path: {reason}")))?;
    let Some(inner) = steps.strip_prefix(above) else {
        // Outside of the part that is taken.
        return Ok(());
    };
    let spot = schema.locate(inner).map_err(|miss| {
        let hint = did_you_mean(miss.suggestion(schema, &inner[miss.at]).as_deref());
        problem(format!("there is no such setting{hint}"))
    })?;
    if !takes_text(&spot, value) {
        return Err(problem("this is a section: set one of its settings, or an inline table `{ … }`".into()));
    }
    let origin = Origin::named(source, format!("argument {argument}"));
    let field = spot.field;
    // By the names of the schema, so that a later argument overrides an earlier one under another name.
    let named = keys::split(&spot.path).unwrap_or_else(|_| inner.to_vec());
    let steps = [above, &named].concat();
    texts.put(&steps, field, spot.inside, value, origin)
}

pub(super) fn refuse(argument: &str, source: &str, path: &str, message: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Unknown, path, message)
        .at(Origin::named(source, format!("argument {argument}")))
}
