//! Judges what was read: what contradicts itself, what cannot be a section, what collides.
//!
//! Each check is headed by the rule that it enforces.

use crate::attr::Default;
use crate::ctxt::Ctxt;
use crate::model::{Body, Content, Field, Input};
use crate::value::Literal;
use crate::{range, types, units};
use std::collections::HashMap;
use syn::{Lit, Type};

pub(crate) fn check(ctxt: &Ctxt, input: &Input) {
    lifetimes(ctxt, input);
    tag(ctxt, input);
    recursion(ctxt, input);
    for field in input.fields() {
        skipped(ctxt, field);
        nested(ctxt, field);
        reading(ctxt, field);
        literal(ctxt, field);
        bounds(ctxt, field);
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
        (Body::Enum(_), None) => ctxt.error(
            &input.ident,
            "an enum section says which key names the variant: add `#[serde(tag = \"type\")]`; \
             to read the enum as one value, derive serde's `Deserialize` instead",
        ),
        (Body::Struct(_), Some(tag)) => ctxt.error(tag, "`tag` is for enums"),
        _ => {}
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

/// A literal default suits a primitive type. Other types are left to the compiler, or to the first load.
fn literal(ctxt: &Ctxt, field: &Field) {
    let Some(Default::Value(value)) = &field.attrs.default else { return };
    let ty = types::option(&field.ty).unwrap_or(&field.ty);
    let Some(name) = types::name(ty) else { return };
    let Some(Literal { negative, lit }) = value.literal() else { return };
    if let Some((least, greatest)) = types::integer(ty) {
        let Lit::Int(int) = lit else {
            if !matches!(lit, Lit::Str(_)) {
                ctxt.error(value, format!("the default of a `{name}` is an integer"));
            }
            return;
        };
        let fits = int
            .base10_parse::<u128>()
            .is_ok_and(|digits| if *negative { digits <= least.unsigned_abs() } else { digits <= greatest });
        if !fits {
            ctxt.error(value, format!("the default does not fit `{name}`: {least} to {greatest}"));
        }
        return;
    }
    let expected = match (name.as_str(), lit) {
        (_, Lit::Str(_))
        | ("f32" | "f64", Lit::Int(_) | Lit::Float(_))
        | ("bool", Lit::Bool(_))
        | ("char", Lit::Char(_)) => return,
        ("f32" | "f64", _) => "a number",
        ("bool", _) => "`true` or `false`",
        ("char", _) => "a character",
        ("String", _) => "a text",
        ("Duration", Lit::Int(_) | Lit::Float(_)) => "a text with a unit, such as \"5s\"",
        _ => return,
    };
    ctxt.error(value, format!("the default of a `{name}` is {expected}"));
}

/// The bounds of a number, a duration or a size are one. Those of other types are left to the first load.
fn bounds(ctxt: &Ctxt, field: &Field) {
    let Some(range) = &field.attrs.range else { return };
    if field.is_nested() || field.attrs.parse.is_some() || field.attrs.with.is_some() {
        return;
    }
    let ty = types::option(&field.ty).unwrap_or(&field.ty);
    let Some(name) = types::name(ty) else { return };
    for bound in range::bounds(&range.text).into_iter().flatten().filter(|bound| !bound.is_empty()) {
        let wrong = if let Some((least, greatest)) = types::integer(ty) {
            let fits = match bound.strip_prefix('-') {
                Some(digits) => digits.parse::<u128>().is_ok_and(|digits| digits <= least.unsigned_abs()),
                None => bound.parse::<u128>().is_ok_and(|digits| digits <= greatest),
            };
            (!fits).then(|| format!("an integer from {least} to {greatest}"))
        } else {
            match name.as_str() {
                "f32" | "f64" => (!bound.parse::<f64>().is_ok_and(f64::is_finite)).then(|| "a number".into()),
                "Duration" => (!units::is_duration(bound)).then(|| "a duration such as `250ms`".into()),
                "ByteSize" => (!units::is_size(bound)).then(|| "a size such as `64MiB`".into()),
                _ => None,
            }
        };
        if let Some(expected) = wrong {
            ctxt.error(&range.tokens, format!("the bound `{bound}` of a `{name}` is not {expected}"));
        }
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
