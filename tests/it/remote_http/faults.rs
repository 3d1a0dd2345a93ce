//! Servers that fail or lie: the version in force stays, one event says why, and all heals by itself.

use super::{Reply, Server, asked_again, ms, quick, reply, start};
use crate::support::{Small, drain, until};
use hotconf::{Event, Format, Hot, SourceState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn raw(text: impl Into<Vec<u8>>) -> Reply {
    Reply::Raw(text.into())
}

/// What is told of a server that answers so: once, naming its address, until it is well again.
fn told_of(fault: Reply, words: &[&str]) {
    let server = Server::new("n = 2");
    let url = server.url("/app.toml");
    let (config, mut events) = start(quick(&url).deadline(ms(400)).every(ms(50)));
    server.script(move |_| Some(fault.clone()));
    let event = events.blocking_next_timeout(Duration::from_secs(20)).expect("no runtime").flatten();
    let said = event.map(|event| event.to_string()).unwrap_or_default();
    for word in words.iter().copied().chain([url.as_str()]) {
        assert!(said.contains(word), "{word:?} in {said}");
    }
    let more = drain(&mut events, ms(250));
    assert!(more.is_empty(), "{said}; and then {more:?}");
    assert_eq!(config.load().n, 2);
    server.put("n = 3");
    server.no_script();
    until("it heals by itself", || config.load().n == 3);
    until("it is well", || config.status().is_healthy());
    assert!(config.status().sources[0].last_failure.is_none());
}

#[test]
fn an_error_page_is_no_document() {
    told_of(reply(200, "content-type: text/html\r\n", "<html>Sign in"), &["text/html", "page"]);
}

#[test]
fn trouble_of_the_server_is_told() {
    told_of(reply(500, "", "oops"), &["500"]);
}

#[test]
fn a_body_that_ends_too_soon_is_cut() {
    told_of(
        Reply::Cut(b"HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\nn = 9".to_vec()),
        &["cut after 5 bytes"],
    );
}

#[test]
fn a_chunked_body_that_ends_too_soon_is_cut() {
    let text = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nn = 9\r\n";
    told_of(Reply::Cut(text.into()), &["cut after 5 bytes"]);
}

#[test]
fn a_body_that_is_longer_than_its_length_is_not_taken() {
    told_of(raw("HTTP/1.1 200 X\r\ncontent-length: 5\r\n\r\nn = 9000"), &["more than the length"]);
}

#[test]
fn a_body_that_trickles_is_given_up() {
    let text = "HTTP/1.1 200 X\r\ncontent-length: 2000\r\n\r\nn = 9\n";
    told_of(Reply::Drip(format!("{text}{}", "#".repeat(1994)).into()), &[]);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    told_of(Reply::Mute, &[]);
}

#[test]
fn what_is_no_http_is_told() {
    told_of(Reply::Cut(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), &["asking"]);
}

#[test]
fn a_compressed_body_is_refused() {
    told_of(reply(200, "content-encoding: gzip\r\n", "n = 9"), &["gzip", "compression"]);
}

#[test]
fn text_that_is_no_utf_8_is_refused() {
    told_of(raw(b"HTTP/1.1 200 X\r\ncontent-length: 6\r\n\r\nn = \xff\xfe".to_vec()), &["UTF-8"]);
}

#[test]
fn a_status_that_answers_nothing_is_told() {
    told_of(reply(418, "", ""), &["418"]);
}

#[test]
fn not_modified_is_no_answer_to_a_question_without_condition() {
    told_of(raw("HTTP/1.1 304 X\r\n\r\n"), &["304"]);
}

#[test]
fn a_redirect_that_never_ends_is_told() {
    told_of(reply(302, "location: /app.toml\r\n", ""), &["more than 5 times"]);
}

#[test]
fn a_redirect_to_what_is_no_address_is_told() {
    told_of(reply(302, "location: ftp://elsewhere/x\r\n", ""), &["302", "ftp"]);
}

#[test]
fn a_body_over_the_limit_is_refused_while_it_is_read() {
    let server = Server::new("n = 2");
    let source = quick(&server.url("/app.toml"));
    let config = Hot::<Small>::builder()
        .source(source)
        .max_document_bytes(1000)
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    let endless = [
        &b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n"[..],
        &b"400\r\n"[..],
        &[b'#'; 0x400],
        b"\r\n",
    ];
    for fault in [endless.concat(), b"HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\n".to_vec()] {
        server.script(move |_| Some(Reply::Raw(fault.clone())));
        let event = events.blocking_next_timeout(Duration::from_secs(5)).expect("no runtime").flatten();
        let said = event.expect("an event").to_string();
        assert!(said.contains("more than 1000 bytes") && said.contains("max_document_bytes"), "{said}");
        server.no_script();
        until("it heals", || config.status().is_healthy());
        drain(&mut events, ms(50));
    }
    assert_eq!(config.load().n, 2);
}

#[test]
fn a_server_that_asks_to_be_left_alone_is() {
    let server = Server::new("n = 2");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    server.script(|_| Some(reply(503, "retry-after: 1\r\n", "")));
    let event = events.blocking_next_timeout(Duration::from_secs(5)).expect("no runtime").flatten();
    assert!(matches!(event, Some(Event::SourceDown(_))), "{event:?}");
    let refused: Vec<_> = server.log().iter().rev().take(2).map(|request| request.at).collect();
    assert!(refused[0] - refused[1] >= ms(1000), "{:?}", refused[0] - refused[1]);
    server.no_script();
    until("it is well", || config.status().is_healthy());
}

#[test]
fn credentials_that_are_refused_are_told_once_and_tried_slowly() {
    let server = Server::new("n = 2");
    let (config, mut events) = start(quick(&server.url("/app.toml")).bearer("hunter2"));
    server.script(|_| Some(reply(403, "", "go away")));
    let before = server.log().len();
    let event = events.blocking_next_timeout(Duration::from_secs(5)).expect("no runtime").flatten();
    let said = event.map(|event| event.to_string()).unwrap_or_default();
    assert!(said.contains("403") && !said.contains("hunter2"), "{said}");
    assert!(drain(&mut events, ms(500)).is_empty());
    // The beat, one login anew at once, and then a long pause.
    let asked = server.log().len() - before;
    assert!(asked <= 3, "{asked} questions");
    assert_eq!(config.load().n, 2);
    server.put("n = 3");
    server.no_script();
    config.blocking_reload().expect("who asks is answered at once");
    assert_eq!(config.load().n, 3);
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_followed_again() {
    let mut server = Server::new("n = 2");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    server.kill();
    until("it is stale", || config.status().sources[0].state == SourceState::Stale);
    let status = config.status();
    assert!(
        status.sources[0].last_failure.as_deref().is_some_and(|said| said.contains("refused")),
        "{status:?}"
    );
    assert_eq!(config.load().n, 2);
    server.put("n = 3");
    server.restart();
    until("it is followed again", || config.load().n == 3);
    let told = drain(&mut events, ms(100));
    let count = |wanted: fn(&Event) -> bool| told.iter().filter(|event| wanted(event)).count();
    let downs = count(|event| matches!(event, Event::SourceDown(_)));
    let applied = count(|event| matches!(event, Event::Applied(_)));
    assert_eq!((downs, applied), (1, 1), "{told:?}");
}

#[test]
fn a_kept_connection_that_the_server_closed_is_opened_anew_without_a_word() {
    let server = Server::new("n = 2");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    for _ in 0..5 {
        server.hang_up();
        asked_again(&server, 1);
    }
    assert!(drain(&mut events, ms(50)).is_empty());
    assert!(config.status().is_healthy());
    assert_eq!(config.status().sources[0].retries, 0);
    assert!(server.connections() >= 5);
}

#[test]
fn while_a_server_is_frozen_reads_go_on_and_then_it_heals() {
    let server = Server::new("n = 2");
    let (config, _) = start(quick(&server.url("/app.toml")));
    server.freeze(true);
    server.put("n = 3");
    let (end, mut slowest) = (Instant::now() + ms(500), Duration::ZERO);
    while Instant::now() < end {
        let before = Instant::now();
        for _ in 0..1000 {
            assert_eq!(config.load().n, 2);
        }
        slowest = slowest.max(before.elapsed());
    }
    // A thousand reads together, on a machine that runs other tests: they wait for nobody.
    assert!(slowest < ms(400), "{slowest:?}");
    server.freeze(false);
    until("it heals", || config.load().n == 3);
}

#[test]
fn a_source_without_an_answer_at_the_start_fails_it_with_the_reason() {
    let mut server = Server::new("");
    let url = server.url("/app.toml");
    server.kill();
    let source = quick(&url);
    let failed = Hot::<Small>::builder().source(source).startup_deadline(ms(300)).blocking_start();
    let said = failed.expect_err("nobody is there").to_string();
    assert!(said.contains(&url) && said.contains("refused"), "{said}");
}

#[test]
fn an_address_with_a_password_fails_the_start_and_is_not_repeated() {
    for url in ["https://me:hunter2@host/app.toml", "ftp://host/app.toml", "host/app.toml"] {
        let source = quick(url);
        let shown = format!("{source:?}");
        let failed = Hot::<Small>::builder().source(source.document(Format::Toml)).blocking_start();
        let said = failed.expect_err("no address").to_string();
        assert!(said.contains("expected an address such as"), "{said}");
        assert!(!said.contains("hunter2") && !shown.contains("hunter2"), "{said} {shown}");
    }
}

#[test]
fn of_two_addresses_the_one_that_answers_is_followed() {
    let mut dead = Server::new("n = 2");
    let live = Server::new("n = 2");
    let source = quick(&dead.url("/app.toml")).replica(&live.url("/app.toml"));
    dead.kill();
    let (config, _) = start(source);
    live.put("n = 3");
    until("the other one is followed", || config.load().n == 3);
    asked_again(&live, 3);
}

#[test]
fn a_cut_at_any_byte_of_an_answer_is_never_taken_for_a_document() {
    let server = Server::new("n = 2");
    server.set_headers("etag: \"a\"\r\n");
    let (config, _) = start(quick(&server.url("/app.toml")));
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\netag: \"b\"\r\n\r\nn = 3\nother=";
    let at = Arc::new(AtomicUsize::new(0));
    let next = at.clone();
    server.script(move |_| {
        let at = next.fetch_add(1, Ordering::SeqCst);
        (at < whole.len()).then(|| Reply::Cut(whole.as_bytes()[..at].to_vec()))
    });
    until("every cut was made", || at.load(Ordering::SeqCst) > whole.len());
    assert_eq!((config.load().n, config.version()), (2, 1));
    server.put("n = 4");
    server.no_script();
    until("it heals", || config.load().n == 4);
}
