//! What all formats promise alike; what one of them alone does is tested in the folder's other files.

use super::*;
use crate::value::Kind;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

pub(super) fn read(format: Format, text: impl AsRef<[u8]>) -> Document {
    parse(format, "doc", text.as_ref()).expect("the document parses")
}

/// The problems as `line:column: message`.
pub(super) fn refusals(format: Format, text: impl AsRef<[u8]>) -> Vec<String> {
    let read = parse(format, "doc", text.as_ref());
    let problems = read.map_or_else(|problems| problems, |doc| doc.problems().to_vec());
    assert!(!problems.is_empty(), "the document is refused");
    problems
        .iter()
        .map(|problem| {
            let problem = Problem { path: String::new(), ..problem.clone() };
            problem.to_string().trim_start_matches("doc").trim_start_matches(':').trim_start().to_owned()
        })
        .collect()
}

/// What a document says, as a JSON value.
pub(super) fn plain(doc: &Document, node: u32) -> Json {
    match doc.kind(node) {
        Kind::Null => Json::Null,
        Kind::Bool => json!(doc.bool(node)),
        Kind::Int => json!(doc.int(node)),
        Kind::Uint => json!(doc.uint(node)),
        Kind::Float => json!(doc.float(node)),
        Kind::Str | Kind::Text | Kind::Datetime | Kind::Key => json!(doc.str(node)),
        Kind::Array => doc.elements(node).map(|e| plain(doc, e)).collect(),
        Kind::Table => doc.entries(node).map(|(k, v)| (doc.str(k).to_owned(), plain(doc, v))).collect(),
    }
}

pub(super) fn value(format: Format, text: &str) -> Json {
    plain(&read(format, text), Document::ROOT)
}

const ALL: [Format; 3] = [Format::Toml, Format::Yaml, Format::Json];
/// The same document in each format.
const SAME: [(Format, &str); 3] = [
    (Format::Toml, "a = 1\nb = \"x\"\n[c]\nd = [true, 2.5]\n"),
    (Format::Yaml, "a: 1\nb: x\nc:\n  d: [true, 2.5]\n"),
    (Format::Json, "{\"a\": 1,\n\"b\": \"x\",\n\"c\": {\"d\": [true, 2.5]}}\n"),
];

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    for (format, text) in SAME {
        let expected = json!({"a": 1, "b": "x", "c": {"d": [true, 2.5]}});
        for text in [text.to_owned(), format!("\u{feff}{text}"), text.replace('\n', "\r\n")] {
            let doc = read(format, &text);
            assert_eq!(plain(&doc, Document::ROOT), expected);
            let (key, b) = doc.entries(Document::ROOT).nth(1).unwrap();
            assert_eq!(doc.origin(key).to_string(), "doc:2:1");
            assert_eq!(doc.origin(b).line_number(), Some(2));
        }
    }
    let doc = read(Format::Toml, "\u{feff}a = 1");
    assert_eq!(doc.origin(1).to_string(), "doc:1:1");
}

#[test]
fn other_encodings_are_refused_by_name_and_bad_bytes_by_place() {
    for format in ALL {
        let wide: Vec<u8> = "a = 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(refusals(format, &wide), ["expected UTF-8, found UTF-16: save the file as UTF-8"]);
        let marked: Vec<u8> = "\u{feff}é".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(refusals(format, &marked), ["expected UTF-8, found UTF-16: save the file as UTF-8"]);
        let latin = refusals(format, b"a = 1\n# \xc3\xa9 caf\xe9\n");
        assert!(latin[0].starts_with("2:8: expected UTF-8"), "{latin:?}");
    }
}

#[test]
fn an_empty_document_is_an_empty_table_where_the_format_has_one() {
    for text in ["", " \n\n", "# nothing\n", "\u{feff}"] {
        assert_eq!(value(Format::Toml, text), json!({}));
        assert_eq!(value(Format::Yaml, text), json!({}));
    }
    assert_eq!(value(Format::Yaml, "---\n"), json!({}));
    assert_eq!(value(Format::Yaml, "---\n# nothing\n...\n"), json!({}));
    assert_eq!(refusals(Format::Json, " \n"), ["1:1: expected `{`, found an empty document"]);
}

#[test]
fn a_root_that_is_no_table_is_refused() {
    for text in ["[1]", "1", "\"x\"", "null"] {
        assert_eq!(refusals(Format::Yaml, text).len(), 1, "{text}");
        assert_eq!(refusals(Format::Json, text).len(), 1, "{text}");
    }
}

#[test]
fn integers_are_exact_or_refused() {
    for (number, exact) in [
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("9007199254740993", json!(9_007_199_254_740_993_u64)),
    ] {
        assert_eq!(value(Format::Toml, &format!("n = {number}"))["n"], exact);
        assert_eq!(value(Format::Yaml, &format!("n: {number}"))["n"], exact);
        assert_eq!(value(Format::Json, &format!("{{\"n\":{number}}}"))["n"], exact);
    }
    assert_eq!(value(Format::Yaml, "n: 18446744073709551615")["n"], json!(u64::MAX));
    assert_eq!(value(Format::Json, "{\"n\":18446744073709551615}")["n"], json!(u64::MAX));
    for number in ["18446744073709551616", "-9223372036854775809"] {
        assert!(
            refusals(Format::Toml, format!("n = {number}"))[0]
                .starts_with("`n` at doc:1:5: expected an integer")
        );
        assert!(
            refusals(Format::Yaml, format!("n: {number}"))[0]
                .starts_with("`n` at doc:1:4: expected an integer")
        );
        assert!(
            refusals(Format::Json, format!("{{\"n\":{number}}}"))[0]
                .starts_with("`n` at doc:1:6: expected an integer")
        );
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    for number in ["inf", "-inf", "nan", "1e400"] {
        assert!(
            refusals(Format::Toml, format!("n = {number}"))[0]
                .starts_with("`n` at doc:1:5: expected a finite")
        );
    }
    for number in [".inf", "-.Inf", ".NaN", "1e400"] {
        assert!(
            refusals(Format::Yaml, format!("n: {number}"))[0]
                .starts_with("`n` at doc:1:4: expected a finite")
        );
    }
    assert!(refusals(Format::Json, "{\"n\":-1e400}")[0].starts_with("`n` at doc:1:6: expected a finite"));
}

#[test]
fn duplicate_keys_are_refused_with_both_places() {
    assert_eq!(
        refusals(Format::Json, "{\"a\":1,\n\"\\u0061\":2}"),
        ["2:1: duplicate key `a`, first set at 1:2"]
    );
    assert_eq!(
        refusals(Format::Yaml, "b: 1\na: 1\n\"a\": 2\n"),
        ["3:1: duplicate key `a`, first set at 2:1"]
    );
    assert_eq!(refusals(Format::Toml, "b = 1\na = 1\na = 2\n"), ["3:1: duplicate key `a`, first set at 2:1"]);
    assert_eq!(
        refusals(Format::Toml, "[s]\n\"x y\" = 1\n[t]\n'x y' = 0\n\"x y\" = 2\n"),
        ["5:1: duplicate key `x y`, first set at 4:1"]
    );
    assert_eq!(
        refusals(Format::Toml, "[s]\na = 1\n[s]\nb = 2\n"),
        ["3:2: duplicate key `s`, first set at 1:2"]
    );
    assert_eq!(refusals(Format::Toml, "t = {a = 1, a = 2}"), ["1:13: duplicate key `a`, first set at 1:6"]);
}

#[test]
fn every_problem_of_a_document_is_told() {
    let json = refusals(Format::Json, "{\"a\":1e400,\n\"b\":18446744073709551616,\n\"a\":1,\n\"c\" 1}");
    assert_eq!(json.iter().map(|line| &line[..2]).collect::<Vec<_>>(), ["1:", "2:", "4:"]);
    let toml = refusals(Format::Toml, "a = \nb = 1\nb = 2\nc = [1, 2\nd = x\n");
    assert!(toml.len() >= 3 && toml[0].starts_with("1:") && toml[1].starts_with("3:"), "{toml:?}");
    let yaml = refusals(Format::Yaml, "a: .inf\nb: {c: 1, c: 2}\nd: 1e999\n");
    assert_eq!(yaml.iter().map(|line| &line[..2]).collect::<Vec<_>>(), ["`a", "2:", "`d"]);
}

#[test]
fn a_number_that_no_field_can_hold_names_its_key() {
    for (format, text, key) in [
        (Format::Toml, "[a]\nb = [1, {\"x y\" = nan}]\n", "`a.b[1].\"x y\"` at doc:2:18: "),
        (Format::Json, "{\"z\": null, \"a\": {\"b\": [null, 1e400]}}", "`a.b[1]` at doc:1:31: "),
        (Format::Yaml, "z: ~\na: {b: [1, .inf]}\n", "`a.b[1]` at doc:2:12: "),
    ] {
        assert!(refusals(format, text)[0].starts_with(key), "{:?}", refusals(format, text));
    }
}

#[test]
fn limits_are_held() {
    let limits = Limits { bytes: 100, depth: 3, nodes: 12 };
    let fails = |format, text: &str| {
        let problems = parse_with(format, "doc", text.as_bytes(), &limits).expect_err(text);
        problems[0].message().to_owned()
    };
    for (format, deep, many) in [
        (Format::Toml, "a = [[[1]]]", "a = [1,2,3,4,5,6,7,8,9,0,1,2,3]"),
        (Format::Yaml, "a: [[[1]]]", "a: [1,2,3,4,5,6,7,8,9,0,1,2,3]"),
        (Format::Json, "{\"a\":[[[1]]]}", "{\"a\":[1,2,3,4,5,6,7,8,9,0,1,2,3]}"),
    ] {
        assert!(fails(format, deep).contains("deep"), "{}", fails(format, deep));
        assert!(fails(format, many).contains("at most 12 keys"), "{}", fails(format, many));
        assert!(fails(format, &" ".repeat(101)).contains("at most 100 bytes"));
    }
}

#[test]
fn hostile_depth_is_refused_and_not_recursed_into() {
    for (format, open) in [
        (Format::Toml, "a=["),
        (Format::Toml, "a={a="),
        (Format::Toml, "a."),
        (Format::Yaml, "["),
        (Format::Yaml, "- "),
        (Format::Yaml, "{a: "),
        (Format::Yaml, "? "),
        (Format::Json, "{\"a\":"),
        (Format::Json, "["),
    ] {
        let mut text = open.repeat(100_000);
        if open == "a=[" {
            text = format!("a={}", "[".repeat(100_000));
        }
        assert!(!refusals(format, &text).is_empty());
    }
}

#[test]
fn no_problem_repeats_the_text() {
    let canary = "c4n4ry";
    for text in [
        "k = c4n4ry",
        "k = \"c4n4ry",
        "k = 'c4n4ry\nx",
        "k: !c4n4ry x",
        "k: *c4n4ry",
        "k: \"c4n4ry",
        "k: [c4n4ry",
        "{\"k\": c4n4ry}",
        "{\"k\": \"c4n4ry}",
        "{\"k\": \"\\c4n4ry\"}",
        "k: c4n4ry: x",
        "c4n4ry",
        "k = 2020-c4n4ry",
        "k = \"\\c4n4ry\"",
        "%c4n4ry\n---\n",
        "k = 0xc4n4ry",
        "[c4n4ry",
        "k: |c4n4ry",
        "k: @c4n4ry",
        "&c4n4ry *c4n4ry",
    ] {
        for format in ALL {
            if let Err(problems) = parse(format, "doc", text.as_bytes()) {
                assert!(!format!("{problems:?}").contains(canary), "{problems:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for format in ALL {
            let _ = parse(format, "doc", &bytes);
        }
    }

    #[test]
    fn no_likely_text_makes_a_parser_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", "b", "é", "=", ":", ": ", "- ", "\n", "\r\n", "  ", "\t", "[", "]", "[[", "]]", "{", "}", ",", "\"",
                "'", "\\", "\\u00e9", "\\ud83d", "#", "&x ", "*x", "<<", "!!str ", "!y ", "|", ">", "---\n", "...\n",
                "1", "-", ".", "e9", "0x", "true", "null", "~", "\u{feff}", "\0", "?", "%YAML 1.1\n", "@", "2020-01-01",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        for format in ALL {
            match parse(format, "doc", text.as_bytes()) {
                Ok(doc) => { plain(&doc, Document::ROOT); }
                Err(problems) => prop_assert!(problems.iter().all(|p| p.origin().is_some())),
            }
        }
    }
}
