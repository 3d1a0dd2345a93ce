//! Many documents, in order, into one tree: later ones override earlier ones.
//!
//! [`stack`] knows which documents each source gives at present, [`merge`] puts them together,
//! [`unknown`] says what is wrong with a key that no field has, and [`explain`] tells afterwards who
//! said what; [`overlays`] are parts of documents that hold on some instances only; [`graft`] is the tree of what runs while restart fields wait. Pure: no I/O, no clock, no
//! lock; nothing of a document is copied.

pub(crate) mod explain;
mod graft;
pub(crate) mod merge;
mod missing;
mod overlays;
#[cfg(test)]
mod samples;
pub(crate) mod stack;
mod unknown;

pub use explain::{Candidate, Explanation, Explanations};
pub(crate) use explain::{
    add_hides, explain, explain_all, fingerprint, is_same, moved_paths, origin_of, rendered,
};
pub(crate) use graft::{graft, has_new_restart};
pub(crate) use merge::{Policy, merge};
pub(crate) use missing::tell_missing;
pub(crate) use stack::Stack;
