//! A deserializer that says what it is asked for, so that a type reads all of itself.
//!
//! Each enum is asked for its next variant every time, until all were read; where a type looks at its input
//! before it decides, nothing can be told of what it would make of another one.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What a text may have to be: a type that takes none of them stays in doubt. One names a password, for
/// types that look for it.
const TEXTS: [&str; 10] = [
    "a",
    "",
    "1",
    "https://user:word@host.example:1/path?query=1",
    "/a",
    "a/b",
    "0.0.0.0:1",
    "a@b.example",
    "1.0.0",
    "2000-01-01T00:00:00Z",
];

/// More readings than that are not worth the time.
const RUNS: usize = 512;

/// Deeper than that a type is taken to hold itself.
const DEPTH: usize = 16;

/// Tells whether a type reads all of itself, whatever it makes, from one of the samples.
///
/// All are tried: one that is taken says nothing of what another makes.
pub(super) fn opens(read: &mut dyn FnMut(Probe<'_>) -> bool) -> bool {
    let mut open = false;
    for text in TEXTS {
        open |= reads_all(text, read);
    }
    open
}

/// The same of a type that reads a text.
pub(super) fn parses(read: &mut dyn FnMut(&str) -> bool) -> bool {
    let mut open = false;
    for text in TEXTS {
        open |= read(text);
    }
    open
}

fn reads_all(text: &'static str, read: &mut dyn FnMut(Probe<'_>) -> bool) -> bool {
    let run = Run { text, doubt: Cell::new(false), enums: RefCell::default() };
    for _ in 0..RUNS {
        let took = read(Probe { run: &run, path: Path { above: None, step: 0 } });
        if !took || run.doubt.get() {
            return false;
        }
        if run.enums.borrow().values().all(|(next, len)| next >= len) {
            return true;
        }
    }
    false
}

/// What the readings of one sample share.
struct Run {
    text: &'static str,
    /// The type looked at its input before it decided.
    doubt: Cell<bool>,
    /// Of the enum at a path: how many variants were asked for, and how many there are.
    enums: RefCell<BTreeMap<Vec<usize>, (usize, usize)>>,
}

/// A place in the type.
#[derive(Clone, Copy)]
pub(super) struct Probe<'p> {
    run: &'p Run,
    path: Path<'p>,
}

/// The way to a place, as the numbers of fields and variants.
#[derive(Clone, Copy)]
struct Path<'p> {
    above: Option<&'p Path<'p>>,
    step: usize,
}

impl Path<'_> {
    fn steps(&self) -> Vec<usize> {
        let mut steps: Vec<_> =
            std::iter::successors(Some(self), |path| path.above).map(|path| path.step).collect();
        steps.reverse();
        steps
    }
}

impl Probe<'_> {
    /// What stands at `step` below it goes to `seed`.
    fn below<'de, S: DeserializeSeed<'de>>(&self, step: usize, seed: S) -> Result<S::Value, Error> {
        if std::iter::successors(Some(&self.path), |path| path.above).count() > DEPTH {
            return Err(Error::custom("too deep"));
        }
        seed.deserialize(Probe { run: self.run, path: Path { above: Some(&self.path), step } })
    }
}

/// What is asked for in one way and given in one way.
macro_rules! given {
    ($($method:ident $visit:ident $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    given! {
        deserialize_bool visit_bool true;
        deserialize_i8 visit_i8 1;
        deserialize_i16 visit_i16 1;
        deserialize_i32 visit_i32 1;
        deserialize_i64 visit_i64 1;
        deserialize_i128 visit_i128 1;
        deserialize_u8 visit_u8 1;
        deserialize_u16 visit_u16 1;
        deserialize_u32 visit_u32 1;
        deserialize_u64 visit_u64 1;
        deserialize_u128 visit_u128 1;
        deserialize_f32 visit_f32 1.0;
        deserialize_f64 visit_f64 1.0;
        deserialize_char visit_char 'a';
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.run.doubt.set(true);
        visitor.visit_str(self.run.text)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // A table that takes the keys of another one: which those are it does not say.
        self.deserialize_any(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.run.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.run.text)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.run.text.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.run.text.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if matches!(name, crate::named::NAME | crate::named::SECRET_NAME) {
            return crate::named::hand(std::sync::Arc::default(), || visitor.visit_newtype_struct(self));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { probe: self, next: 0, len: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts { probe: self, next: 0, len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entry { probe: self, given: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Keys { probe: self, fields, next: 0 })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(last) = variants.len().checked_sub(1) else { return Err(Error::custom("no variant")) };
        let at = {
            let mut enums = self.run.enums.borrow_mut();
            let (next, _) = enums.entry(self.path.steps()).or_insert((0, variants.len()));
            *next += 1;
            (*next - 1) % (last + 1)
        };
        visitor.visit_enum(Variant { probe: self, at, name: variants[at] })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The elements of a list or a tuple.
struct Parts<'p> {
    probe: Probe<'p>,
    next: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if self.next == self.len {
            return Ok(None);
        }
        self.next += 1;
        self.probe.below(self.next, seed).map(Some)
    }
}

/// The one entry of a map.
struct Entry<'p> {
    probe: Probe<'p>,
    given: bool,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if std::mem::replace(&mut self.given, true) { Ok(None) } else { self.probe.below(0, seed).map(Some) }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.probe.below(1, seed)
    }
}

/// The fields of a struct.
struct Keys<'p> {
    probe: Probe<'p>,
    fields: &'static [&'static str],
    next: usize,
}

impl<'de> MapAccess<'de> for Keys<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(key) = self.fields.get(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(text(key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.probe.below(self.next, seed)
    }
}

/// One variant of an enum.
struct Variant<'p> {
    probe: Probe<'p>,
    at: usize,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((seed.deserialize(text(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.probe.below(self.at, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        let path = Path { above: Some(&self.probe.path), step: self.at };
        Probe { run: self.probe.run, path }.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let path = Path { above: Some(&self.probe.path), step: self.at };
        Probe { run: self.probe.run, path }.deserialize_struct("", fields, visitor)
    }
}

fn text(name: &'static str) -> StrDeserializer<'static, Error> {
    name.into_deserializer()
}
