//! Nodes → tape: aliases and merge keys are expanded here, and only as far as the limits reach.
//!
//! What an alias stands for keeps the place of its anchor: there it is that a person changes it.

use super::super::keys::{Duplicates, Key};
use super::super::{Fault, Limits, Read, offset_in};
use super::core::{Scalar, scalar};
use super::{Form, Node, What, after};
use crate::value::{Builder, Kind};
use std::borrow::Cow;
use std::collections::HashSet;

/// Fills the tape with `nodes`, the root first.
pub(super) fn emit(builder: Builder, text: &str, nodes: &[Node<'_>], limits: &Limits) -> Read {
    let Some(root) = nodes.first() else { return super::super::done(builder, Vec::new()) };
    let mut emit = Emit {
        builder,
        text,
        nodes,
        limits,
        steps: 0,
        faults: Vec::new(),
        keys: Vec::new(),
        duplicates: Duplicates::default(),
    };
    let done = match root.what {
        What::Mapping { .. } => emit.node(0, 1),
        What::Sequence { .. } => Err(Fault::new(root.at, "expected keys and values, found a list")),
        _ => Err(Fault::new(root.at, "expected keys and values, found a single value")),
    };
    emit.faults.extend(done.err());
    super::super::done(emit.builder, emit.faults)
}

struct Emit<'n, 't> {
    builder: Builder,
    text: &'n str,
    nodes: &'n [Node<'t>],
    limits: &'n Limits,
    /// Nodes looked at while merging; they count like nodes, lest a bomb be built of merges that add nothing.
    steps: usize,
    faults: Vec<Fault>,
    /// Keys of the mapping at hand, with the index of each.
    keys: Vec<Key<'n>>,
    duplicates: Duplicates,
}

/// A fault that ends the document; all others are collected.
type Step = Result<(), Fault>;

impl<'n> Emit<'n, '_> {
    fn node(&mut self, index: usize, depth: usize) -> Step {
        let index = self.resolve(index);
        let Node { at, what } = &self.nodes[index];
        self.budget(*at)?;
        match what {
            What::Scalar { text, form } => self.scalar(*at, text, *form),
            What::Alias(_) => unreachable!("an alias never stands for an alias"),
            What::Sequence { end } => {
                self.deep(*at, depth)?;
                let open = self.builder.array(*at);
                let (mut child, mut count) = (index + 1, 0);
                while child < *end {
                    self.node(child, depth + 1)?;
                    child = after(self.nodes, child);
                    count += 1;
                }
                self.builder.close(open, count);
            }
            What::Mapping { end } => {
                self.deep(*at, depth)?;
                self.mapping(index, *end, depth)?;
            }
        }
        Ok(())
    }

    fn mapping(&mut self, index: usize, end: usize, depth: usize) -> Step {
        let at = self.nodes[index].at;
        if self.check_keys(index, end) {
            let mut entries = Vec::new();
            self.merged(index, end, &mut HashSet::new(), &mut entries, depth)?;
            let open = self.builder.table(at);
            for &(key, value) in &entries {
                self.entry(key, value, depth)?;
            }
            self.builder.close(open, entries.len());
        } else {
            let open = self.builder.table(at);
            let (mut key, mut count) = (index + 1, 0);
            while key < end {
                let value = after(self.nodes, key);
                self.entry(key, value, depth)?;
                key = after(self.nodes, value);
                count += 1;
            }
            self.builder.close(open, count);
        }
        Ok(())
    }

    fn entry(&mut self, key: usize, value: usize, depth: usize) -> Step {
        let at = self.nodes[key].at;
        // A key that is none has been told; its value may have more to tell.
        let name = self.name(key).unwrap_or_default();
        match offset_in(self.text, name) {
            Some(start) => self.builder.key_slice(at, start, name.len()),
            None => self.builder.key_owned(at, name),
        }
        self.node(value, depth + 1)
    }

    /// Refuses keys that are no scalars or stand twice; tells whether there is a merge key.
    fn check_keys(&mut self, index: usize, end: usize) -> bool {
        self.keys.clear();
        let mut merge = false;
        let mut key = index + 1;
        while key < end {
            let at = self.nodes[key].at;
            merge |= self.is_merge(key);
            match self.name(key) {
                Some(name) => self.keys.push(Key { name: Cow::Borrowed(name), at }),
                None => self.fault(at, "expected a single value as the key, found none or a container"),
            }
            key = after(self.nodes, after(self.nodes, key));
        }
        let (keys, faults) = (&self.keys, &mut self.faults);
        self.duplicates.find(keys, |first, later| {
            faults.push(Fault::duplicate(&keys[later].name, keys[later].at, keys[first].at));
        });
        merge
    }

    /// Collects the entries of a mapping and then those that it merges in; the first of a name wins.
    fn merged(
        &mut self,
        index: usize,
        end: usize,
        seen: &mut HashSet<&'n str>,
        entries: &mut Vec<(usize, usize)>,
        depth: usize,
    ) -> Step {
        self.deep(self.nodes[index].at, depth)?;
        let mut merges = Vec::new();
        let mut key = index + 1;
        while key < end {
            self.steps += 1;
            self.budget(self.nodes[key].at)?;
            let value = after(self.nodes, key);
            if self.is_merge(key) {
                merges.push(value);
            } else if let Some(name) = self.name(key)
                && seen.insert(name)
            {
                entries.push((key, value));
            }
            key = after(self.nodes, value);
        }
        for value in merges {
            let source = self.resolve(value);
            match self.nodes[source].what {
                What::Mapping { end } => self.merged(source, end, seen, entries, depth + 1)?,
                What::Sequence { end } => {
                    let mut element = source + 1;
                    while element < end {
                        self.steps += 1;
                        self.budget(self.nodes[element].at)?;
                        let source = self.resolve(element);
                        match self.nodes[source].what {
                            What::Mapping { end } => self.merged(source, end, seen, entries, depth + 1)?,
                            _ => self.fault(self.nodes[element].at, NOT_MERGEABLE),
                        }
                        element = after(self.nodes, element);
                    }
                }
                _ => self.fault(self.nodes[value].at, NOT_MERGEABLE),
            }
        }
        Ok(())
    }

    fn scalar(&mut self, at: usize, text: &str, form: Form) {
        match scalar(text, form) {
            Ok(Scalar::Null) => self.builder.null(at),
            Ok(Scalar::Bool(value)) => self.builder.bool(at, value),
            Ok(Scalar::Integer(value)) => value.push(&mut self.builder, at),
            Ok(Scalar::Float(value)) => self.builder.float(at, value),
            Ok(Scalar::Text) => match offset_in(self.text, text) {
                Some(start) => self.builder.str_slice(Kind::Str, at, start, text.len()),
                None => self.builder.str_owned(Kind::Str, at, text),
            },
            Err(message) => {
                self.builder.str_owned(Kind::Str, at, "");
                // An alias repeats what its anchor has told.
                if self.faults.len() <= self.limits.nodes {
                    self.faults.push(Fault::of_value(at, message));
                }
            }
        }
    }

    /// The node that an alias stands for, or the node itself.
    fn resolve(&self, index: usize) -> usize {
        match self.nodes[index].what {
            What::Alias(target) => target,
            _ => index,
        }
    }

    /// A key's text: numbers, truth values and `null` are taken as they are written.
    fn name(&self, key: usize) -> Option<&'n str> {
        let nodes: &'n [Node<'_>] = self.nodes;
        match &nodes[self.resolve(key)].what {
            What::Scalar { text, form } if !text.is_empty() || *form == Form::String => Some(text),
            _ => None,
        }
    }

    fn is_merge(&self, key: usize) -> bool {
        matches!(&self.nodes[key].what, What::Scalar { text, form: Form::Plain } if text == "<<")
    }

    fn fault(&mut self, at: usize, message: impl Into<String>) {
        // An alias repeats what its anchor has told.
        if self.faults.len() <= self.limits.nodes {
            self.faults.push(Fault::new(at, message));
        }
    }

    fn budget(&self, at: usize) -> Step {
        let most = self.limits.nodes;
        if self.builder.len() + self.steps >= most {
            return Err(Fault::new(at, format!("{}, aliases expanded", Limits::too_many(most))));
        }
        Ok(())
    }

    fn deep(&self, at: usize, depth: usize) -> Step {
        if depth > self.limits.depth {
            return Err(Fault::new(at, Limits::too_deep(self.limits.depth)));
        }
        Ok(())
    }
}

const NOT_MERGEABLE: &str = "expected a table or a list of tables after `<<`, found something else";
