//! The resuming core, through stores that do what it is hardest to be right about.
