//! What is accepted: a pure core that decides, and leaves the doing to the engine.
//!
//! Each source has one *accepted* document. Documents of one window are offered together, and are
//! accepted or set aside together. A candidate takes the newest document of every source; if it is
//! refused and older set-aside documents were in it, it is tried once more from the accepted ones and
//! the newcomers alone. So one broken file never blocks a remote change, and it is tried again
//! whenever anything changes.
//!
//! What is desired is loaded from the accepted documents; what runs is the same with every restart field
//! as it was at process start. Where the first fails, the candidate is refused; where only the second
//! fails, the whole change is pending.
//!
//! Files that a setting names are one more source, of which the document is the contents of all. A candidate
//! that names one which is not at hand is held until they are read, within [`window::FETCH`]: it is
//! then judged again, with whatever else came meanwhile. If it is refused because one of the files is broken, the
//! others are tried without it.
//!
//! `(Input, now) → Vec<Effect>`: no clock, no I/O, no lock, no thread; `D` is whatever stands for a document.
//! [`words`] are the inputs and effects; [`accept`] holds the documents and decides; [`window`] says when the
//! next candidate is due, and who asked for it; [`standing`] says how each source is doing; [`pending`] what
//! waits for a restart; [`first`] which sources a start needs. Instants come in with the inputs and go out as [`Effect::WakeAt`], so that whatever is
//! due at an instant (the end of a window, of a reload, and of anything else that is given an end) is
//! decided here and can be tested by a table.

mod accept;
mod first;
mod pending;
mod standing;
#[cfg(test)]
mod tests;
mod window;
mod words;

pub(crate) use accept::Control;
pub(crate) use first::{Asked, First, first};
pub(crate) use words::{Answer, Document, Effect, Good, Input, Judged, News, Refusal, Runs, Standing};
