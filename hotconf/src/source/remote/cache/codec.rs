//! The bytes of one generation: magic, version, what and when, values, checksum.
//!
//! Pure, and never trusting: any bytes are read in bounded time and memory, to a record or to the reason
//! why they are none. Integers are little-endian; a text is its length as `u32` and its bytes.

use crate::source::Cursor;
use crate::value::Value;

const MAGIC: &[u8; 13] = b"hotconf cache";
const VERSION: u8 = 1;
/// Tables and lists within each other, as deep as any document may be.
const DEEPEST: usize = 130;

/// What a generation holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// The source, as it names itself.
    pub(super) source: String,
    /// Where in the source's history it stands.
    pub(super) cursor: Cursor,
    /// When it was last known to be current, in seconds since 1970.
    pub(super) as_of: u64,
    /// The documents, lowest first.
    pub(super) documents: Vec<Value>,
}

/// The bytes of a record.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    put_text(&mut bytes, &record.source);
    for number in [record.cursor.epoch, record.cursor.order, record.as_of] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.push(record.cursor.token.is_some().into());
    put_text(&mut bytes, record.cursor.token.as_deref().unwrap_or_default());
    put_count(&mut bytes, record.documents.len());
    for document in &record.documents {
        put_value(&mut bytes, document);
    }
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes
}

/// The record of these bytes.
///
/// # Errors
///
/// Why they are none, as the end of a sentence.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no cache of hotconf")?;
    match rest.first() {
        Some(&VERSION) => {}
        Some(_) => return Err("another version of hotconf wrote it"),
        None => return Err(CUT),
    }
    let (content, sum) = bytes.split_last_chunk::<8>().ok_or(CUT)?;
    if checksum(content) != u64::from_le_bytes(*sum) {
        return Err("its checksum is wrong: it was damaged, or not written to its end");
    }
    let mut left = content.get(MAGIC.len() + 1..).ok_or(CUT)?;
    let left = &mut left;
    let source = text(left)?;
    let (epoch, order, as_of) = (number(left)?, number(left)?, number(left)?);
    let has_token = byte(left)? != 0;
    let token = Some(text(left)?.into_boxed_str()).filter(|_| has_token);
    let documents = (0..count(left)?).map(|_| value(left, 0)).collect::<Result<_, _>>()?;
    if !left.is_empty() {
        return Err("something follows its end");
    }
    Ok(Record { source, cursor: Cursor { epoch, order, token }, as_of, documents })
}

const CUT: &str = "it ends too early";

/// FNV-1a, 64 bits (Fowler, Noll, Vo): against damage, not against an adversary, who could write the file anew.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("a document is smaller than its limit, which is below 4 GiB");
    bytes.extend(count.to_le_bytes());
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_count(bytes, text.len());
    bytes.extend(text.as_bytes());
}

fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(0),
        Value::Bool(b) => bytes.push(1 + u8::from(*b)),
        Value::Integer(n) => {
            bytes.push(3);
            bytes.extend(n.to_le_bytes());
        }
        Value::Float(f) => {
            bytes.push(4);
            bytes.extend(f.to_le_bytes());
        }
        Value::String(s) => {
            bytes.push(5);
            put_text(bytes, s);
        }
        Value::Text(s) => {
            bytes.push(6);
            put_text(bytes, s);
        }
        Value::Array(elements) => {
            bytes.push(7);
            put_count(bytes, elements.len());
            for element in elements {
                put_value(bytes, element);
            }
        }
        Value::Table(entries) => {
            bytes.push(8);
            put_count(bytes, entries.len());
            for (key, inside) in entries {
                put_text(bytes, key);
                put_value(bytes, inside);
            }
        }
    }
}

fn take<'b>(left: &mut &'b [u8], count: usize) -> Result<&'b [u8], &'static str> {
    let (taken, rest) = left.split_at_checked(count).ok_or(CUT)?;
    *left = rest;
    Ok(taken)
}

fn chunk<const N: usize>(left: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (taken, rest) = left.split_first_chunk::<N>().ok_or(CUT)?;
    *left = rest;
    Ok(*taken)
}

fn byte(left: &mut &[u8]) -> Result<u8, &'static str> {
    chunk::<1>(left).map(|[byte]| byte)
}

fn number(left: &mut &[u8]) -> Result<u64, &'static str> {
    chunk(left).map(u64::from_le_bytes)
}

/// How many follow. Each takes a byte at least, so that no count makes memory be taken that is not there.
fn count(left: &mut &[u8]) -> Result<usize, &'static str> {
    let count = u32::from_le_bytes(chunk(left)?) as usize;
    if count > left.len() { Err(CUT) } else { Ok(count) }
}

fn text(left: &mut &[u8]) -> Result<String, &'static str> {
    let length = count(left)?;
    let text = std::str::from_utf8(take(left, length)?);
    text.map(str::to_owned).map_err(|_| "a text in it is not UTF-8")
}

fn value(left: &mut &[u8], depth: usize) -> Result<Value, &'static str> {
    if depth > DEEPEST {
        return Err("it is deeper than any document");
    }
    Ok(match byte(left)? {
        0 => Value::Null,
        tag @ (1 | 2) => Value::Bool(tag == 2),
        3 => Value::Integer(i128::from_le_bytes(chunk(left)?)),
        4 => Value::Float(f64::from_le_bytes(chunk(left)?)),
        5 => Value::String(text(left)?),
        6 => Value::Text(text(left)?),
        7 => {
            let count = count(left)?;
            Value::Array((0..count).map(|_| value(left, depth + 1)).collect::<Result<_, _>>()?)
        }
        8 => {
            let count = count(left)?;
            let entries = (0..count).map(|_| Ok((text(left)?, value(left, depth + 1)?)));
            Value::Table(entries.collect::<Result<_, &'static str>>()?)
        }
        _ => return Err("a value in it is of no kind"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i128>().prop_map(Value::Integer),
            proptest::num::f64::NORMAL.prop_map(Value::Float),
            any::<String>().prop_map(Value::String),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((any::<String>(), inner), 0..5).prop_map(Value::Table),
            ]
        })
    }

    fn record(documents: Vec<Value>) -> Record {
        let cursor = Cursor { epoch: 7, order: 9, token: Some("\"tag\"".into()) };
        Record { source: "etcd http://a".into(), cursor, as_of: 1_700_000_000, documents }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(documents in proptest::collection::vec(values(), 0..3)) {
            let record = record(documents);
            prop_assert_eq!(decode(&encode(&record)).unwrap(), record);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), whole in any::<bool>()) {
            if whole {
                let mut framed = MAGIC.to_vec();
                framed.push(VERSION);
                framed.append(&mut bytes);
                framed.extend(checksum(&framed).to_le_bytes());
                bytes = framed;
            }
            let _ = decode(&bytes);
        }

        #[test]
        fn every_damage_is_found(at in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<bool>()) {
            let mut bytes = encode(&record(vec![Value::Table(vec![("a".into(), Value::Integer(5))])]));
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            prop_assert!(decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_count_that_is_too_high_takes_no_memory() {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(u32::MAX.to_le_bytes());
        bytes.extend(checksum(&bytes).to_le_bytes());
        assert_eq!(decode(&bytes).unwrap_err(), CUT);
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // The vectors of the FNV page: the empty text, "a", "foobar".
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
