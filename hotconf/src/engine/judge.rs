//! Judges a candidate: merge, load, restart fields, diff. Pure; runs in place or on a worker. What follows
//! from it is decided by control.

use crate::control::{Good, Refusal, Runs};
use crate::error::{Problem, ProblemKind};
use crate::layer::{self, Policy, Stack};
use crate::load::{self, HotConf};
use crate::named::{Contents, gather};
use crate::publish::Snapshot;
use crate::schema::Moved;
use crate::schema::meta::Schema;
use crate::value::Tree;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What the version in force was made from.
///
/// A configuration can be large, so no value is held twice: what is the same as another is left out.
pub(crate) struct Base<T> {
    /// What the sources say, where that is not what runs.
    desired: Option<Box<T>>,
    tree: Arc<Tree>,
    pub(crate) running: Snapshot<T>,
    /// The versions in which restart fields were seen first, oldest first: there they have the value that
    /// stays. Version 1, and one for each section or variant that appeared later; none where nothing applies
    /// on restart.
    firsts: Vec<Snapshot<T>>,
}

impl<T: HotConf> Base<T> {
    /// Of the first version.
    pub(crate) fn first(running: Snapshot<T>) -> Self {
        let firsts = if T::SCHEMA.waits() { vec![running.clone()] } else { Vec::new() };
        Self { desired: None, tree: running.0.meta.tree.clone(), running, firsts }
    }

    /// Of the version after: `desired` where that is not what runs, and the tree that it is from.
    pub(crate) fn next(&self, desired: Option<Box<T>>, tree: Arc<Tree>, running: Snapshot<T>) -> Self {
        let mut firsts = self.firsts.clone();
        if !firsts.is_empty() {
            let known: Vec<&Tree> = firsts.iter().map(|first| &*first.0.meta.tree).collect();
            if layer::has_new_restart(&running.0.meta.tree, &known, T::SCHEMA) {
                firsts.push(running.clone());
            }
        }
        Self { desired, tree, running, firsts }
    }

    fn desired(&self) -> &T {
        self.desired.as_deref().unwrap_or(&self.running)
    }
}

/// A candidate that is valid.
pub(crate) struct Candidate<T> {
    pub(crate) desired: Box<T>,
    /// What shall run, where that is not what is desired: the value, and the tree that it is from.
    pub(crate) running: Option<(Box<T>, Arc<Tree>)>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) stack: Arc<Stack>,
    /// Leaves that moved in the running value.
    pub(crate) moved: Moved,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) decoded: u64,
    /// The files that it names.
    pub(crate) named: BTreeSet<PathBuf>,
}

/// A candidate that is not valid, and how many leaves it took to find that out.
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) decoded: u64,
    /// The files that it names.
    pub(crate) named: BTreeSet<PathBuf>,
    /// Those of them that are not at hand. Where there are some, nothing else is known for sure.
    pub(crate) wants: BTreeSet<PathBuf>,
}

impl Refused {
    pub(crate) fn of(problem: Problem) -> Self {
        let refusal = Refusal { problems: vec![problem], warnings: Vec::new() };
        Self { refusal, decoded: 0, named: BTreeSet::new(), wants: BTreeSet::new() }
    }
}

/// The first load: everything is decoded.
pub(crate) fn first<T: HotConf>(
    stack: Stack,
    contents: Arc<Contents>,
    policy: Policy,
) -> Result<Candidate<T>, Refused> {
    let merged = stack.merge(T::SCHEMA, policy);
    let tree = Arc::new(Tree { contents: Some(contents), ..merged.tree });
    let mut problems = merged.problems;
    let ((loaded, decoded), wants) = gather(|| load::load::<T>(&tree));
    let named = named(&tree, T::SCHEMA, &wants);
    let mut warnings = merged.warnings;
    if let Ok(desired) = &loaded
        && problems.is_empty()
        && wants.is_empty()
    {
        problems = elsewhere(&stack, desired, &tree, policy, &mut warnings);
    }
    match loaded {
        Ok(desired) if problems.is_empty() && wants.is_empty() => Ok(Candidate {
            named,
            desired,
            running: None,
            tree,
            stack: Arc::new(stack),
            moved: Moved::default(),
            warnings,
            decoded,
        }),
        loaded => {
            add_news(&mut problems, loaded.err().unwrap_or_default());
            let refusal = refused(problems, warnings, &stack, T::SCHEMA);
            Err(Refused { refusal, decoded, named, wants })
        }
    }
}

/// A later load: only what moved is decoded.
pub(crate) fn judge<T: HotConf>(
    base: &Base<T>,
    stack: Stack,
    contents: Arc<Contents>,
    policy: Policy,
) -> Result<(Candidate<T>, Good), Refused> {
    let merged = stack.merge(T::SCHEMA, policy);
    let tree = Arc::new(Tree { contents: Some(contents), ..merged.tree });
    let mut problems = merged.problems;
    let mut desired = Box::new(base.desired().clone());
    let ((updated, decoded), wants) = gather(|| load::update::<T>(&mut desired, &base.tree, &tree));
    add_news(&mut problems, updated.err().unwrap_or_default());
    let named = named(&tree, T::SCHEMA, &wants);
    let mut warnings = merged.warnings;
    if problems.is_empty() && wants.is_empty() {
        problems = elsewhere(&stack, &*desired, &tree, policy, &mut warnings);
    }
    if !problems.is_empty() || !wants.is_empty() {
        let refusal = refused(problems, warnings, &stack, T::SCHEMA);
        return Err(Refused { refusal, decoded, named, wants });
    }
    let (running, fails) = match hold_back(base, &desired, &tree) {
        Held::Nothing => (None, false),
        Held::Some(running) => (Some(running), false),
        // Should the whole change wait, then what runs goes on as it is.
        Held::Fails => (Some((Box::new((*base.running).clone()), base.running.0.meta.tree.clone())), true),
    };
    let runs = running.as_ref().map_or(&*desired, |(value, _)| value);
    let moved = differ(&*base.running, runs);
    let desired_moved = match (&base.desired, &running) {
        (None, None) => moved.as_slice().to_vec(),
        _ => differ(base.desired(), &desired).as_slice().to_vec(),
    };
    let waiting = match &running {
        Some((running, _)) => differ(&**running, &desired).as_slice().to_vec(),
        None => Vec::new(),
    };
    let good = Good {
        runs: match () {
            () if fails => Runs::Fails,
            () if moved.is_empty() => Runs::Stays,
            () => Runs::Moves,
        },
        waiting,
        moved: desired_moved,
    };
    let stack = Arc::new(stack);
    Ok((Candidate { desired, running, tree, stack, moved, warnings, decoded, named }, good))
}

/// What would be wrong where an overlay holds that does not hold here: a mistake in it is told on all instances, and
/// not on those alone for which it is meant.
fn elsewhere<T: HotConf>(
    stack: &Stack,
    here: &T,
    tree: &Tree,
    policy: Policy,
    warnings: &mut Vec<Problem>,
) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (name, stack) in stack.elsewhere() {
        let merged = stack.merge(T::SCHEMA, policy);
        let other = Tree { contents: tree.contents.clone(), ..merged.tree };
        let mut there = Box::new(here.clone());
        let ((updated, _), wants) = gather(|| load::update::<T>(&mut there, tree, &other));
        let mut found = merged.problems;
        // A file that it names there need not be here.
        if wants.is_empty() {
            add_news(&mut found, updated.err().unwrap_or_default());
        }
        layer::add_hides(&mut found, &stack, T::SCHEMA);
        for mut problem in found {
            problem.message.push_str(&format!("; so it would be where the overlay `{name}` holds"));
            problems.push(problem);
        }
        let known = warnings.len();
        for warning in merged.warnings {
            if !warnings[..known].iter().any(|known| known.to_string() == warning.to_string()) {
                warnings.push(warning);
            }
        }
    }
    problems
}

fn differ<T: HotConf>(a: &T, b: &T) -> Moved {
    let mut moved = Moved::default();
    a.__differ(b, 0, &mut moved);
    moved
}

/// Adds what loading found to what reading and merging found, unless it is of the same place: a value that
/// could not be read has been told, and is not missing besides.
fn add_news(problems: &mut Vec<Problem>, loaded: Vec<Problem>) {
    let told = problems.len();
    for problem in loaded {
        let known = problems[..told].iter().any(|known| {
            let same_place = known.origin.is_some() && known.origin == problem.origin;
            let below = problem.path.strip_prefix(&*known.path).filter(|_| !known.path.is_empty());
            let unset = problem.kind == ProblemKind::Missing
                && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            same_place || unset
        });
        if !known {
            problems.push(problem);
        }
    }
}

fn refused(
    mut problems: Vec<Problem>,
    warnings: Vec<Problem>,
    stack: &Stack,
    schema: &'static Schema,
) -> Refusal {
    if problems.is_empty() {
        // A type of the program's reads on where a file of it is not there.
        let message = "a file that it names was not read in time";
        problems.push(Problem::new(ProblemKind::Unreadable, "", message));
    }
    layer::add_hides(&mut problems, stack, schema);
    layer::tell_missing(&mut problems, &warnings, stack);
    Refusal { problems, warnings }
}

/// The files that a tree names.
fn named(tree: &Tree, schema: &'static Schema, wants: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut named = wants.clone();
    if tree.contents.as_ref().is_some_and(|contents| !contents.is_empty()) {
        named.append(&mut tree.names());
        load::named_by_default(schema, tree, &mut named);
    }
    named
}

/// What of a desired value does not run.
enum Held<T> {
    /// All of it runs.
    Nothing,
    /// This runs instead: the desired value with its restart leaves as they are.
    Some((Box<T>, Arc<Tree>)),
    /// That does not pass the checks.
    Fails,
}

/// Puts back what applies on restart only.
///
/// As it runs; and where it was away, as it was when it was seen first. The oldest has the last word.
fn hold_back<T: HotConf>(base: &Base<T>, desired: &T, tree: &Tree) -> Held<T> {
    if base.firsts.is_empty() {
        return Held::Nothing;
    }
    let held = || std::iter::once(&base.running).chain(base.firsts.iter().rev());
    let mut running = Box::new(desired.clone());
    for version in held() {
        T::__freeze(&mut running, version);
    }
    if differ(&*running, desired).is_empty() {
        return Held::Nothing;
    }
    if load::recheck::<T>(&running, tree).is_err() {
        return Held::Fails;
    }
    let first = layer::graft(tree, &base.running.0.meta.tree, T::SCHEMA);
    let tree = base
        .firsts
        .iter()
        .rev()
        .fold(first, |tree, version| layer::graft(&tree, &version.0.meta.tree, T::SCHEMA));
    Held::Some((running, Arc::new(tree)))
}
