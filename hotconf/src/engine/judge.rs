//! Judges a candidate: merge, load, restart fields, diff. Pure; runs in place or on a worker.

use crate::error::Problem;
use crate::layer::{self, Policy, Stack};
use crate::load::{self, HotConf};
use crate::observe::Warning;
use crate::publish::Snapshot;
use crate::schema::Moved;
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
    pub(crate) warnings: Vec<Warning>,
    pub(crate) decoded: u64,
}

/// A candidate that is not valid: every problem, and how many leaves it took to find them.
pub(crate) struct Refused {
    pub(crate) problems: Vec<Problem>,
    pub(crate) decoded: u64,
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
            warnings: merged.warnings.into_iter().map(Into::into).collect(),
            decoded,
        }),
        loaded => {
            problems.extend(loaded.err().into_iter().flatten());
            layer::add_hides(&mut problems, &stack, T::SCHEMA);
            layer::tell_missing(&mut problems, &merged.warnings, &stack);
            Err(Refused { problems, decoded })
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
    problems.extend(updated.err().into_iter().flatten());
    if !problems.is_empty() {
        layer::add_hides(&mut problems, &stack, T::SCHEMA);
        layer::tell_missing(&mut problems, &merged.warnings, &stack);
        return Err(Refused { problems, decoded });
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
        warnings: merged.warnings.into_iter().map(Into::into).collect(),
        decoded,
    })
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
