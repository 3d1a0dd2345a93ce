//! The story: events, status, tracing. Stages return facts; the engine hands them here.

mod bus;
mod event;
mod status;
pub(crate) mod trace;

pub use bus::Events;
pub(crate) use bus::{Bus, Listener};
pub use event::{Applied, Event, FieldChange, RestartRequired, SourceDown, SourceUp, Warning};
pub(crate) use status::Board;
pub use status::{Counters, SourceState, SourceStatus, Status};
