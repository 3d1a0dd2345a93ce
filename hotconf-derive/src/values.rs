//! Judges defaults and ranges, as far as the types are known and the values are literals.
//!
//! Each check is headed by the rule that it enforces. The rest is the compiler's, or the first load's.

use crate::attr::Default;
use crate::ctxt::Ctxt;
use crate::model::Field;
use crate::range::{self, Range};
use crate::types;
use crate::value::Literal;
use crate::worth::{Kind, Worth};
use syn::Lit;

pub(crate) fn check(ctxt: &Ctxt, field: &Field) {
    if field.is_nested() {
        return;
    }
    let kind = Kind::of(&field.ty);
    let default = literal(ctxt, field, kind.as_ref());
    if let Some(range) = &field.attrs.range {
        let bounds = bounds(ctxt, field, range, kind.as_ref());
        within(ctxt, field, range, bounds, default);
    }
}

/// A default is a value of its field. Answers what it is worth.
fn literal(ctxt: &Ctxt, field: &Field, kind: Option<&Kind>) -> Option<Worth> {
    let value = match &field.attrs.default {
        Some(Default::Value(value)) => value,
        Some(Default::Trait) if !is_own(field) => {
            return types::default(&field.ty).and_then(Result::ok).and_then(|text| kind?.read(text));
        }
        _ => return None,
    };
    let name = types::name(types::value(&field.ty))?;
    let Literal { lit, .. } = value.literal()?;
    let expected = match (kind, name.as_str(), lit) {
        (_, _, Lit::Str(_)) if is_own(field) => return None,
        // A text of nothing is `None`.
        (_, _, Lit::Str(text)) if text.value().is_empty() && types::option(&field.ty).is_some() => {
            return None;
        }
        (Some(Kind::Integer { .. }), _, Lit::Str(_) | Lit::Int(_))
        | (Some(Kind::Real { .. }), _, Lit::Str(_) | Lit::Int(_) | Lit::Float(_))
        | (Some(Kind::Bool), _, Lit::Str(_) | Lit::Bool(_))
        | (Some(Kind::Char), _, Lit::Str(_) | Lit::Char(_))
        | (Some(Kind::Duration | Kind::Size | Kind::Address { .. }), _, Lit::Str(_)) => {
            let (kind, shown) = (kind?, value.shown()?);
            let worth = kind.read(&shown);
            if worth.is_none() {
                let expected = kind.expected();
                ctxt.error(value, format!("the default `{shown}` of a `{name}` is not {expected}"));
            }
            return worth;
        }
        (Some(Kind::Integer { .. }), ..) => "an integer",
        (Some(Kind::Real { .. }), ..) => "a number",
        (Some(Kind::Bool), ..) => "`true` or `false`",
        (Some(Kind::Char), ..) => "a character",
        (Some(Kind::Duration), _, Lit::Int(_) | Lit::Float(_)) => "a text with a unit, such as \"5s\"",
        (None, "String", lit) if !matches!(lit, Lit::Str(_)) => "a text",
        _ => return None,
    };
    ctxt.error(value, format!("the default of a `{name}` is {expected}"));
    None
}

/// A bound is a value of its field, and lists, maps and secrets have none.
fn bounds(ctxt: &Ctxt, field: &Field, range: &Range, kind: Option<&Kind>) -> [Option<Worth>; 2] {
    if is_own(field) {
        return [None; 2];
    }
    if matches!(types::form(&field.ty), Some("List" | "Map")) {
        let message = format!("`range` is for one value; hold a `{}` to a `check`", types::text(&field.ty));
        ctxt.error(&range.tokens, message);
        return [None; 2];
    }
    if types::mentions(&field.ty, "FileContent") || types::mentions(&field.ty, "SecretFile") {
        ctxt.error(
            &range.tokens,
            "the content of a file has no order: hold it to a `check` instead of a `range`",
        );
        return [None; 2];
    }
    if types::mentions(&field.ty, "Secret") {
        ctxt.error(&range.tokens, "a secret has no order: hold it to a `check` instead of a `range`");
        return [None; 2];
    }
    let (Some(kind), Some(name)) = (kind, types::name(types::value(&field.ty))) else { return [None; 2] };
    range::bounds(&range.text).unwrap_or_default().map(|bound| {
        let worth = Some(bound).filter(|bound| !bound.is_empty()).map(|bound| kind.read(bound))?;
        if worth.is_none() {
            let expected = kind.expected();
            ctxt.error(&range.tokens, format!("the bound `{bound}` of a `{name}` is not {expected}"));
        }
        worth
    })
}

/// Some value is in a range, and the default is one of them.
fn within(ctxt: &Ctxt, field: &Field, range: &Range, bounds: [Option<Worth>; 2], default: Option<Worth>) {
    let [low, high] = bounds;
    let inclusive = range.text.contains("..=");
    let above = |value: Worth| low.is_none_or(|low| value >= low);
    let below = |value: Worth| high.is_none_or(|high| if inclusive { value <= high } else { value < high });
    let Range { text, tokens } = range;
    if low.is_some_and(|low| low != Worth::Some && !below(low)) {
        ctxt.error(tokens, format!("no value is in the range `{text}`"));
    } else if let (Some(value), Some(given)) = (default, &field.attrs.default)
        && value != Worth::Some
        && !(above(value) && below(value))
    {
        match given {
            Default::Value(given) => {
                let shown = given.shown().unwrap_or_default();
                ctxt.error(given, format!("the default `{shown}` is outside of the range `{text}`"));
            }
            _ => ctxt.error(tokens, format!("the default is outside of the range `{text}`")),
        }
    }
}

/// Whether a function of the user's reads the field: it may read any form.
fn is_own(field: &Field) -> bool {
    field.attrs.parse.is_some() || field.attrs.with.is_some()
}
