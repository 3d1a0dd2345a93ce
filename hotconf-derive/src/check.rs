//! Judges what was read: what contradicts itself, what cannot be a section, what collides.
//!
//! Each check is headed by the rule that it enforces.

use crate::attr::{Default, Merge};
use crate::ctxt::Ctxt;
use crate::model::{Body, Content, Field, Input};
use crate::{types, values};
use std::collections::HashMap;
use syn::Type;

pub(crate) fn check(ctxt: &Ctxt, input: &Input) {
    lifetimes(ctxt, input);
    tag(ctxt, input);
    recursion(ctxt, input);
    for field in input.fields() {
        skipped(ctxt, field);
        nested(ctxt, field);
        reading(ctxt, field);
        values::check(ctxt, field);
        merged(ctxt, field);
    }
    match &input.body {
        Body::Struct(fields) => names(ctxt, fields, None, &input.attrs.removed),
        Body::Enum(variants) => {
            let tag = input.attrs.tag.as_ref().map(syn::LitStr::value);
            for variant in variants.iter().filter(|variant| !variant.skip) {
                names(ctxt, variant.fields(), tag.as_deref(), &input.attrs.removed);
            }
            tags(ctxt, input);
        }
        Body::Other => {}
    }
}

/// A configuration owns its values.
fn lifetimes(ctxt: &Ctxt, input: &Input) {
    for lifetime in input.generics.lifetimes() {
        ctxt.error(lifetime, "a section owns its values and has no lifetime parameters");
    }
}

/// An enum has a tag, and only an enum has one.
fn tag(ctxt: &Ctxt, input: &Input) {
    match (&input.body, &input.attrs.tag) {
        (Body::Enum(_), None) if !input.attrs.untagged => ctxt.error(
            &input.ident,
            "an enum section says which key names the variant: add `#[serde(tag = \"type\")]`; \
             to read the enum as one value, derive serde's `Deserialize` instead",
        ),
        (Body::Struct(_), Some(tag)) => ctxt.error(tag, "`tag` is for enums"),
        _ => {}
    }
    if matches!(input.body, Body::Struct(_)) && input.attrs.rename_all_fields.is_some() {
        ctxt.error(
            &input.ident,
            "`rename_all_fields` is for enums; the fields of a struct follow `rename_all`",
        );
    }
    if let (Body::Enum(_), Some(_)) = (&input.body, &input.attrs.default) {
        ctxt.error(&input.ident, "an enum section has no default of its own; give its fields defaults");
    }
}

/// A section does not contain itself: its fields could not be numbered.
fn recursion(ctxt: &Ctxt, input: &Input) {
    let own = |ty: &Type| types::path_ends(types::section(ty), &input.ident);
    let report = |ty: &Type| {
        let message = format!(
            "the section `{0}` contains itself; remove `nested` to read the field as one value",
            input.ident
        );
        ctxt.error(ty, message);
    };
    for field in input.fields() {
        if field.is_nested() && own(&field.ty) {
            report(&field.ty);
        }
    }
    if let Body::Enum(variants) = &input.body {
        for variant in variants {
            if let Content::Section(ty) = &variant.shape
                && own(ty)
            {
                report(ty);
            }
        }
    }
}

/// A skipped field is no setting: only its default matters.
fn skipped(ctxt: &Ctxt, field: &Field) {
    let attrs = &field.attrs;
    let Some(skip) = &attrs.skip else { return };
    let setting = attrs.nested.is_some()
        || attrs.parse.is_some()
        || attrs.range.is_some()
        || attrs.restart.is_some()
        || attrs.env.is_some()
        || attrs.merge.is_some()
        || attrs.deprecated.is_some()
        || !attrs.checks.is_empty();
    if setting {
        ctxt.error(skip, "a skipped field is never read from a source: of the other attributes only `default` goes with `skip`");
    }
}

/// A section is read field by field: what concerns one value does not apply.
fn nested(ctxt: &Ctxt, field: &Field) {
    let attrs = &field.attrs;
    let Some(nested) = &attrs.nested else { return };
    if let Some(range) = &attrs.range {
        ctxt.error(&range.tokens, "`range` is for one value; this field is `nested`");
    }
    if let Some(parse) = &attrs.parse {
        ctxt.error(parse, "a field is either `nested` or `parse`");
    }
    if attrs.with.is_some() {
        ctxt.error(nested, "a field is either `nested` or read by a function (`with`)");
    }
    if let Some(env) = &attrs.env {
        ctxt.error(env, "`env` is for one value; name the fields of the section instead");
    }
    if let Some(Default::Value(value)) = &attrs.default
        && value.literal().is_some()
    {
        ctxt.error(value, "the default of a section is an expression of its type, or `default` alone");
    }
    if let Some(why) = types::uncontained(&field.ty) {
        let message = format!("{why}; a section may be in an `Option`, a `Vec`, or a map from `String`");
        ctxt.error(&field.ty, message);
    }
    if let Type::Path(path) = types::section(&field.ty)
        && path.path.is_ident("Secret")
    {
        ctxt.error(&field.ty, "a secret is one value; remove `nested`");
    }
}

/// A value is read in one way.
fn reading(ctxt: &Ctxt, field: &Field) {
    if let (Some(parse), Some(_)) = (&field.attrs.parse, &field.attrs.with) {
        ctxt.error(parse, "a field is read either by `parse` or by a function (`with`)");
    }
}

/// Lists of several layers are put together where there are lists, by a key where their items have keys.
fn merged(ctxt: &Ctxt, field: &Field) {
    let Some((merge, text)) = &field.attrs.merge else { return };
    if field.attrs.with.is_some() || field.attrs.parse.is_some() {
        return;
    }
    let (ty, written) = (types::value(&field.ty), types::text(&field.ty));
    let is_list = match types::form(ty) {
        Some(form) => form == "List",
        // A type of the user's may be a list; a section is none.
        None => !field.is_nested(),
    };
    if !is_list {
        ctxt.error(text, format!("`merge` is for lists, not for `{written}`"));
    } else if let (Merge::ByKey(_), Some(item)) = (merge, types::item(ty))
        && matches!(types::form(item), Some("Text" | "Scalar" | "List"))
    {
        let message = format!("the items of a `{written}` have no keys to be merged by; use `append`");
        ctxt.error(text, message);
    }
}

/// A key means one field.
fn names(ctxt: &Ctxt, fields: &[Field], tag: Option<&str>, removed: &[(syn::LitStr, syn::LitStr)]) {
    let mut taken: HashMap<String, String> = HashMap::new();
    if let Some(tag) = tag {
        taken.insert(tag.to_owned(), "the enum's tag".to_owned());
    }
    for field in fields.iter().filter(|field| !field.is_skipped()) {
        let owner = format!("field `{}`", field.ident);
        match taken.get(&field.name) {
            Some(other) => match &field.attrs.rename {
                Some(rename) => ctxt.error(rename, format!("the key `{}` already means {other}", field.name)),
                None => ctxt.error(&field.ident, format!("the key `{}` already means {other}", field.name)),
            },
            None => drop(taken.insert(field.name.clone(), owner.clone())),
        }
        for alias in &field.attrs.aliases {
            match taken.get(&alias.value()) {
                Some(other) => {
                    ctxt.error(alias, format!("the key `{}` already means {other}", alias.value()));
                }
                None => drop(taken.insert(alias.value(), owner.clone())),
            }
        }
    }
    for (key, _) in removed {
        if let Some(other) = taken.get(&key.value()) {
            ctxt.error(key, format!("the removed key `{}` still means {other}", key.value()));
        }
    }
}

/// A tag's value means one variant.
fn tags(ctxt: &Ctxt, input: &Input) {
    let Body::Enum(variants) = &input.body else { return };
    let mut taken: HashMap<&str, &syn::Ident> = HashMap::new();
    for variant in variants.iter().filter(|variant| !variant.skip) {
        for name in std::iter::once(&variant.name).chain(&variant.aliases) {
            if let Some(other) = taken.insert(name, &variant.ident) {
                ctxt.error(&variant.ident, format!("the tag `{name}` already means the variant `{other}`"));
            }
        }
    }
}
