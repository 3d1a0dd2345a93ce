//! Environment variables, found by the names that the schema has.
//!
//! [`names`] makes the names; this file matches variables with them. No variable's value is in a
//! message.

mod names;

use super::text::Texts;
use super::{BoxFuture, Context, Matter, Source, SourceError, Update};
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::{Form, Schema};
use crate::schema::nearest::nearest;
use crate::value::Document;
use names::{Name, names};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

/// Environment variables as a source.
///
/// The names are made from the schema: `http.timeout` is `SHOP_HTTP_TIMEOUT` with the prefix `SHOP`;
/// `SHOP_HTTP__TIMEOUT` is accepted too. An entry of a map is `SHOP_FLAGS_<KEY>_<FIELD>`, its key in
/// lower case. A `String` takes the text as it is, other fields read it by their type, lists and tables
/// as one TOML value. An empty variable is an empty `String`, and elsewhere as if it were not set.
///
/// A variable that could mean two fields, and two variables that mean one field and differ, are errors.
/// A variable with the prefix that means nothing is a warning.
///
/// Not live: it is read at the start and on `reload`.
///
/// ```
/// use hotconf::{Env, Hot, HotConf};
///
/// #[derive(Clone, HotConf)]
/// struct Shop {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let env = Env::from_iter("SHOP", [("SHOP_RETRIES", "5"), ("HOME", "/root")]);
/// let shop = Hot::<Shop>::builder().source(env).read()?;
/// assert_eq!(shop.retries, 5);
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a source does nothing until it is given to a builder"]
pub struct Env {
    prefix: Option<String>,
    /// Instead of the process's variables.
    given: Option<Arc<Vec<(OsString, OsString)>>>,
}

impl Env {
    /// The variables that begin with `prefix` and an underscore.
    pub fn prefixed(prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into().trim_end_matches('_').to_owned()), given: None }
    }

    /// All variables, by their names without a prefix: `HTTP_TIMEOUT`.
    ///
    /// Variables that mean nothing are not warned of.
    pub fn bare() -> Self {
        Self { prefix: None, given: None }
    }

    /// Takes `vars` for the environment, for tests; an empty `prefix` is [`bare`](Self::bare).
    pub fn from_iter<K, V>(prefix: &str, vars: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let env = if prefix.is_empty() { Self::bare() } else { Self::prefixed(prefix) };
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { given: Some(Arc::new(vars)), ..env }
    }
}

impl fmt::Debug for Env {
    /// Names the variables that it was given; no value is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.given.as_ref().map(|vars| vars.iter().map(|(name, _)| name).collect::<Vec<_>>());
        f.debug_struct("Env").field("prefix", &self.prefix).field("given", &names).finish()
    }
}

impl Source for Env {
    fn describe(&self) -> Cow<'_, str> {
        Cow::Borrowed(SOURCE)
    }

    fn next<'a>(&'a mut self, cx: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            let vars: Vec<(OsString, OsString)> = match &self.given {
                Some(vars) => vars.to_vec(),
                None => std::env::vars_os().collect(),
            };
            let (doc, warnings) =
                document(cx.schema, cx.above(), self.prefix.as_deref(), vars, SOURCE, |name| {
                    Origin::named(SOURCE, format!("environment variable {name}"))
                });
            cx.warn_of(Matter::Content, warnings);
            Ok(Update::documents(vec![Arc::new(doc)]))
        })
    }

    fn is_live(&self) -> bool {
        false
    }
}

const SOURCE: &str = "environment";

/// What the variables say of a schema that stands below the keys `above`, and warnings.
///
/// Also for files of variables: `source` and `origin` name where they come from.
pub(crate) fn document(
    schema: &'static Schema,
    above: &[String],
    prefix: Option<&str>,
    vars: impl IntoIterator<Item = (OsString, OsString)>,
    source: &str,
    origin: impl Fn(&str) -> Origin,
) -> (Document, Vec<String>) {
    let names = names(schema, above);
    let closed: HashMap<String, usize> =
        names.iter().enumerate().filter(|(_, n)| !n.is_open()).map(|(at, n)| (n.text(), at)).collect();
    let mut vars: Vec<(OsString, OsString)> = vars.into_iter().collect();
    vars.sort();
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let mut set: HashMap<Vec<String>, (String, String)> = HashMap::new();
    let mut texts = Texts::default();
    for (name, value) in vars {
        let Ok(name) = name.into_string() else { continue };
        let local = match prefix {
            None => Some(name.as_str()),
            Some(prefix) => name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')),
        };
        let mut meant: Vec<(&Name, Vec<String>)> = Vec::new();
        for field in &names {
            if let Some(exact) = field.exact() {
                if exact == name && !field.is_open() {
                    meant.push((field, field.keys()));
                }
                continue;
            }
            if let Some(local) = local {
                meant.extend(field.paths(local).into_iter().map(|path| (field, path)));
            }
        }
        // A name that the schema spells out goes before one with a part of the user's choice.
        if meant.iter().any(|(field, _)| !field.is_open()) {
            meant.retain(|(field, _)| !field.is_open());
        }
        // By its name and by its alias it may be the same setting.
        meant.sort_by(|(_, a), (_, b)| a.cmp(b));
        meant.dedup_by(|(_, a), (_, b)| a == b);
        let service = value.to_str().is_some_and(|v| v.starts_with("tcp://") || v.starts_with("udp://"));
        if meant.is_empty() {
            if let (Some(local), true) = (local, prefix.is_some()) {
                let kubernetes = is_service_link(local) || service;
                warnings.push(unknown(&name, local, prefix.unwrap_or(""), kubernetes, closed.keys()));
            }
            continue;
        }
        let place = origin(&name);
        let path = keys::join(meant[0].1.iter().map(String::as_str));
        let refuse = |kind, message: String| Problem::new(kind, path.clone(), message).at(place.clone());
        if meant.len() > 1 {
            let all: Vec<String> = meant
                .iter()
                .map(|(_, p)| format!("`{}`", keys::join(p.iter().map(String::as_str))))
                .collect();
            let message = format!("the variable could mean {}; set one of them in a file", all.join(" and "));
            problems.push(refuse(ProblemKind::Conflict, message));
            continue;
        }
        let (field, keys) = meant.remove(0);
        let Ok(value) = value.into_string() else {
            problems.push(refuse(ProblemKind::Type, "the variable is not valid UTF-8".into()));
            continue;
        };
        // A text, and what a type of the user's reads, may be an address of such a form.
        let takes_address = |form| matches!(form, Form::Text | Form::Unknown);
        if service && field.field.is_none_or(|f| !takes_address(f.form)) {
            let message = "the variable was set by Kubernetes for a service of this name (service links); \
                set `enableServiceLinks: false` in the pod, or use another prefix";
            problems.push(refuse(ProblemKind::Type, message.into()));
            continue;
        }
        let is_text = field.field.is_some_and(|f| f.form == Form::Text);
        if value.is_empty() && !is_text {
            continue;
        }
        if field.section && !value.trim_start().starts_with('{') {
            warnings
                .push(format!("environment variable {name} names the section `{path}`, not a setting of it"));
            continue;
        }
        if let Some((other, before)) = set.get(&keys) {
            if *before != value {
                let message = format!("the variables {other} and {name} both mean it and differ");
                problems.push(refuse(ProblemKind::Conflict, message));
            }
            continue;
        }
        match texts.put(&keys, field.field, field.inside, &value, place) {
            Ok(()) => drop(set.insert(keys, (name, value))),
            Err(problem) => problems.push(problem),
        }
    }
    (texts.into_document(source).with_problems(problems), warnings)
}

/// The warning for a variable that has the prefix and means nothing.
fn unknown<'a>(
    name: &str,
    local: &str,
    prefix: &str,
    kubernetes: bool,
    known: impl Iterator<Item = &'a String>,
) -> String {
    if kubernetes {
        return format!("environment variable {name} is ignored: it looks like a Kubernetes service link");
    }
    let near = nearest(&local.replace("__", "_"), known.map(String::as_str));
    let hint = near.map(|near| format!(", did you mean {prefix}_{near}?")).unwrap_or_default();
    format!("environment variable {name} means no setting{hint}")
}

/// `SERVICE_HOST`, `SERVICE_PORT_HTTP`, `PORT_80_TCP_ADDR`: what Kubernetes sets per service.
fn is_service_link(local: &str) -> bool {
    local.contains("SERVICE_HOST")
        || local.contains("SERVICE_PORT")
        || (local.contains("PORT_") && (local.contains("_TCP") || local.contains("_UDP")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::meta::{Body, FieldMeta, Group, Shape};

    const fn leaf(name: &'static str, ty: &'static str, form: Form) -> FieldMeta {
        FieldMeta { form, ..FieldMeta::leaf(name, "", ty) }
    }

    static FLAG: Schema = Schema {
        body: Body::Struct(Group {
            fields: &[leaf("on", "bool", Form::Scalar), leaf("a_on", "bool", Form::Scalar)],
            names: &[("a_on", 1, false), ("on", 0, false)],
        }),
        ..*Schema::EMPTY
    };

    static ROOT: Schema = Schema {
        body: Body::Struct(Group {
            fields: &[
                leaf("port", "u16", Form::Scalar),
                leaf("maxSize", "String", Form::Text),
                FieldMeta { shape: Shape::Map(&FLAG), ..leaf("flags", "HashMap<String, Flag>", Form::Map) },
                leaf("labels", "HashMap<String, u32>", Form::Map),
                FieldMeta { env: Some("DATABASE_URL"), ..leaf("db", "String", Form::Text) },
            ],
            names: &[
                ("db", 4, false),
                ("flags", 2, false),
                ("labels", 3, false),
                ("maxSize", 1, false),
                ("port", 0, false),
            ],
        }),
        ..*Schema::EMPTY
    };

    fn read(vars: &[(&str, &str)]) -> Result<(String, Vec<String>), String> {
        let vars = vars.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let origin = |name: &str| Origin::named("env", name);
        let (doc, warnings) = document(&ROOT, &[], Some("SHOP"), vars, "env", origin);
        if let Some(problem) = doc.problems().first() {
            return Err(problem.to_string());
        }
        Ok((show(&doc, Document::ROOT), warnings))
    }

    fn show(doc: &Document, node: u32) -> String {
        if doc.kind(node) != crate::value::Kind::Table {
            return doc.str(node).to_owned();
        }
        let entries: Vec<String> =
            doc.entries(node).map(|(k, v)| format!("{}={}", doc.str(k), show(doc, v))).collect();
        format!("{{{}}}", entries.join(" "))
    }

    #[test]
    fn fields_entries_and_exact_names_are_found() {
        let vars = [
            ("SHOP_PORT", "80"),
            ("SHOP_MAX_SIZE", "007"),
            ("SHOP_FLAGS__BETA_ON", "true"),
            ("SHOP_LABELS_TEAM", "3"),
            ("DATABASE_URL", "x"),
            ("HOME", "/"),
        ];
        let (doc, warnings) = read(&vars).unwrap();
        assert_eq!(doc, "{db=x flags={beta={on=true}} labels={team=3} maxSize=007 port=80}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn an_empty_variable_is_an_empty_string_or_unset() {
        assert_eq!(read(&[("SHOP_PORT", ""), ("SHOP_MAX_SIZE", "")]).unwrap().0, "{maxSize=}");
    }

    #[test]
    fn ambiguous_and_contradicting_variables_are_refused() {
        let both = read(&[("SHOP_FLAGS_X_A_ON", "true")]).unwrap_err();
        assert!(both.contains("could mean") && both.contains("`flags.x.a_on`"), "{both}");
        let differ = read(&[("SHOP_FLAGS_X_ON", "true"), ("SHOP_FLAGS__X__ON", "false")]).unwrap_err();
        assert!(differ.contains("SHOP_FLAGS_X_ON") && differ.contains("differ"), "{differ}");
        assert!(read(&[("SHOP_FLAGS_X_ON", "true"), ("SHOP_FLAGS__X__ON", "true")]).is_ok());
    }

    #[test]
    fn typing_errors_and_service_links_are_named() {
        let vars = [("SHOP_PROT", "1"), ("SHOP_PORT_80_TCP_ADDR", "10.0.0.1"), ("SHOP_PORT", "80")];
        let warnings = read(&vars).unwrap().1;
        assert!(warnings[0].contains("Kubernetes"), "{warnings:?}");
        assert!(warnings[1].ends_with("did you mean SHOP_PORT?"), "{warnings:?}");
        let link = read(&[("SHOP_PORT", "tcp://10.0.0.1:80")]).unwrap_err();
        assert!(link.contains("service links") && !link.contains("10.0.0.1"), "{link}");
    }
}
