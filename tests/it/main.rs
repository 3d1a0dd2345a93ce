//! The tests of behaviour, through the public API; one file a stage.

mod structure;
