//! Real servers: found, started, broken and stopped.
