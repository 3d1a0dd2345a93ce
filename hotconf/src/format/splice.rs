//! A text that differs from the one before in a single value: that value alone is parsed.
//!
//! This takes the place of the full parse only where both make the same document, to the last offset:
//!
//! 1. All that differs lies within the token of one scalar value of the document before, which had no
//!    problems. What stands before and behind it is the same text, so it is read the same way.
//! 2. The old and the new token each are one scalar by themselves, on one line, from the first byte to
//!    the last. Behind a scalar stands no more than a blank, a comment, a bracket or a comma, so that
//!    the token cannot go on into what follows.
//! 3. Neither has an escape: the arena of strings that had them stays as it is.
//!
//! Whatever else there may be is declined, and parsed as a whole. YAML is always declined: how its plain
//! scalars read depends on what stands around them.

use super::{Format, text};
use crate::value::{Document, Kind};

/// The document that `bytes` are, if all that changed since `before` is one scalar.
///
/// `before` was parsed in the same format and within the same limits, and `bytes` are within the limit
/// of size.
pub(super) fn splice(format: Format, bytes: &[u8], before: &Document) -> Option<Document> {
    let (old, new) = (before.text(), text::without_mark(bytes));
    if format == Format::Yaml || !before.problems().is_empty() {
        return None;
    }
    let head = common_head(old.as_bytes(), new);
    let tail = common_tail(&old.as_bytes()[head..], &new[head..]);
    let (node, place) = before.scalar_around(head..old.len() - tail)?;
    scalar(format, old.get(place.clone())?)?;
    let behind = old.len() - place.end;
    let token = std::str::from_utf8(new.get(place.start..new.len() - behind)?).ok()?;
    Some(before.with_scalar(node, place, &scalar(format, token)?))
}

/// The document of one node that `token` is, if it is one scalar from the first byte to the last.
fn scalar(format: Format, token: &str) -> Option<Document> {
    if token.contains(['\n', '\r']) {
        return None;
    }
    let doc = match format {
        #[cfg(feature = "toml")]
        Format::Toml => super::toml::scalar(token)?,
        #[cfg(feature = "json")]
        Format::Json => super::json::scalar(token)?,
        _ => return None,
    };
    let is_scalar = !matches!(doc.kind(Document::ROOT), Kind::Table | Kind::Array | Kind::Key);
    (is_scalar && doc.is_plain()).then_some(doc)
}

/// So many bytes are compared at once, by the fastest means that the machine has.
const CHUNK: usize = 256;

/// How many bytes both begin with.
fn common_head(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.chunks_exact(CHUNK).zip(b.chunks_exact(CHUNK));
    let whole = CHUNK * chunks.take_while(|(a, b)| a == b).count();
    whole + a[whole..].iter().zip(&b[whole..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes both end with.
fn common_tail(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.rchunks_exact(CHUNK).zip(b.rchunks_exact(CHUNK));
    let whole = CHUNK * chunks.take_while(|(a, b)| a == b).count();
    let rest = |s: &[u8]| s.len() - whole;
    let (a, b) = (&a[..rest(a)], &b[..rest(b)]);
    whole + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

#[cfg(all(test, feature = "json", feature = "toml", feature = "yaml"))]
mod tests {
    use super::super::{Limits, parse, parse_again, parse_with};
    use super::*;
    use crate::error::Problem;
    use proptest::prelude::*;

    fn read(format: Format, text: &[u8]) -> Option<Document> {
        parse(format, "doc", text).ok().filter(|doc| doc.problems().is_empty())
    }

    fn said(problems: &[Problem]) -> String {
        format!("{problems:?}")
    }

    /// Whether `after` is read from `before`; if so it is what the full parse makes of it.
    fn spliced(format: Format, before: &[u8], after: &[u8]) -> bool {
        let before = read(format, before).expect("the document before has no problems");
        let Some(spliced) = splice(format, after, &before) else { return false };
        let whole = read(format, after).expect("what is spliced parses as a whole, too");
        assert!(spliced.is_identical(&whole), "{:?}", String::from_utf8_lossy(after));
        true
    }

    const TOML: &str = "# head\na = 1\nb = \"x,y\" # é\n[t.u]\nc = [1, 2.5, 'q' , true]\n\
        d = { e = 2020-01-01 10:00:00, f.g = \"\\n\" }\n[[l]]\nk = 0xff\n[[l]]\nk=\"\"\n[t]\n\"y z\" = 07:32:00#c\n";
    const JSON: &str =
        "{\"a\": 1, \"b\": [null, -2.5e3,\"x\"],\n \"c\":{\"d\":true , \"\\n\":\"\\u0041\"}, \"e\": \"é\"}";

    #[test]
    fn one_changed_value_is_spliced() {
        for (old, new) in [
            ("a = 1\n", "a = 12\n"),
            ("a = 1\n", "a = \"on\"\n"),
            ("a = 1\n", "a = true\n"),
            ("x,y", ""),
            ("\"x,y\" #", "'' #"),
            ("2.5", "1979-05-27 07:32:00"),
            ("'q' ", "'é' "),
            ("10:00:00", "11:30:00"),
            ("0xff", "1_000"),
            ("\"\"", "\"\"\"b\"\"\""),
            ("07:32:00#", "1#"),
        ] {
            assert!(spliced(Format::Toml, TOML.as_bytes(), TOML.replacen(old, new, 1).as_bytes()), "{new}");
            let marked = format!("\u{feff}{}", TOML.replacen(old, new, 1));
            assert!(spliced(Format::Toml, TOML.as_bytes(), marked.as_bytes()), "{new}");
        }
        for (old, new) in [
            ("1", "18446744073709551615"),
            ("null", "\"null\""),
            ("-2.5e3", "null"),
            ("\"x\"", "\"\""),
            ("true ", "false "),
            ("é", "ü"),
        ] {
            assert!(spliced(Format::Json, JSON.as_bytes(), JSON.replacen(old, new, 1).as_bytes()), "{new}");
        }
    }

    #[test]
    fn whatever_is_more_than_one_value_is_declined() {
        for (old, new) in [
            ("a = 1\n", "a = 1 # more\n"),
            ("a = 1\n", "a = 1\nz = 2\n"),
            ("a = 1\n", "a = [1]\n"),
            ("a = 1\n", "a = {}\n"),
            ("a = 1\n", "aa = 1\n"),
            ("a = 1\n", "a = \n"),
            ("a = 1\n", "a = 1 = 1\n"),
            ("a = 1\n", "a = 99999999999999999999\n"),
            ("a = 1\n", "a = inf\n"),
            ("[1, 2.5", "[1, 7, 2.5"),
            ("'q' ", "'q\n' "),
            ("'q' ", "'''q\n''' "),
            ("'q' ", "\"\\n\" "),
            ("# head", "# tail"),
            ("\"\\n\"", "\"n\""),
        ] {
            assert!(!spliced(Format::Toml, TOML.as_bytes(), TOML.replacen(old, new, 1).as_bytes()), "{new}");
        }
        for (old, new) in
            [("1", "1,\"z\":2"), ("1", "[1]"), ("1", "01"), ("1", "1 "), ("\"x\"", "\"\\u0041\"")]
        {
            assert!(!spliced(Format::Json, JSON.as_bytes(), JSON.replacen(old, new, 1).as_bytes()), "{new}");
        }
        assert!(!spliced(Format::Yaml, b"a: 1\nb: ~\n", b"a: 2\nb: ~\n"));
        assert!(!spliced(Format::Yaml, b"b:", b"b: 1"));
    }

    #[test]
    fn the_limit_of_size_and_the_name_are_held() {
        let before = parse(Format::Toml, "doc", b"a = 1").expect("toml");
        let limits = Limits { bytes: 6, ..Limits::default() };
        let again = |name, text: &[u8]| parse_again(Format::Toml, name, text, &limits, Some(&before));
        assert!(again("doc", b"a = 12").expect("within the limit").spliced);
        assert!(!again("other", b"a = 12").expect("within the limit").spliced);
        let told = again("doc", b"a = 123").expect_err("it is too large");
        let whole = parse_with(Format::Toml, "doc", b"a = 123", &limits).expect_err("it is too large");
        assert_eq!(said(&told), said(&whole));
    }

    #[test]
    fn a_document_with_a_problem_is_parsed_as_a_whole() {
        let before = parse(Format::Toml, "doc", b"a = nan\nb = 1\n").expect("one value is wrong");
        assert!(splice(Format::Toml, b"a = nan\nb = 2\n", &before).is_none());
    }

    /// Tokens, whole and broken, of both formats.
    fn known() -> Vec<&'static str> {
        vec![
            "1",
            "-7",
            "2.5",
            "1e3",
            "true",
            "false",
            "null",
            "\"x\"",
            "'x'",
            "\"\"",
            "''",
            "\"é, # x\"",
            "0xff",
            "1_000",
            "2020-01-01",
            "2020-01-01 10:00:00",
            "07:32:00",
            "inf",
            "1e400",
            "99999999999999999999",
            "\"\\n\"",
            "\"\"\"x\"\"\"",
            "\"\"\"\nx\"\"\"",
            "'''x'''",
            "\"",
            "'",
            "\"\"\"",
            "[1]",
            "{}",
            "{a=1}",
            "",
            " ",
            "1 # c",
            "#",
            "\n",
            "1\nz = 1",
            "\r\n",
            "\r",
            "\u{feff}1",
            "\0",
            "=",
            "=1",
            ",",
            "1,2",
            "]",
            "}",
            ".5",
            "1.",
            "+1",
            "a",
            "a.b",
            "\\",
            "1 2",
            "10:00:00",
            "/",
            "//",
        ]
    }

    fn token() -> impl Strategy<Value = String> {
        let known = prop::sample::select(known());
        prop_oneof![
            6 => known.prop_map(str::to_owned),
            1 => any::<i64>().prop_map(|n| n.to_string()),
            1 => (-1e9..1e9).prop_map(|n: f64| n.to_string()),
            1 => "[a-z \"'#,\\\\]{0,6}",
        ]
    }

    fn good(format: Format) -> impl Strategy<Value = String> {
        let is_good = |token: &&str| {
            let text = match format {
                Format::Json => format!("{{\"a\":{token}}}"),
                _ => format!("a = {token}\n"),
            };
            read(format, text.as_bytes()).is_some_and(|doc| doc.count(Document::ROOT) == 1)
        };
        let known: Vec<_> = known().into_iter().filter(is_good).collect();
        prop_oneof![
            prop::sample::select(known).prop_map(str::to_owned),
            any::<i64>().prop_map(|n| n.to_string())
        ]
    }

    fn toml() -> impl Strategy<Value = String> {
        let value = || good(Format::Toml);
        let array = prop::collection::vec(value(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,")));
        let inline = (value(), value()).prop_map(|(a, b)| format!("{{x = {a}, y.z={b} }}"));
        let line = (0..4_usize, prop_oneof![4 => value(), 1 => array, 1 => inline], 0..4_usize).prop_map(
            |(eq, value, end)| {
                format!(
                    "{}{value}{}",
                    ["=", " = ", "\t=", ".k = "][eq],
                    ["\n", " # c, \"\n", "\r\n", "#\n"][end]
                )
            },
        );
        prop::collection::vec((0..6_usize, line), 1..8)
            .prop_map(|lines| {
                let mut text = String::from("# é\n");
                for (i, (kind, line)) in lines.iter().enumerate() {
                    let head = match kind {
                        0 => format!("[t{i}]\n"),
                        1 => "[[list]]\n".to_owned(),
                        2 => format!("[a.\"b {i}\"]\n"),
                        3 => format!("[list.s{i}]\n"),
                        _ => String::new(),
                    };
                    text.push_str(&format!("{head}k{i}{line}"));
                }
                text
            })
            .prop_filter("it parses", |text| read(Format::Toml, text.as_bytes()).is_some())
    }

    fn json() -> impl Strategy<Value = String> {
        let value = good(Format::Json).prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,"))),
                prop::collection::vec(inner, 0..4).prop_map(|all| {
                    let entries = all.iter().enumerate().map(|(i, value)| format!("\"\\u0041{i}\": {value}"));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(",\n"))
                }),
            ]
        });
        (value, good(Format::Json)).prop_map(|(a, b)| format!("{{\"é\" :{a}, \"b\":{b}\n}}\n"))
    }

    /// Where an edit begins and ends, in thousandths of the text; and what it puts there.
    fn edit() -> impl Strategy<Value = (usize, usize, String)> {
        (0..=1000_usize, 0..6_usize, token())
    }

    /// An edit anywhere; or the token of some value replaced.
    fn edited(before: &Document, text: &str, edit: &(usize, usize, String), whole: bool) -> Vec<u8> {
        let (at, len, new) = edit;
        let at = text.len() * at / 1000;
        let place = match before.scalar_around(at..at) {
            Some((_, place)) if whole => place,
            _ => at..(at + len).min(text.len()),
        };
        [&text.as_bytes()[..place.start], new.as_bytes(), &text.as_bytes()[place.end..]].concat()
    }

    fn holds(format: Format, text: &str, edits: &[(usize, usize, String)], whole: bool) {
        let mut text = text.to_owned();
        let mut doc = read(format, text.as_bytes()).expect("it parses");
        for edit in edits {
            let bytes = edited(&doc, &text, edit, whole);
            spliced(format, text.as_bytes(), &bytes);
            // On, from what was spliced: the next edit meets offsets that were moved.
            let again = parse_again(format, "doc", &bytes, &Limits::default(), Some(&doc));
            match (again, parse(format, "doc", &bytes)) {
                (Ok(again), Ok(full)) if full.problems().is_empty() => {
                    assert!(again.doc.is_identical(&full), "{:?}", String::from_utf8_lossy(&bytes));
                    (doc, text) = (again.doc, String::from_utf8(bytes).expect("it parsed"));
                    text = text.trim_start_matches('\u{feff}').to_owned();
                }
                (Ok(again), Ok(full)) => assert_eq!(said(again.doc.problems()), said(full.problems())),
                (Err(again), Err(full)) => assert_eq!(said(&again), said(&full)),
                (again, full) => panic!("{:?} and {:?}", again.is_ok(), full.is_ok()),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_spliced_toml_is_the_parsed_one(
            text in toml(),
            edits in prop::collection::vec(edit(), 1..6),
            whole in any::<bool>(),
        ) {
            holds(Format::Toml, &text, &edits, whole);
        }

        #[test]
        fn a_spliced_json_is_the_parsed_one(
            text in json(),
            edits in prop::collection::vec(edit(), 1..6),
            whole in any::<bool>(),
        ) {
            holds(Format::Json, &text, &edits, whole);
        }
    }
}
