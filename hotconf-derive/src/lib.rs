//! The derive macro of hotconf. Use it through `hotconf`, which documents its attributes.
//!
//! `attr` parses attributes, `model` holds what was read, `check` judges it, `expand` writes code;
//! `ctxt` collects the errors of all of them. Only this file knows `proc_macro`.
#![forbid(unsafe_code)]
// Two pieces of code side by side, `Some => quote!(..), None => quote!(..)`, read best as a match.
#![allow(clippy::single_match_else)]

mod attr;
mod case;
mod check;
mod ctxt;
mod expand;
mod fallback;
mod model;
mod range;
mod types;
mod units;
mod value;
mod values;
mod worth;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct or an internally tagged enum a section of configuration.
///
/// A section is a struct with named fields, or an enum with `#[serde(tag = "..")]` whose variants have
/// named fields, one section, or nothing. Doc comments are the documentation of the settings. The
/// derive adds `FIELDS`, the tokens of the fields, to the type.
///
/// A field without `nested` is a leaf: one value that serde reads
/// (`DeserializeOwned + PartialEq + Clone + Send + Sync + 'static`). It is required, unless it is an
/// `Option` or has a default. Integers of documents are exact over all of `i64` and `u64`, and refused
/// beyond; the rest of an `i128` or `u128` comes from its default, from `set` and from sources of untyped
/// text, such as the environment.
///
/// | on a field | |
/// |---|---|
/// | `nested` | a section, or an `Option`, `Vec`, `HashMap<String, _>` or `BTreeMap<String, _>` of sections |
/// | `parse` | read by `FromStr` instead of serde |
/// | `default` | the type's `Default`; `default = 3`, `default = "5s"` (read as a source's text), `default = f()` |
/// | `range = "1ms..=10m"`, `range = 1..=10` | bounds, read by the field's own type |
/// | `check = path` | a function `fn(&T) -> Result<(), impl Display>`; may be repeated |
/// | `restart` | a change applies on restart only |
/// | `rename = ".."`, `alias = ".."` | the key, and other keys that mean it |
/// | `deprecated = ".."` | a source that sets it is warned about, with this hint |
/// | `merge = "append"`, `merge = "by_key(name)"` | how lists of several layers are put together |
/// | `env = "NAME"` | an environment variable that is used as it is; not below a list or a map of sections |
/// | `skip` | no setting: the field is its default |
///
/// | on the type | |
/// |---|---|
/// | `check = path` | a check across fields, `fn(&Self) -> Result<(), impl Display>`; may be repeated |
/// | `removed(name = "hint")` | a key that once was a setting |
/// | `deny_unknown` | unknown keys are refused here |
/// | `default`, `rename_all`, `tag` | as in serde |
/// | `crate = path` | where `hotconf` is found, if it is renamed |
///
/// Of serde's attributes `rename`, `rename_all`, `rename_all_fields`, `alias`, `default`, `skip`,
/// `skip_deserializing`, `with`, `deserialize_with`, `tag` and `deny_unknown_fields` mean what they mean
/// there; those that concern writing only, and `crate` and `rename` on the type, which concern serde's own
/// code, are passed over; all others are refused. An attribute stands once, be it in `hotconf` or in `serde`;
/// on the section in a variant, `B(Section)`, there is none but `nested`.
///
/// Defaults and ranges of numbers, durations, sizes and addresses are judged at compile time where they are
/// literals; those of other types when the configuration is first loaded.
///
/// A leaf is secret if its type mentions `Secret`, whatever that is, or may hold hotconf's under another name. A
/// type that is not std's or hotconf's is asked: it reads itself from samples when the configuration starts,
/// and is secret unless it was seen to make no secret. Names of std's types are taken at their word.
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
