//! What is accepted: a pure core that decides, and leaves the doing to the engine.
//!
//! Each source has one *accepted* document. Documents of one window are offered together, and are
//! accepted or set aside together. A candidate takes the newest document of every source; if it is
//! refused and older set-aside documents were in it, it is tried once more from the accepted ones and
//! the newcomers alone. So one broken file never blocks a remote change, and it is tried again
//! whenever anything changes.
//!
//! `(Input, now) → Vec<Effect>`: no clock, no I/O, no lock. `D` is whatever stands for a document.

mod accept;
mod pending;

pub(crate) use accept::{Control, Effect, Input, Judged};
pub(crate) use pending::Pending;
