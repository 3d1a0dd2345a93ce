//! stub
mod derive;
