//! Judges a candidate: merge, load, restart fields, diff. Pure; runs in place or on a worker.

use crate::error::{Problem, ProblemKind};
use crate::layer::{self, Policy, Stack};
use crate::load::{self, HotConf};
use crate::publish::Snapshot;
use crate::schema::Moved;
use crate::schema::meta::Schema;
use crate::value::Tree;
use std::sync::Arc;

/// What the version in force was made from.
///
/// A configuration can be large, so no value is held twice: what is the same as another is left out.
pub(crate) struct Base<T> {
    /// What the sources say, where that is not what runs.
    pub(crate) desired: Option<Box<T>>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) running: Snapshot<T>,
    /// The value at process start, of a type with restart leaves: they stay.
    pub(crate) start: Option<Arc<T>>,
}

impl<T> Base<T> {
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
    /// Leaves that moved in the desired value.
    pub(crate) desired_moved: Moved,
    /// Leaves whose desired value waits for a restart.
    pub(crate) waiting: Vec<u32>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) decoded: u64,
}

/// A candidate that is not valid: every problem, and how many leaves it took to find them.
pub(crate) struct Refused {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    pub(crate) decoded: u64,
}

impl Refused {
    pub(crate) fn of(problem: Problem) -> Self {
        Self { problems: vec![problem], warnings: Vec::new(), decoded: 0 }
    }
}

/// The first load: everything is decoded.
pub(crate) fn first<T: HotConf>(stack: Stack, policy: Policy) -> Result<Candidate<T>, Refused> {
    let merged = stack.merge(T::SCHEMA, policy);
    let tree = Arc::new(merged.tree);
    let mut problems = merged.problems;
    let (loaded, decoded) = load::load::<T>(&tree);
    match loaded {
        Ok(desired) if problems.is_empty() => Ok(Candidate {
            desired,
            running: None,
            tree,
            stack: Arc::new(stack),
            moved: Moved::default(),
            desired_moved: Moved::default(),
            waiting: Vec::new(),
            warnings: merged.warnings,
            decoded,
        }),
        loaded => {
            add_news(&mut problems, loaded.err().unwrap_or_default());
            Err(refused(problems, merged.warnings, &stack, T::SCHEMA, decoded))
        }
    }
}

/// A later load: only what moved is decoded.
pub(crate) fn judge<T: HotConf>(
    base: &Base<T>,
    stack: Stack,
    policy: Policy,
) -> Result<Candidate<T>, Refused> {
    let merged = stack.merge(T::SCHEMA, policy);
    let tree = Arc::new(merged.tree);
    let mut problems = merged.problems;
    let mut desired = Box::new(base.desired().clone());
    let (updated, decoded) = load::update::<T>(&mut desired, &base.tree, &tree);
    add_news(&mut problems, updated.err().unwrap_or_default());
    if !problems.is_empty() {
        return Err(refused(problems, merged.warnings, &stack, T::SCHEMA, decoded));
    }
    let running = hold_back(base, &desired, &tree);
    let differ = |a: &T, b: &T| {
        let mut moved = Moved::default();
        a.__differ(b, 0, &mut moved);
        moved
    };
    let moved = differ(&base.running, running.as_ref().map_or(&desired, |(value, _)| value));
    let desired_moved = match (&base.desired, &running) {
        (None, None) => moved.clone(),
        _ => differ(base.desired(), &desired),
    };
    let waiting =
        running.as_ref().map_or_else(Vec::new, |(running, _)| differ(running, &desired).as_slice().to_vec());
    Ok(Candidate {
        desired,
        running,
        tree,
        stack: Arc::new(stack),
        moved,
        desired_moved,
        waiting,
        warnings: merged.warnings,
        decoded,
    })
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
    decoded: u64,
) -> Refused {
    layer::add_hides(&mut problems, stack, schema);
    layer::tell_missing(&mut problems, &warnings, stack);
    Refused { problems, warnings, decoded }
}

/// What runs where it is not what is desired: the desired value with the restart leaves that run.
///
/// Those of an entry that appeared later are its first, and what runs knows them; an entry that was
/// away for a while comes back as it was at the start.
/// Where that does not pass the checks, the whole change waits.
fn hold_back<T: HotConf>(base: &Base<T>, desired: &T, tree: &Tree) -> Option<(Box<T>, Arc<Tree>)> {
    let start = base.start.as_ref()?;
    let mut running = Box::new(desired.clone());
    T::__freeze(&mut running, &base.running);
    T::__freeze(&mut running, start);
    let mut held = Moved::default();
    T::__differ(&running, desired, 0, &mut held);
    if held.is_empty() {
        return None;
    }
    if load::recheck::<T>(&running, tree).is_err() {
        return Some((Box::new((*base.running).clone()), base.running.0.meta.tree.clone()));
    }
    let tree = layer::graft(tree, &base.running.0.meta.tree, T::SCHEMA);
    Some((running, Arc::new(tree)))
}
