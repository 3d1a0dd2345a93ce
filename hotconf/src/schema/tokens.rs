//! Compile-checked names of fields.
