//! Typed leaves from a place of the tree, through serde.
//!
//! [`De`] is strict where the format has types (no float as an integer, no `"false"` as a boolean) and
//! reads untyped text by what the type asks for. The rule that holds: nothing is allocated before
//! something is wrong; paths, places and messages are made by [`error`] then.

mod access;
mod error;
mod named;
mod text;
mod words;

pub use error::LeafError;
pub(crate) use error::push_key;
pub(crate) use words::{excerpted, node as shown, one_of, quoted};

use super::tape::{Document, Kind};
use super::tree::{Item, Ref, Tree};
use crate::origin::Origin;
use access::{Elements, Entries, Variant};
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};
use std::fmt::Display;
use std::str::FromStr;

/// Reads one value written as a text, as the right-hand side of a TOML assignment.
///
/// Handed in from above, since formats are built on values and not the other way round.
pub(crate) type Reparse = fn(&str) -> Option<Document>;

/// A serde deserializer over one place of the tree, or over a text.
#[derive(Clone, Copy, Debug)]
pub struct De<'a> {
    pub(super) place: Place<'a>,
    pub(super) reparse: Reparse,
}

/// What a [`De`] reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    At(Ref<'a>),
    /// Untyped text that stands in no document, e.g. a default; and the tree that has the files which it may
    /// name.
    Text(&'a str, Option<&'a Tree>),
    /// A key of a table: text that is never read as anything but what is asked for.
    Key(&'a str),
}

impl<'a> De<'a> {
    pub(crate) fn new(at: Ref<'a>, reparse: Reparse) -> Self {
        Self { place: Place::At(at), reparse }
    }

    /// Reads `text` as if a source without types had said it.
    pub(crate) fn text(text: &'a str, reparse: Reparse) -> Self {
        Self { place: Place::Text(text, None), reparse }
    }

    /// The same of a text that may name files of `tree`.
    pub(crate) fn default(text: &'a str, tree: &'a Tree, reparse: Reparse) -> Self {
        Self { place: Place::Text(text, Some(tree)), reparse }
    }

    /// What stands here, for "found …".
    pub(crate) fn found(self) -> String {
        match self.place {
            Place::Text(text, _) | Place::Key(text) => quoted(text),
            Place::At(at) => match (at.kind(), at.node()) {
                (None, _) => "nothing".to_owned(),
                (Some(_), Some((doc, node))) => words::node(doc, node),
                (Some(Kind::Array), None) => "a list".to_owned(),
                (Some(_), None) => "a table".to_owned(),
            },
        }
    }

    /// Where it stands; `None` of a text without a place, and of nothing.
    pub(crate) fn origin(self) -> Option<Origin> {
        match self.place {
            Place::At(at) if !at.is_absent() => Some(at.origin()),
            _ => None,
        }
    }

    /// Tells whether it is one value that can be shown in a line.
    pub(crate) fn is_scalar(self) -> bool {
        match self.place {
            Place::Text(..) | Place::Key(_) => true,
            Place::At(at) => !matches!(at.kind(), None | Some(Kind::Array | Kind::Table)),
        }
    }

    /// Reads text, or what prints as its text, through `FromStr`.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(self) -> Result<T, LeafError> {
        if let Some(text) = self.as_str() {
            return text.parse().map_err(LeafError::custom);
        }
        match self.place {
            Place::At(at) => match (at.kind(), at.node()) {
                (None, _) => Err(LeafError::missing()),
                (Some(Kind::Bool | Kind::Int | Kind::Uint | Kind::Float), Some((doc, node))) => {
                    words::node(doc, node).parse().map_err(LeafError::custom)
                }
                _ => Err(self.mismatch("a string")),
            },
            Place::Text(..) | Place::Key(_) => Err(LeafError::missing()),
        }
    }

    /// The same, where nothing, null and an empty text are none.
    pub(crate) fn parsed_option<T: FromStr<Err: Display>>(self) -> Result<Option<T>, LeafError> {
        let none = matches!(self.place, Place::At(at) if matches!(at.kind(), None | Some(Kind::Null)));
        if none || self.untyped() == Some("") { Ok(None) } else { self.parsed().map(Some) }
    }

    /// The text, where what stands here has no type of its own.
    #[inline]
    pub(super) fn untyped(self) -> Option<&'a str> {
        match self.place {
            Place::Text(text, _) | Place::Key(text) => Some(text),
            Place::At(at) => match at.node() {
                Some((doc, node)) if doc.kind(node) == Kind::Text => Some(doc.str(node)),
                _ => None,
            },
        }
    }

    /// The text, typed as a string or without type.
    pub(super) fn as_str(self) -> Option<&'a str> {
        match self.place {
            Place::Text(text, _) | Place::Key(text) => Some(text),
            Place::At(at) => {
                let (doc, node) = at.node()?;
                matches!(doc.kind(node), Kind::Str | Kind::Text | Kind::Datetime).then(|| doc.str(node))
            }
        }
    }

    #[cold]
    fn mismatch(self, expected: &str) -> LeafError {
        LeafError::mismatch(expected, self.found())
    }
}

/// Integers: a node goes to the visitor, which checks the range; text is read first.
macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
            match self.untyped() {
                None => self.deserialize_any(visitor),
                Some(text) => text::integer(text, visitor),
            }
        }
    )*};
}

// `'de` is free: nothing is lent out, so that text can be read from a document made in between.
impl<'de> Deserializer<'de> for De<'_> {
    type Error = LeafError;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        let at = match self.place {
            Place::At(at) => at,
            Place::Text(text, _) => return text::guess(text, self, visitor),
            Place::Key(key) => return visitor.visit_str(key),
        };
        let Some((doc, node)) = at.node() else {
            return match at.item {
                Item::List { .. } => visitor.visit_seq(Elements::new(self)),
                Item::Table { .. } | Item::Section { .. } => visitor.visit_map(Entries::new(self)),
                Item::Absent | Item::Doc { .. } => Err(LeafError::missing()),
            };
        };
        match doc.kind(node) {
            Kind::Int => visitor.visit_i64(doc.int(node)),
            Kind::Str | Kind::Datetime | Kind::Key => visitor.visit_str(doc.str(node)),
            Kind::Bool => visitor.visit_bool(doc.bool(node)),
            Kind::Uint => visitor.visit_u64(doc.uint(node)),
            Kind::Float if doc.float(node).is_finite() => visitor.visit_f64(doc.float(node)),
            Kind::Float => Err(self.mismatch("a finite number")),
            Kind::Text => text::guess(doc.str(node), self, visitor),
            Kind::Array => visitor.visit_seq(Elements::new(self)),
            Kind::Table => visitor.visit_map(Entries::new(self)),
            Kind::Null => visitor.visit_unit(),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.untyped() {
            None => self.deserialize_any(visitor),
            Some(text) => match text.trim() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(LeafError::invalid_type(Unexpected::Str(text), &visitor)),
            },
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        // What is finite in a document can be infinite as `f32`, and a whole number another one.
        #[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "whether it fits is asked")]
        let fits = |x: f64, whole| if whole { f64::from(x as f32) == x } else { (x as f32).is_finite() };
        match self.number()? {
            Some((x, whole)) if fits(x, whole) => visitor.visit_f64(x),
            Some(_) => Err(self.mismatch("a number that a 32-bit float can hold")),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.number()? {
            Some((x, _)) => visitor.visit_f64(x),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.as_str() {
            Some(text) => visitor.visit_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.as_str() {
            Some(text) => visitor.visit_bytes(text.as_bytes()),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        let none = match self.place {
            Place::At(at) => matches!(at.kind(), None | Some(Kind::Null)),
            Place::Text(..) | Place::Key(_) => false,
        };
        if none || self.untyped() == Some("") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        if self.untyped() == Some("") { visitor.visit_unit() } else { self.deserialize_any(visitor) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        if matches!(name, crate::named::NAME | crate::named::SECRET_NAME) {
            return self.named(name == crate::named::SECRET_NAME, visitor);
        }
        let read = visitor.visit_newtype_struct(self);
        if name == crate::secret::NAME { read.map_err(LeafError::withheld) } else { read }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.untyped() {
            None => self.deserialize_any(visitor),
            Some(text) => text::container(text, self, "a list such as `[1, 2]`", visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, LeafError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        match self.untyped() {
            None => self.deserialize_any(visitor),
            Some(text) => text::container(text, self, "a table such as `{ key = 1 }`", visitor),
        }
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        if name == "Duration" && fields == ["secs", "nanos"] {
            return self.duration(visitor);
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, LeafError> {
        if let Some(text) = self.untyped().filter(|text| text.trim_start().starts_with('{')) {
            return text::variant(text, self, variants, visitor);
        }
        match Variant::new(self) {
            Some(variant) => visitor.visit_enum(variant),
            None => Err(self.mismatch(&words::one_of(variants))),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        visitor.visit_unit()
    }
}

impl De<'_> {
    /// Any number as a float, and whether it was written as an integer.
    ///
    /// An integer that no float holds exactly is refused: it would be another number.
    fn number(self) -> Result<Option<(f64, bool)>, LeafError> {
        if let Some(text) = self.untyped() {
            let parsed = text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
            return parsed.map(|x| Some((x, false))).ok_or_else(|| self.mismatch("a number"));
        }
        let Place::At(at) = self.place else { return Ok(None) };
        let Some((doc, node)) = at.node() else { return Ok(None) };
        let whole = match doc.kind(node) {
            Kind::Int => i128::from(doc.int(node)),
            Kind::Uint => i128::from(doc.uint(node)),
            Kind::Float if doc.float(node).is_finite() => return Ok(Some((doc.float(node), false))),
            _ => return Ok(None),
        };
        // Through `i128`, which no 64-bit integer saturates.
        #[expect(clippy::cast_precision_loss, reason = "undone and compared")]
        let float = whole as f64;
        #[expect(clippy::cast_possible_truncation, reason = "undone and compared")]
        let exact = float as i128 == whole;
        if exact { Ok(Some((float, true))) } else { Err(self.mismatch("a number that a float can hold")) }
    }

    /// A duration: text with a unit, or the table that serde writes.
    fn duration<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, LeafError> {
        const EXPECTED: &str = "a duration such as \"250ms\"";
        if let Some(text) = self.as_str() {
            let read = crate::units::parse_duration(text).map_err(|_| self.mismatch(EXPECTED))?;
            let parts = [read.as_secs(), u64::from(read.subsec_nanos())];
            return visitor.visit_seq(SeqDeserializer::new(parts.into_iter()));
        }
        match self.place {
            Place::At(at) if matches!(at.kind(), Some(Kind::Table)) => self.deserialize_any(visitor),
            Place::At(at) if at.is_absent() => Err(LeafError::missing()),
            _ => Err(self.mismatch(EXPECTED)),
        }
    }
}
