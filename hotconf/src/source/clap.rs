//! The bridge from a `clap` command line: only what was typed counts.

use super::args::{refuse, set};
use super::text::Texts;
use super::{BoxFuture, Context, Source, SourceError, Update};
use crate::schema::meta::Form;
use ::clap::parser::ValueSource;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Settings from a parsed `clap` command line.
///
/// Takes the arguments that were typed: a default or a variable that clap filled in is no setting, so
/// that it does not override a file. An argument means the setting that its id names
/// (`http.timeout`), or that [`map`](Clap::map) says; ids that name no setting are left alone. Not live.
///
/// ```
/// use clap::{Arg, Command};
/// use hotconf::{Clap, Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let command = Command::new("shop").arg(Arg::new("tries").long("tries").default_value("9"));
/// let typed = command.clone().get_matches_from(["shop", "--tries", "5"]);
/// let shop = Hot::<Shop>::builder().source(Clap::new(&typed).map("tries", "retries")).read()?;
/// assert_eq!(shop.retries, 5);
///
/// let silent = command.get_matches_from(["shop"]);
/// let shop = Hot::<Shop>::builder().source(Clap::new(&silent).map("tries", "retries")).read()?;
/// assert_eq!(shop.retries, 3);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Clap {
    /// Id and the texts that were typed; `None` where one of them is not UTF-8.
    typed: Vec<(String, Option<Vec<String>>)>,
    maps: Vec<(String, String)>,
}

impl Clap {
    /// The arguments that were typed.
    pub fn new(matches: &::clap::ArgMatches) -> Self {
        let mut typed = Vec::new();
        for id in matches.ids() {
            let id = id.as_str();
            if matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            // A group has no raw values of its own: its members speak for themselves.
            let Ok(Some(raw)) = matches.try_get_raw(id) else { continue };
            let mut texts: Option<Vec<String>> = raw.map(|text| text.to_str().map(str::to_owned)).collect();
            if let Ok(Some(flag)) = matches.try_get_one::<bool>(id) {
                texts = Some(vec![flag.to_string()]);
            } else if let Ok(Some(count)) = matches.try_get_one::<u8>(id)
                && texts.as_ref().is_some_and(Vec::is_empty)
            {
                texts = Some(vec![count.to_string()]);
            }
            typed.push((id.to_owned(), texts));
        }
        Self { typed, maps: Vec::new() }
    }

    /// Says which setting the argument `id` means.
    pub fn map(mut self, id: impl Into<String>, path: impl Into<String>) -> Self {
        self.maps.push((id.into(), path.into()));
        self
    }
}

impl fmt::Debug for Clap {
    /// Names the arguments; what was typed is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.typed.iter().map(|(id, _)| id).collect();
        f.debug_struct("Clap").field("typed", &ids).field("maps", &self.maps).finish()
    }
}

impl Source for Clap {
    fn describe(&self) -> Cow<'_, str> {
        Cow::Borrowed(SOURCE)
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let (mut texts, mut problems) = (Texts::default(), Vec::new());
            for (id, values) in &self.typed {
                let mapped = self.maps.iter().find(|(from, _)| from == id).map(|(_, path)| path);
                let path = mapped.unwrap_or(id);
                if mapped.is_none() {
                    let known = crate::schema::keys::split(path).ok().is_some_and(|keys| {
                        keys.strip_prefix(cx.above()).is_some_and(|keys| cx.schema.locate(keys).is_ok())
                    });
                    if !known {
                        continue;
                    }
                }
                let argument = format!("--{id}");
                let Some(values) = values else {
                    problems.push(refuse(&argument, SOURCE, path, "is not valid UTF-8"));
                    continue;
                };
                let is_list = || {
                    let keys = crate::schema::keys::split(path).unwrap_or_default();
                    let keys = keys.strip_prefix(cx.above()).unwrap_or_default();
                    let spot = cx.schema.locate(keys).ok().filter(|spot| !spot.inside);
                    spot.and_then(|spot| spot.field).is_some_and(|field| field.form == Form::List)
                };
                let value = match &values[..] {
                    // What is typed once for a list is a list of one, unless it is a whole list itself.
                    [one] if is_list() && !(one.starts_with('[') && one.ends_with(']')) => list(values),
                    [one] => one.clone(),
                    many => list(many),
                };
                if let Err(problem) = set(&mut texts, cx.schema, cx.above(), &argument, SOURCE, path, &value)
                {
                    problems.push(problem);
                }
            }
            let doc = texts.into_document(SOURCE).with_problems(problems);
            Ok(Update::documents(vec![Arc::new(doc)]))
        })
    }

    fn is_live(&self) -> bool {
        false
    }
}

const SOURCE: &str = "command line";

/// Several texts as one TOML list of strings.
fn list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A TOML string, in which no control character may stand as it is.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted += &format!("\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
