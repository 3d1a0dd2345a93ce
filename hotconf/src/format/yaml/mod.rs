//! YAML 1.2 → tape.
//!
//! [`events`] reads one document into a flat list of nodes, aliases still unexpanded; [`core`] says
//! what a plain scalar is; [`emit`] expands aliases and merge keys into the tape, within the limits.

mod core;
mod emit;
mod events;

use super::{Limits, Read};
use crate::value::Builder;
use std::borrow::Cow;

/// Parses `text`, whose root must be a mapping; a document without content is an empty table.
pub(super) fn parse(name: &str, text: &str, limits: &Limits) -> Read {
    let nodes = events::read(text, limits).map_err(|fault| vec![fault])?;
    emit::emit(Builder::new(name, text.to_owned()), text, &nodes, limits)
}

/// One node of the document as it is written.
#[derive(Debug)]
struct Node<'t> {
    /// Byte offset.
    at: usize,
    what: What<'t>,
}

#[derive(Debug)]
enum What<'t> {
    Scalar {
        text: Cow<'t, str>,
        form: Form,
    },
    /// Children follow: elements, or keys and values in turn; `end` is the index just past them.
    Sequence {
        end: usize,
    },
    Mapping {
        end: usize,
    },
    /// Stands for the node at this index.
    Alias(usize),
}

/// How a scalar's text is to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// By the core schema.
    Plain,
    /// As it is: quoted, block, or tagged as a string.
    String,
    /// As its tag says.
    Null,
    Bool,
    Int,
    Float,
}

/// Index just past the node at `index` and all that is in it.
fn after(nodes: &[Node<'_>], index: usize) -> usize {
    match nodes[index].what {
        What::Sequence { end } | What::Mapping { end } => end,
        What::Scalar { .. } | What::Alias(_) => index + 1,
    }
}

// The helpers read all formats.
#[cfg(all(test, feature = "json", feature = "toml", feature = "yaml"))]
mod tests;
