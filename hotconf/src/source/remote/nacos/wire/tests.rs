//! The wire's own claims: what is written, what is read, and that no bytes are more than they say.

use super::*;
use crate::source::SourceErrorKind;

fn place(data: &str, namespace: &str) -> Place {
    Place { data: data.into(), group: "DEFAULT_GROUP".into(), namespace: namespace.into() }
}

fn told(head: Head<'_>, body: &[u8]) -> Result<Told, SourceError> {
    read(&head, body, &place("shop", ""))
}

fn ok() -> Head<'static> {
    Head { status: 200, ..Head::default() }
}

fn document(head: Head<'_>, body: &[u8], data: &str) -> Content {
    match read(&head, body, &place(data, "")).unwrap() {
        Told::Document(content) => content,
        told => panic!("{told:?}"),
    }
}

#[test]
fn a_line_of_the_listener_has_its_fields_in_the_servers_order() {
    let digest = "9358f2568f3316fe7e78a4fa7707c414";
    let public = place("shop.toml", "").listen(digest, None);
    assert_eq!(*public, format!("Listening-Configs=shop.toml%02DEFAULT_GROUP%02{digest}%01"));
    let own = place("shop.toml", "ns-1").listen(digest, None);
    assert_eq!(*own, format!("Listening-Configs=shop.toml%02DEFAULT_GROUP%02{digest}%02ns-1%01"));
    let absent = place("shop.toml", "ns-1").listen("", Some("a+b"));
    assert_eq!(*absent, "Listening-Configs=shop.toml%02DEFAULT_GROUP%02%02ns-1%01&accessToken=a%2Bb");
}

#[test]
fn a_question_names_the_namespace_only_where_there_is_one() {
    assert_eq!(
        *place("a:b.toml", "").target("/nacos", None),
        "/nacos/v1/cs/configs?dataId=a%3Ab.toml&group=DEFAULT_GROUP"
    );
    assert_eq!(
        *place("a", "n").target("", Some("t/")),
        "/v1/cs/configs?dataId=a&group=DEFAULT_GROUP&tenant=n&accessToken=t%2F"
    );
}

#[test]
fn names_that_a_server_would_misread_are_refused() {
    for data in ["", "a b", "a/b", "a%2F", "a+b", "ä", "a\u{2}b"] {
        assert_eq!(place(data, "").check().unwrap_err().kind(), SourceErrorKind::Invalid, "{data:?}");
    }
    let none = Place { group: "".into(), ..place("a", "") };
    assert!(none.check().is_err() && place("a", "b c").check().is_err());
    assert!(place("com.shop:app_1-x.yaml", "8c0fd2a0-2f2c").check().is_ok());
}

#[test]
fn an_empty_answer_of_the_listener_is_no_change_and_one_that_names_us_is_one() {
    let own = place("shop.toml", "ns1");
    assert!(!own.is_changed(b"").unwrap() && !own.is_changed(b"\r\n").unwrap());
    // As the server writes it, with the namespace, without it, and behind others.
    for body in [
        "shop.toml%02DEFAULT_GROUP%02ns1%01\n",
        "shop.toml%02DEFAULT_GROUP%01\n",
        "other%02DEFAULT_GROUP%01shop.toml%02DEFAULT_GROUP%02ns1%01",
    ] {
        assert!(own.is_changed(body.as_bytes()).unwrap(), "{body}");
    }
    for body in ["<html>", "shop%02DEFAULT_GROUP%01", "%", "%zz", "shop.toml%02OTHER%01", "\u{fffd}"] {
        let error = own.is_changed(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Invalid, "{body}");
    }
}

#[test]
fn a_status_says_whether_there_is_a_document() {
    let told = |status, body: &[u8]| told(Head { status, ..Head::default() }, body);
    assert_eq!(told(404, b"config data not exist\n").unwrap(), Told::Nothing);
    assert_eq!(told(409, b"requested file is being modified").unwrap(), Told::Busy);
    for status in [201, 204, 304, 400, 401, 403, 429, 500, 503] {
        assert_eq!(told(status, b"a = 1").unwrap(), Told::Refusal, "{status}");
    }
}

#[test]
fn a_404_that_is_not_about_the_document_takes_nothing_away() {
    for body in ["", "<h1>Not Found</h1>", "{\"status\":404,\"error\":\"Not Found\"}"] {
        let error = told(Head { status: 404, ..Head::default() }, body.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Down);
        assert!(error.to_string().contains("path of the address"), "{error}");
    }
}

#[test]
fn the_type_tells_the_format_where_the_id_has_no_extension() {
    let named = |data, kind, content_type| {
        String::from(document(Head { kind, content_type, ..ok() }, b"a", data).name)
    };
    assert_eq!(named("shop", Some("yaml"), Some("text/plain;charset=UTF-8")), "shop.yaml");
    assert_eq!(named("shop", Some("TOML"), None), "shop.toml");
    assert_eq!(named("shop", None, Some("application/json;charset=UTF-8")), "shop.json");
    assert_eq!(named("shop", None, Some("application/x-yaml")), "shop.yaml");
    assert_eq!(named("shop.toml", Some("yaml"), None), "shop.toml");
    assert_eq!(named("shop.conf", Some("json"), None), "shop.conf.json");
    for kind in [None, Some("text"), Some("properties"), Some("unset")] {
        assert_eq!(named("shop", kind, Some("text/plain")), "shop", "{kind:?}");
    }
}

#[test]
fn a_digest_of_the_server_counts_only_where_it_is_another() {
    let claimed = |digest| document(Head { digest, ..ok() }, b"abc", "shop").claimed;
    assert_eq!(claimed(Some("900150983CD24FB0D6963F7D28E17F72")), None);
    assert_eq!(claimed(None), None);
    assert_eq!(claimed(Some("kAFQmDzST7DWlj99KOF/cg==")), None, "that of HTTP, which is no digest of Nacos");
    let other = "d41d8cd98f00b204e9800998ecf8427e";
    assert_eq!(claimed(Some(other)).as_deref(), Some(other));
}

#[test]
fn an_encrypted_document_is_refused_with_the_reason() {
    let error = told(Head { cipher: Some("c2VjcmV0"), ..ok() }, b"\x01").unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Invalid);
    let said = error.to_string();
    assert!(said.contains("encrypted by a plugin") && !said.contains("c2VjcmV0"), "{said}");
    for cipher in [Some(""), Some(" "), Some("null"), None] {
        assert!(told(Head { cipher, ..ok() }, b"a").is_ok());
    }
}

#[test]
fn a_page_is_no_document() {
    let head = Head { content_type: Some("text/html"), ..ok() };
    let error = told(head, b"\xef\xbb\xbf <!doctype html>secret").unwrap_err();
    assert!(error.to_string().contains("text/html") && !error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_login_brings_a_token_and_for_how_long_it_is_good() {
    let body = br#"{"accessToken":"ey.J.x","tokenTtl":18000,"globalAdmin":true,"username":"nacos"}"#;
    let admitted = admission(body).ok().unwrap();
    assert_eq!((&**admitted.token, admitted.ttl), ("ey.J.x", Some(Duration::from_secs(18000))));
    for body in [&br#"{"accessToken":"x"}"#[..], br#"{"accessToken":"x","tokenTtl":-1}"#] {
        assert_eq!(admission(body).ok().unwrap().ttl, None);
    }
    for body in [
        &b""[..],
        b"unknown user!",
        b"{}",
        b"[]",
        br#"{"accessToken":7}"#,
        br#"{"accessToken":""}"#,
        br#"{"accessToken":"a\r\nb"}"#,
        br#"{"data":{"accessToken":"x"}}"#,
    ] {
        let why = admission(body).err().unwrap();
        assert!(!why.contains("unknown"), "{why}");
    }
    assert_eq!(*login("a b", "p&=ä"), "username=a%20b&password=p%26%3D%C3%A4");
}

proptest::proptest! {
    #[test]
    fn what_is_written_is_read_again_as_the_same(text in ".{0,24}") {
        let mut coded = String::new();
        form(&mut coded, [("k", Some(&*text))]);
        proptest::prop_assert!(coded.is_ascii() && !coded.contains(['&', ' ', '\n']));
        let value = coded.strip_prefix("k=").unwrap();
        proptest::prop_assert_eq!(decode(value.as_bytes()), Some(text));
    }

    #[test]
    fn no_bytes_are_more_than_one_of_their_meanings(
        status in 100_u16..600,
        header in proptest::option::of(".{0,40}"),
        body in proptest::collection::vec(proptest::num::u8::ANY, 0..96),
    ) {
        let header = header.as_deref();
        let own = place("shop", "ns");
        let head = Head { status, digest: header, kind: header, content_type: header, cipher: None };
        let document = matches!(read(&head, &body, &own), Ok(Told::Document(_)));
        proptest::prop_assert!(!document || status == 200);
        let _ = own.is_changed(&body);
        if let Ok(admitted) = admission(&body) {
            proptest::prop_assert!(admitted.token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
