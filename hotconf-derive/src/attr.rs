//! Parses `#[hotconf(..)]` and `#[serde(..)]` into plain records; judges nothing but their syntax.
//!
//! Of serde's attributes those that reading depends on have serde's meaning, those that concern
//! writing or serde's own code are passed over, and all others are refused: none is ignored silently.

use crate::case::Rule;
use crate::ctxt::Ctxt;
use crate::range::Range;
use crate::types;
use crate::value::Value;
use proc_macro2::TokenTree;
use quote::ToTokens;
use std::collections::HashSet;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, ExprPath, LitStr, Path, Token, token};

/// What may stand on a struct or an enum.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) krate: Option<Path>,
    pub(crate) checks: Vec<Path>,
    pub(crate) removed: Vec<(LitStr, LitStr)>,
    pub(crate) rename_all: Option<Rule>,
    pub(crate) rename_all_fields: Option<Rule>,
    pub(crate) deny_unknown: bool,
    pub(crate) default: Option<Default>,
    pub(crate) tag: Option<LitStr>,
    /// It says so, which is refused; that it then names no tag is no second mistake.
    pub(crate) untagged: bool,
}

/// What may stand on a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) nested: Option<Path>,
    pub(crate) parse: Option<Path>,
    pub(crate) with: Option<ExprPath>,
    pub(crate) default: Option<Default>,
    pub(crate) range: Option<Range>,
    pub(crate) checks: Vec<Path>,
    pub(crate) restart: Option<Path>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) merge: Option<(Merge, LitStr)>,
    pub(crate) skip: Option<Path>,
    pub(crate) env: Option<LitStr>,
}

/// What may stand on a variant.
#[derive(Default)]
pub(crate) struct Variant {
    pub(crate) rename: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) rename_all: Option<Rule>,
    pub(crate) skip: bool,
}

/// A default, as it was given.
#[derive(Clone)]
pub(crate) enum Default {
    /// The type's `Default`.
    Trait,
    /// A function: serde's `default = "path"`.
    Call(ExprPath),
    /// A literal or an expression.
    Value(Value),
}

/// How lists of several layers are put together.
#[derive(Clone, PartialEq)]
pub(crate) enum Merge {
    Append,
    ByKey(String),
}

/// Which of the two attributes is being read.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Hotconf,
    Serde,
}

/// Calls `read` for each item of each attribute; it answers whether it knew the item.
///
/// A mistake costs its own item only: what follows is read on, so that all of them are told at once.
fn each(
    ctxt: &Ctxt,
    attrs: &[Attribute],
    place: &str,
    mut read: impl FnMut(From, &str, &ParseNestedMeta<'_>) -> syn::Result<bool>,
) {
    let mut given = HashSet::new();
    for attr in attrs {
        let from = match () {
            () if attr.path().is_ident("hotconf") => From::Hotconf,
            () if attr.path().is_ident("serde") => From::Serde,
            () => continue,
        };
        let mut item = |meta: &ParseNestedMeta<'_>| {
            let name = meta.path.to_token_stream().to_string();
            if let Some(meaning) = once(from, &name, meta)
                && !given.insert(meaning.to_owned())
            {
                return Err(meta.error(format!("`{name}` is given twice")));
            }
            if read(from, &name, meta)? {
                return Ok(());
            }
            Err(meta.error(match from {
                From::Hotconf => format!("unknown hotconf attribute `{name}` on {place}"),
                From::Serde => unsupported(&name, place),
            }))
        };
        let mut errors = None;
        let result = attr.parse_nested_meta(|meta| resume(&mut errors, &meta, item(&meta)));
        // What the attribute as a whole lacks is seldom news beside what its items do.
        if let Some(error) = errors.or(result.err()) {
            ctxt.push(error);
        }
    }
}

/// Keeps the error of an item and steps over the rest of it, to where the next one begins.
fn resume(
    errors: &mut Option<syn::Error>,
    meta: &ParseNestedMeta<'_>,
    result: syn::Result<()>,
) -> syn::Result<()> {
    let input = meta.input;
    let ends = |input: ParseStream<'_>| input.is_empty() || input.peek(Token![,]);
    let error = match result {
        Err(error) => error,
        Ok(()) if ends(input) => return Ok(()),
        Ok(()) => input.error("expected `,`"),
    };
    match errors {
        Some(errors) => errors.extend(error),
        None => *errors = Some(error),
    }
    while !(input.is_empty() || input.peek(Token![,]) && begins(input)) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Tells whether an item, or nothing more, follows the comma: one in generic arguments is no end.
fn begins(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    drop(ahead.parse::<Token![,]>());
    ahead.is_empty()
        || ahead.call(syn::Ident::parse_any).is_ok()
            && (ahead.is_empty()
                || ahead.peek(Token![,])
                || ahead.peek(token::Paren)
                || ahead.peek(Token![=]) && !ahead.peek(Token![==]))
}

/// What an item says, under one name for both attributes; `None` for what may be said again.
fn once<'n>(from: From, name: &'n str, meta: &ParseNestedMeta<'_>) -> Option<&'n str> {
    // One attribute may name the key for reading, another that for writing.
    let halved = || {
        let ahead = meta.input.fork();
        meta.input.peek(token::Paren) && !types::mentions(ahead.parse::<TokenTree>().ok(), "deserialize")
    };
    match (from, name) {
        (From::Hotconf, "check" | "removed") | (_, "alias") => None,
        // The two name two crates.
        (From::Serde, "crate") => Some("serde"),
        (From::Serde, _) if halved() => None,
        (_, "skip" | "skip_deserializing") => Some("skip"),
        (_, "with" | "deserialize_with") => Some("with"),
        (_, "deny_unknown" | "deny_unknown_fields") => Some("deny_unknown"),
        (_, name) => Some(name),
    }
}

fn unsupported(name: &str, place: &str) -> String {
    let instead = match name {
        "bound" => {
            "; the derive finds the bounds of its fields: write what else is needed after the type's own `where`"
        }
        "expecting" => "; errors of hotconf name what is expected by themselves",
        "flatten" => "; a section has all its keys in its own table: use `#[hotconf(nested)]`",
        "untagged" | "content" => "; an enum section is internally tagged: `#[serde(tag = \"type\")]`",
        "transparent" | "from" | "try_from" | "into" | "remote" => {
            "; read the type as one value: derive `Deserialize` and leave `HotConf` and `nested` out"
        }
        _ => "",
    };
    format!("hotconf does not support `#[serde({name})]` on {place}{instead}")
}

impl Container {
    pub(crate) fn read(ctxt: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut own = Self::default();
        each(ctxt, attrs, "a type", |from, name, meta| {
            match (from, name) {
                (From::Hotconf, "crate") => own.krate = Some(path(meta)?),
                (From::Hotconf, "check") => own.checks.push(path(meta)?),
                (From::Hotconf, "removed") => own.removed.extend(removed(meta)?),
                (From::Hotconf, "deny_unknown") | (From::Serde, "deny_unknown_fields") => {
                    own.deny_unknown = true;
                }
                (_, "tag") => own.tag = Some(meta.value()?.parse()?),
                (_, "rename_all") => {
                    own.rename_all = both(meta)?.as_ref().map(rule).transpose()?.or(own.rename_all);
                }
                (_, "rename_all_fields") => {
                    own.rename_all_fields =
                        both(meta)?.as_ref().map(rule).transpose()?.or(own.rename_all_fields);
                }
                (_, "default") => own.default = Some(default(from, meta)?),
                (From::Serde, "crate") => drop(meta.value()?.parse::<LitStr>()?),
                // The type's own name is in no document.
                (From::Serde, "rename") => drop(both(meta)?),
                (From::Serde, "bound") => return writing(meta),
                (From::Serde, "untagged") => {
                    own.untagged = true;
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        });
        own
    }
}

impl Variant {
    pub(crate) fn read(ctxt: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut own = Self::default();
        each(ctxt, attrs, "a variant", |from, name, meta| {
            match (from, name) {
                (_, "rename") => own.rename = both(meta)?.or(own.rename.take()),
                (_, "alias") => own.aliases.push(meta.value()?.parse()?),
                (_, "rename_all") => {
                    own.rename_all = both(meta)?.as_ref().map(rule).transpose()?.or(own.rename_all);
                }
                (_, "skip") | (From::Serde, "skip_deserializing") => own.skip = true,
                (From::Serde, "skip_serializing") => {}
                (From::Serde, "serialize_with") => drop(meta.value()?.parse::<LitStr>()?),
                (From::Serde, "bound") => return writing(meta),
                _ => return Ok(false),
            }
            Ok(true)
        });
        own
    }
}

impl Field {
    pub(crate) fn read(ctxt: &Ctxt, attrs: &[Attribute]) -> Self {
        let mut own = Self::default();
        each(ctxt, attrs, "a field", |from, name, meta| {
            match (from, name) {
                (_, "rename") => own.rename = both(meta)?.or(own.rename.take()),
                (_, "alias") => own.aliases.push(meta.value()?.parse()?),
                (_, "default") => own.default = Some(default(from, meta)?),
                (_, "skip") | (From::Serde, "skip_deserializing") => own.skip = Some(meta.path.clone()),
                (From::Hotconf, _) => return own.hotconf(name, meta),
                (From::Serde, "with") => {
                    let mut path: ExprPath = quoted(meta)?;
                    let deserialize = syn::Ident::new("deserialize", last(&path));
                    path.path.segments.push(deserialize.into());
                    own.with = Some(path);
                }
                (From::Serde, "deserialize_with") => own.with = Some(quoted(meta)?),
                (From::Serde, "skip_serializing") => {}
                (From::Serde, "skip_serializing_if" | "serialize_with") => {
                    drop(meta.value()?.parse::<LitStr>()?);
                }
                (From::Serde, "bound") => return writing(meta),
                _ => return Ok(false),
            }
            Ok(true)
        });
        own
    }

    /// What may stand on the section in a variant: nothing that would make it a field.
    pub(crate) fn judge_section(ctxt: &Ctxt, attrs: &[Attribute]) {
        each(ctxt, attrs, "the section in a variant", |from, name, meta| {
            match (from, name) {
                (From::Hotconf, "nested") | (From::Serde, "skip_serializing") => {}
                (From::Serde, "skip_serializing_if" | "serialize_with") => {
                    drop(meta.value()?.parse::<LitStr>()?);
                }
                _ => {
                    return Err(meta.error(format!(
                        "`{name}` has no place here: the section in a variant takes no attributes but `nested`"
                    )));
                }
            }
            Ok(true)
        });
    }

    /// The items that only `#[hotconf(..)]` knows.
    fn hotconf(&mut self, name: &str, meta: &ParseNestedMeta<'_>) -> syn::Result<bool> {
        match name {
            "nested" => self.nested = Some(meta.path.clone()),
            "parse" => self.parse = Some(meta.path.clone()),
            "restart" => self.restart = Some(meta.path.clone()),
            "range" => self.range = Some(meta.value()?.parse()?),
            "check" => self.checks.push(path(meta)?),
            "deprecated" => self.deprecated = Some(meta.value()?.parse()?),
            "merge" => {
                let text: LitStr = meta.value()?.parse()?;
                self.merge = Some((merge(&text)?, text));
            }
            "env" => self.env = Some(meta.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn last(path: &ExprPath) -> proc_macro2::Span {
    path.path.segments.last().map_or_else(proc_macro2::Span::call_site, |segment| segment.ident.span())
}

/// `= path`, or, as serde writes it, `= "path"`.
fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let value = meta.value()?;
    if value.peek(LitStr) { value.parse::<LitStr>()?.parse() } else { value.call(Path::parse_mod_style) }
}

fn quoted(meta: &ParseNestedMeta<'_>) -> syn::Result<ExprPath> {
    meta.value()?.parse::<LitStr>()?.parse()
}

/// `= "x"`, or `(serialize = "x", deserialize = "y")`, of which only the latter counts here.
fn both(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<LitStr>> {
    if !meta.input.peek(token::Paren) {
        return Ok(Some(meta.value()?.parse()?));
    }
    let mut found = None;
    parts(meta, |side| {
        let value: LitStr = side.value()?.parse()?;
        if side.path.is_ident("deserialize") {
            found = Some(value);
        } else if !side.path.is_ident("serialize") {
            return Err(side.error("expected `serialize` or `deserialize`"));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Passes over what concerns writing only; what concerns reading is not known.
fn writing(meta: &ParseNestedMeta<'_>) -> syn::Result<bool> {
    Ok(both(meta)?.is_none())
}

/// The items in parentheses, each of them, whatever is wrong with those before it.
fn parts(
    meta: &ParseNestedMeta<'_>,
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let mut errors = None;
    let result = meta.parse_nested_meta(|part| resume(&mut errors, &part, read(&part)));
    errors.map_or(result, Err)
}

fn rule(text: &LitStr) -> syn::Result<Rule> {
    Rule::parse(&text.value()).ok_or_else(|| {
        syn::Error::new(text.span(), format!("unknown rule, expected one of {}", Rule::names()))
    })
}

fn default(from: From, meta: &ParseNestedMeta<'_>) -> syn::Result<Default> {
    if !meta.input.peek(Token![=]) {
        return Ok(Default::Trait);
    }
    match from {
        From::Serde => quoted(meta).map(Default::Call),
        From::Hotconf => meta.value()?.parse().map(Default::Value),
    }
}

fn removed(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<(LitStr, LitStr)>> {
    let mut keys = Vec::new();
    parts(meta, |key| {
        let ident = key.path.require_ident()?;
        let name = ident.unraw().to_string();
        keys.push((LitStr::new(&name, ident.span()), key.value()?.parse()?));
        Ok(())
    })?;
    Ok(keys)
}

fn merge(text: &LitStr) -> syn::Result<Merge> {
    let value = text.value();
    let key = value.strip_prefix("by_key(").and_then(|rest| rest.strip_suffix(')'));
    match (value.as_str(), key) {
        ("append", _) => Ok(Merge::Append),
        (_, Some(key)) if !key.trim().is_empty() => Ok(Merge::ByKey(key.trim().to_owned())),
        _ => Err(syn::Error::new(text.span(), "expected `append` or `by_key(name)`")),
    }
}
