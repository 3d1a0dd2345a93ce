//! The encoding of Protocol Buffers, as far as etcd's messages need it: variable-length numbers, and fields
//! with a length.
//!
//! Pure. It reads what anybody may have sent: every length is compared with what is there before anything is
//! taken, nothing is allocated on the word of a length, and fields that nobody asks for are passed over, as
//! the standard wants it. The two deprecated kinds of groups are refused.

use super::wire::Malformed;
use bytes::{Buf, Bytes};

/// The value of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A number, a truth value, or one name of several.
    Number(u64),
    /// Text, bytes, or a message within the message.
    Bytes(Bytes),
    /// Eight or four bytes, of which we use none.
    Fixed,
}

/// Reads the fields of a message, in the order in which they were sent.
pub(super) struct Fields(Bytes);

impl Fields {
    pub(super) fn of(message: Bytes) -> Self {
        Self(message)
    }

    /// The next field: its number and its value.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Value)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.fixed(8)?,
            2 => {
                let len = usize::try_from(self.number()?).map_err(|_| Malformed::Cut)?;
                Value::Bytes(self.take(len)?)
            }
            5 => self.fixed(4)?,
            _ => return Err(Malformed::Kind),
        };
        if tag >> 3 == 0 { Err(Malformed::Kind) } else { Ok(Some((tag >> 3, value))) }
    }

    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let &byte = self.0.first().ok_or(Malformed::Cut)?;
            self.0.advance(1);
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                return if shift == 63 && byte > 1 { Err(Malformed::Number) } else { Ok(number) };
            }
        }
        Err(Malformed::Number)
    }

    fn take(&mut self, len: usize) -> Result<Bytes, Malformed> {
        if len > self.0.len() { Err(Malformed::Cut) } else { Ok(self.0.split_to(len)) }
    }

    fn fixed(&mut self, len: usize) -> Result<Value, Malformed> {
        self.take(len).map(|_| Value::Fixed)
    }
}

impl Value {
    pub(super) fn number(self) -> Result<u64, Malformed> {
        if let Self::Number(number) = self { Ok(number) } else { Err(Malformed::Kind) }
    }

    /// A number with a sign; etcd's revisions and lengths are none below zero, except in a marker.
    pub(super) fn signed(self) -> Result<i64, Malformed> {
        Ok(self.number()?.cast_signed())
    }

    pub(super) fn truth(self) -> Result<bool, Malformed> {
        Ok(self.number()? != 0)
    }

    pub(super) fn bytes(self) -> Result<Bytes, Malformed> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed::Kind) }
    }

    /// Text for a person: what is no UTF-8 is marked.
    pub(super) fn text(self) -> Result<String, Malformed> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }
}

/// Writes a number field; zero is left out, as the standard has it.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        put_varint(out, field << 3);
        put_varint(out, number);
    }
}

/// Writes a field of bytes, which may be a message; an empty one too.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(message: &[u8]) -> Result<Vec<(u64, Value)>, Malformed> {
        let mut fields = Fields::of(Bytes::copy_from_slice(message));
        let mut read = Vec::new();
        while let Some(field) = fields.next()? {
            read.push(field);
        }
        Ok(read)
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(read(&[0x08, 0x96, 0x01]), Ok(vec![(1, Value::Number(150))]));
        let testing = [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67];
        assert_eq!(read(&testing), Ok(vec![(2, Value::Bytes("testing".into()))]));
        let minus_two = [8, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(read(&minus_two).unwrap().remove(0).1.signed(), Ok(-2));
    }

    #[test]
    fn what_is_longer_than_what_is_there_is_refused() {
        assert_eq!(read(&[0x12, 0x07, 0x74]), Err(Malformed::Cut));
        assert_eq!(
            read(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            Err(Malformed::Cut)
        );
        assert_eq!(read(&[0x08]), Err(Malformed::Cut));
        assert_eq!(read(&[0x09, 1, 2, 3]), Err(Malformed::Cut));
    }

    #[test]
    fn numbers_of_more_than_64_bits_groups_and_field_zero_are_refused() {
        assert_eq!(
            read(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
            Err(Malformed::Number)
        );
        assert_eq!(
            read(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
            Err(Malformed::Number)
        );
        assert_eq!(read(&[0x0b]), Err(Malformed::Kind));
        assert_eq!(read(&[0x00, 0x01]), Err(Malformed::Kind));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(fields in prop::collection::vec((1..1000_u64, 1..=u64::MAX, any::<Vec<u8>>()), 0..8)) {
            let mut written = Vec::new();
            for (field, number, bytes) in &fields {
                put_number(&mut written, *field, *number);
                put_bytes(&mut written, *field, bytes);
            }
            let expected: Vec<_> = fields
                .into_iter()
                .flat_map(|(field, number, bytes)| [(field, Value::Number(number)), (field, Value::Bytes(bytes.into()))])
                .collect();
            prop_assert_eq!(read(&written), Ok(expected));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = read(&bytes);
        }
    }
}
