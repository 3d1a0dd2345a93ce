//! Who said what: every layer's value of a field, worked out when somebody asks.
//!
//! The values that lost are in no tree; they are looked up in the documents of the layers. A secret's
//! value is never rendered, and neither is anything below a key that the schema does not know.

mod leaves;
mod render;
mod told;

pub(crate) use leaves::{fingerprint, origin_of};
pub(crate) use told::{is_same, moved_paths, rendered};

use super::stack::Stack;
use crate::error::{Problem, ProblemKind};
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::{Fallback, FieldMeta, Schema};
use crate::schema::nearest::did_you_mean;
use leaves::{Leaf, Said, Step, leaves, said_by};
use render::render;
use std::fmt;

/// What every layer says of one setting, the value in force first.
///
/// `Display` prints a block that a person can read:
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     #[hotconf(default = 3)]
///     retries: u32,
/// }
///
/// let app = Hot::<App>::builder()
///     .source(Inline::toml("base.toml", "retries = 5"))
///     .source(Inline::toml("prod.toml", "retries = 8"))
///     .read()?;
/// let explanation = app.explain_path("retries")?;
/// assert_eq!(explanation[0].value(), "8");
/// assert_eq!(
///     explanation.to_string(),
///     "retries = 8   prod.toml:1:11\n  hides 5   base.toml:1:11\n  hides 3   default",
/// );
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    path: String,
    value: String,
    candidates: Vec<Candidate>,
    /// What overlays say that do not hold here.
    elsewhere: Vec<Candidate>,
    waiting: bool,
    /// It is a container with a default as a whole that nobody speaks of: what is in it is not known.
    whole: bool,
}

/// What one layer says of a setting.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder()
///     .source(Inline::toml("base", "retries = 4"))
///     .source(Inline::toml("site", "retries = 5"))
///     .blocking_start()?;
/// let explanation = config.explain();
/// let hidden = &explanation[0].candidates()[1];
/// assert_eq!((hidden.value(), hidden.layer()), ("4", "base"));
/// assert_eq!(hidden.origin().to_string(), "base:1:11");
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Candidate {
    origin: Origin,
    value: String,
    layer: String,
    note: Option<String>,
    /// The `None` of an `Option`: that it is hidden goes without saying.
    implied: bool,
}

/// Explanations of several settings: a section, or the whole configuration.
///
/// Reads as a slice. `Display` prints one line per setting, or the block of the only one.
///
/// ```
/// use hotconf::{Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let config = Hot::<App>::builder()
///     .source(Inline::toml("base", "retries = 4"))
///     .source(Inline::toml("site", "retries = 5"))
///     .blocking_start()?;
/// let all = config.explain();
/// let [winner, hidden, default] = all[0].candidates() else { panic!("three layers speak") };
/// assert_eq!((winner.value(), winner.layer()), ("5", "site"));
/// assert_eq!((hidden.value(), hidden.layer()), ("4", "base"));
/// assert!(default.origin().is_default());
/// # Ok::<(), hotconf::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Explanations(Vec<Explanation>);

impl Explanation {
    /// The setting's dotted path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value in force as TOML would write it, cut at 80 characters; `(secret)` of a secret.
    ///
    /// A table or a list may be put together from several layers, and then differs from each of them.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Where the value in force was set; the default where no source speaks of it.
    pub fn origin(&self) -> Origin {
        self.candidates.first().map_or_else(Origin::default_value, |c| c.origin.clone())
    }

    /// Tells whether the value waits for a restart: what runs is the one before.
    pub fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// What each layer says, the winner first and the default last; empty where nobody says anything.
    ///
    /// Where the topmost layer took the value back, the default is the winner, and its note says where.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// What overlays of documents say of it that do not hold on this instance, the topmost first; the note of each
    /// says why it does not.
    pub fn elsewhere(&self) -> &[Candidate] {
        &self.elsewhere
    }

    fn waits(&self) -> &'static str {
        if self.waiting { "   (waits for a restart)" } else { "" }
    }

    /// What the value in force hides, nearest first: `shop.toml:3:1`, `default "5s"`.
    pub(crate) fn hides(&self) -> Vec<String> {
        let hidden = self.candidates.iter().skip(1).filter(|c| !c.implied);
        hidden
            .map(|c| {
                if c.origin.is_default() {
                    format!("default {}", render::as_default(&c.value))
                } else {
                    c.origin.to_string()
                }
            })
            .collect()
    }
}

impl Candidate {
    /// Where the layer says it.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value as TOML would write it, cut at 80 characters; `(secret)` of a secret.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The name of the source; `default` of the type's own default.
    pub fn layer(&self) -> &str {
        &self.layer
    }

    /// What there is to say of it: another name was used, the field is deprecated, a layer unset what was
    /// said and the default holds.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}   {}{}", self.path, self.value, self.origin(), self.waits())?;
        for (rank, candidate) in self.candidates.iter().enumerate() {
            if rank > 0 {
                write!(f, "\n  hides {}   {}", candidate.value, candidate.origin)?;
            }
            if let Some(note) = &candidate.note {
                write!(f, "   ({note})")?;
            }
        }
        for candidate in &self.elsewhere {
            let note = candidate.note.as_deref().unwrap_or_default();
            write!(f, "\n  not {}   {}   ({note})", candidate.value, candidate.origin)?;
        }
        Ok(())
    }
}

impl Explanations {
    /// Marks what waits for a restart.
    #[must_use]
    pub(crate) fn with_waiting(mut self, paths: &[&str]) -> Self {
        for explanation in &mut self.0 {
            let at = |path: &str| explanation.path.strip_prefix(path);
            explanation.waiting = paths
                .iter()
                .any(|path| at(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
        }
        self
    }
}

impl std::ops::Deref for Explanations {
    type Target = [Explanation];

    fn deref(&self) -> &[Explanation] {
        &self.0
    }
}

impl fmt::Display for Explanations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = &self.0[..] {
            return only.fmt(f);
        }
        let lines: Vec<String> = self.0.iter().map(|e| format!("{} = {}", e.path, e.value)).collect();
        let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0).min(60);
        for (at, (line, explanation)) in lines.iter().zip(&self.0).enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{line:width$}   {}{}", explanation.origin(), explanation.waits())?;
        }
        Ok(())
    }
}

/// Explains every setting that has a place at present, in the order of the schema.
pub(crate) fn explain_all(stack: &Stack, schema: &'static Schema) -> Explanations {
    let merged = stack.merge(schema, super::Policy::default());
    let opened = stack.open(schema);
    let mut all = Vec::new();
    leaves(&merged.tree, schema, &mut |leaf| all.push(explanation(stack, &opened, leaf)));
    Explanations(all)
}

/// Explains the setting or the section at `path`.
///
/// # Errors
///
/// A path that is not one, or that leads nowhere, with the nearest that does.
pub(crate) fn explain(stack: &Stack, schema: &'static Schema, path: &str) -> Result<Explanations, Problem> {
    let usage = |message: String| Problem::new(ProblemKind::Usage, path, message);
    let steps = keys::split(path).map_err(|reason| usage(format!("not a path: {reason}")))?;
    let steps = leaves::indexed(&steps);
    let spot = schema.locate(&steps).map_err(|miss| {
        let hint = did_you_mean(miss.suggestion(schema, &steps[miss.at]).as_deref());
        usage(format!("there is no such setting{hint}"))
    })?;
    let asked = keys::split(&spot.path).unwrap_or_default();
    let Explanations(all) = explain_all(stack, schema);
    let keys = |e: &Explanation| keys::split(&e.path).map(|keys| leaves::indexed(&keys)).unwrap_or_default();
    let (mut all, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|e| keys(e).starts_with(&asked));
    if all.is_empty() {
        all.extend(others.into_iter().filter(|e| e.whole && asked.starts_with(&keys(e))));
    }
    if all.is_empty() { Err(usage("nothing is set there at present".into())) } else { Ok(Explanations(all)) }
}

/// Adds to each problem of a value what that value hides.
pub(crate) fn add_hides(problems: &mut [Problem], stack: &Stack, schema: &'static Schema) {
    let wanting = |p: &Problem| !p.path.is_empty() && p.hides.is_empty() && p.origin.is_some();
    if !problems.iter().any(wanting) {
        return;
    }
    let all = explain_all(stack, schema);
    let by_path: std::collections::HashMap<&str, &Explanation> =
        all.iter().map(|e| (e.path.as_str(), e)).collect();
    for problem in problems.iter_mut().filter(|p| wanting(p)) {
        if let Some(explanation) = by_path.get(problem.path.as_str()) {
            problem.hides = explanation.hides();
        }
    }
}

fn explanation(stack: &Stack, opened: &super::merge::Opened, leaf: Leaf<'_>) -> Explanation {
    let secret = leaf.field.is_some_and(is_secret);
    let (mut candidates, mut unset, mut elsewhere) = (Vec::new(), None, Vec::new());
    // Elements of lists have no identity across layers: only the one in force is told.
    if leaf.steps.iter().any(|step| matches!(step, Step::Element)) {
        let layer = leaf.value.node().and_then(|(doc, _)| layer_of(stack, opened, doc));
        if !leaf.value.is_absent() {
            candidates.push(Candidate {
                origin: leaf.value.origin(),
                value: render(leaf.value, secret),
                layer: layer.unwrap_or_default(),
                note: None,
                implied: false,
            });
        }
    } else {
        let candidate = |said: Said<'_>| {
            let alias = said.alias.map(|name| format!("written as `{name}`"));
            let deprecated = leaf.field.and_then(|field| field.deprecated).map(|_| "deprecated".to_owned());
            let overlay = said.overlay.map(|number| stack.overlay_note(number));
            let notes: Vec<String> = alias.into_iter().chain(deprecated).chain(overlay).collect();
            Candidate {
                origin: said.origin,
                value: render::render_node(said.doc, said.node, secret),
                layer: stack.layer_of(said.owner).map_or_else(String::new, |l| stack.name(l).to_string()),
                note: (!notes.is_empty()).then(|| notes.join(", ")),
                implied: false,
            }
        };
        let speaks = |said: &Said<'_>| said.overlay.is_none_or(|number| stack.overlay_holds(number));
        let (mut all, away): (Vec<_>, Vec<_>) = said_by(opened, leaf.steps).into_iter().partition(speaks);
        if leaf.value.is_absent() {
            // Nulls on top took back what lies below them.
            let nulls = all.iter().take_while(|said| said.is_null()).count();
            unset = all.drain(..nulls).next().map(|said| said.origin);
        }
        candidates.extend(all.into_iter().map(candidate));
        elsewhere.extend(away.into_iter().map(candidate));
    }
    let default = leaf.field.and_then(|field| default_text(field, secret));
    if let Some(text) = &default {
        let implied = leaf.field.is_some_and(|field| matches!(field.default, Fallback::Implicit("none")));
        let rank = if unset.is_some() { 0 } else { candidates.len() };
        let candidate = Candidate {
            origin: Origin::default_value(),
            value: text.clone(),
            layer: "default".into(),
            note: unset.map(|origin| format!("unset at {origin}")),
            implied,
        };
        candidates.insert(rank, candidate);
    }
    let value = match (leaf.value.is_absent(), default) {
        (true, Some(text)) => text,
        (true, None) => "(missing)".into(),
        (false, _) => render(leaf.value, secret),
    };
    let known = |default| matches!(default, Fallback::Required | Fallback::Implicit("none" | "empty"));
    let whole = leaf.value.is_absent() && leaf.field.is_some_and(|field| !known(field.default));
    Explanation { path: leaf.path.to_owned(), value, candidates, elsewhere, waiting: false, whole }
}

fn layer_of(stack: &Stack, opened: &super::merge::Opened, doc: &crate::value::Document) -> Option<String> {
    let at = opened.docs.iter().position(|d| std::ptr::eq(&raw const **d, doc))?;
    let layer = stack.layer_of(usize::from(opened.owners[at]))?;
    Some(stack.name(layer).to_string())
}

/// The default as it is shown; `None` of a required field.
fn default_text(field: &FieldMeta, secret: bool) -> Option<String> {
    match field.default {
        Fallback::Required => None,
        Fallback::Shown(_) if secret => Some(render::SECRET.into()),
        Fallback::Shown(_) | Fallback::Implicit(_) => {
            Some(field.shown_default().unwrap_or(render::SECRET).to_owned())
        }
    }
}

/// Whether a field's value may be shown nowhere: a secret, or a container of secrets.
fn is_secret(field: &FieldMeta) -> bool {
    field.is_secret()
}

#[cfg(test)]
mod tests;
