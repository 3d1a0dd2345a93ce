//! What a program hands in, as an untyped [`Value`]; and a value as text.
//!
//! A `Duration` becomes text with a unit, so that its field reads it as it would read a document.

use super::Value;
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::{self, Display};
use std::time::Duration;

impl Value {
    /// Makes a value of anything that serde can write.
    ///
    /// # Errors
    ///
    /// What the type's own `Serialize` refuses; a float that is not finite; a key that is no text.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        value.serialize(Writer)
    }
}

/// Why something could not be made a [`Value`].
#[derive(Debug)]
pub(crate) struct ValueError(String);

impl std::error::Error for ValueError {}

impl Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Under this name [`Value::Text`] finds its way back through a serializer.
const TEXT: &str = "$hotconf::Text";

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Integer(n) => match (i64::try_from(*n), u64::try_from(*n)) {
                (Ok(n), _) => serializer.serialize_i64(n),
                (_, Ok(n)) => serializer.serialize_u64(n),
                _ => serializer.serialize_i128(*n),
            },
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::String(s) => serializer.serialize_str(s),
            Self::Text(s) => serializer.serialize_newtype_struct(TEXT, s),
            Self::Array(elements) => elements.serialize(serializer),
            Self::Table(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl Display for Value {
    /// Writes the value as it would stand in a line of TOML.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::String(s) => write!(f, "{s:?}"),
            Self::Text(s) => f.write_str(s),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (i, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Table(entries) if entries.is_empty() => f.write_str("{}"),
            Self::Table(entries) => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    let mut name = String::new();
                    super::path::append(&mut name, key);
                    write!(f, "{} {name} = {value}", if i > 0 { "," } else { "{" })?;
                }
                f.write_str(" }")
            }
        }
    }
}

macro_rules! from {
    ($($variant:ident: $($from:ty)*;)*) => {$($(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*)*};
}

from! {
    Bool: bool;
    Integer: i8 i16 i32 i64 i128 u8 u16 u32 u64;
    Float: f32 f64;
    String: &str String;
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The serializer.
struct Writer;

macro_rules! integers {
    ($($method:ident $ty:ty,)*) => {$(
        fn $method(self, n: $ty) -> Result<Value, ValueError> {
            Ok(Value::Integer(n.into()))
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    integers! {
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
    }

    fn serialize_u128(self, n: u128) -> Result<Value, ValueError> {
        // Beyond what a value holds as a number, its digits are what the field's type reads.
        Ok(i128::try_from(n).map_or_else(|_| Value::Text(n.to_string()), Value::Integer))
    }

    fn serialize_bool(self, b: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(b))
    }

    fn serialize_f32(self, x: f32) -> Result<Value, ValueError> {
        self.serialize_f64(x.into())
    }

    fn serialize_f64(self, x: f64) -> Result<Value, ValueError> {
        if x.is_finite() { Ok(Value::Float(x)) } else { Err(ValueError::custom("expected a finite number")) }
    }

    fn serialize_char(self, c: char) -> Result<Value, ValueError> {
        Ok(Value::String(c.into()))
    }

    fn serialize_str(self, s: &str) -> Result<Value, ValueError> {
        Ok(Value::String(s.to_owned()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Array(bytes.iter().map(|&b| b.into()).collect()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        match value.serialize(self)? {
            Value::String(text) if name == TEXT => Ok(Value::Text(text)),
            value => Ok(value),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        Ok(tagged(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List, ValueError> {
        Ok(List { elements: Vec::with_capacity(len.unwrap_or(0)), variant: None })
    }

    fn serialize_tuple(self, len: usize) -> Result<List, ValueError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<List, ValueError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List, ValueError> {
        Ok(List { elements: Vec::with_capacity(len), variant: Some(variant) })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries, ValueError> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Entries, ValueError> {
        Ok(Entries { duration: name == "Duration" && len == 2, ..Entries::default() })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Entries, ValueError> {
        Ok(Entries { variant: Some(variant), ..Entries::default() })
    }
}

fn tagged(variant: &str, value: Value) -> Value {
    Value::Table(vec![(variant.to_owned(), value)])
}

/// A list that is being written.
struct List {
    elements: Vec<Value>,
    variant: Option<&'static str>,
}

impl List {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.elements.push(value.serialize(Writer)?);
        Ok(())
    }

    fn finish(self) -> Value {
        let list = Value::Array(self.elements);
        self.variant.map_or_else(|| list.clone(), |variant| tagged(variant, list.clone()))
    }
}

/// A table that is being written.
#[derive(Default)]
struct Entries {
    entries: Vec<(String, Value)>,
    key: Option<String>,
    variant: Option<&'static str>,
    /// May be serde's form of a `Duration`.
    duration: bool,
}

impl Entries {
    fn push<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), ValueError> {
        self.entries.push((key.to_owned(), value.serialize(Writer)?));
        Ok(())
    }

    fn finish(self) -> Value {
        if let (true, [(secs, Value::Integer(s)), (nanos, Value::Integer(n))]) =
            (self.duration, &*self.entries)
            && let ("secs", "nanos", Ok(s), Ok(n)) = (&**secs, &**nanos, u64::try_from(*s), u32::try_from(*n))
        {
            return Value::String(crate::units::print_duration(Duration::new(s, n)).to_string());
        }
        match self.variant {
            Some(variant) => tagged(variant, Value::Table(self.entries)),
            None => Value::Table(self.entries),
        }
    }
}

macro_rules! lists {
    ($($writer:ident $method:ident,)*) => {$(
        impl $writer for List {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.push(value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.finish())
            }
        }
    )*};
}

lists! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field,
}

macro_rules! tables {
    ($($writer:ident)*) => {$(
        impl $writer for Entries {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.push(key, value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.finish())
            }
        }
    )*};
}

tables! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Entries {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(match key.serialize(Writer)? {
            Value::String(key) | Value::Text(key) => key,
            Value::Integer(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            other => return Err(ValueError::custom(format_args!("expected text as a key, found {other}"))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take().expect("serde writes a key before its value");
        self.push(&key, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(self.finish())
    }
}
