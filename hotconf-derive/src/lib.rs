//! The derive macro of hotconf. Use it through `hotconf`, which documents its attributes.
//!
//! `attr` parses attributes, `model` holds what was read, `check` judges it, `expand` writes code;
//! `ctxt` collects the errors of all of them. Only this file knows `proc_macro`.
#![forbid(unsafe_code)]

mod attr;
mod case;
mod check;
mod ctxt;
mod expand;
mod fallback;
mod model;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct or an internally tagged enum a section of configuration.
///
/// The attributes are described at `hotconf::HotConf`.
#[proc_macro_derive(HotConf, attributes(hotconf, serde))]
pub fn derive_hotconf(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let ctxt = ctxt::Ctxt::new();
    let model = model::Input::read(&ctxt, &input);
    check::check(&ctxt, &model);
    match ctxt.finish() {
        Ok(()) => expand::expand(&model),
        Err(errors) => fallback::expand(&model, &errors),
    }
    .into()
}
