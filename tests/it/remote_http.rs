//! A document behind a URL: polling, tags, long poll. Each point of RFC 9110 that a client has to keep is here.
//!
//! These tests need wall time: a server of their own answers on a socket.

mod faults;
mod reach;
mod server;

use crate::support::{Small, applied, drain, rejected, until};
use hotconf::remote::Backoff;
use hotconf::{Event, Events, Format, Hot, Http, SourceExt, SourceState};
use server::{Reply, Server, reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Asked often, tried again soon.
fn quick(url: &str) -> Http {
    Http::new(url)
        .every(ms(30))
        .backoff(Backoff { first: ms(20), longest: ms(100), ..Backoff::default() })
        .resync(Duration::ZERO)
}

fn start(source: Http) -> (Hot<Small>, Events) {
    let config = Hot::builder().source(source).blocking_start().expect("the first load");
    let events = config.events();
    (config, events)
}

/// Waits until the server has been asked so often again.
fn asked_again(server: &Server, more: usize) {
    let before = server.log().len();
    until("it is asked again", || server.log().len() >= before + more);
}

#[test]
fn a_document_is_applied_and_its_changes_follow() {
    let server = Server::new("n = 2\n");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    assert_eq!(config.load().n, 2);
    assert_eq!(config.origin(Small::FIELDS.n).to_string(), format!("{}:1:5", server.url("/app.toml")));
    server.put("n = 3\n");
    applied(&mut events);
    assert_eq!(config.load().n, 3);
    assert_eq!(server.connections(), 1, "the connection is kept");
    assert!(config.status().sources[0].polling, "it is not told");
}

#[test]
fn a_tag_goes_back_verbatim_and_not_modified_is_no_news() {
    let server = Server::new("");
    server.put_tagged("n = 2", "W/\"a, b\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    asked_again(&server, 3);
    let log = server.log();
    assert_eq!(log[0].header("if-none-match"), None);
    assert!(log[1..].iter().all(|request| request.header("if-none-match") == Some("W/\"a, b\"")));
    assert!(log.iter().all(|request| request.header("accept-encoding").is_none()));
    assert_eq!(config.status().sources[0].revision.as_deref(), Some("W/\"a, b\""));
    assert_eq!(config.status().sources[0].parses, 1);
    assert!(drain(&mut events, ms(20)).is_empty());
    server.put_tagged("n = 3", "\"c\"");
    applied(&mut events);
    asked_again(&server, 2);
    assert_eq!(
        server.log().last().and_then(|request| request.header("if-none-match").map(str::to_owned)).as_deref(),
        Some("\"c\"")
    );
}

#[test]
fn the_same_bytes_under_another_tag_are_no_change() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    server.put_tagged("n = 2", "\"b\"");
    until("the new tag is taken", || {
        server.log().last().is_some_and(|request| request.header("if-none-match") == Some("\"b\""))
    });
    until("the new tag is shown", || config.status().sources[0].revision.as_deref() == Some("\"b\""));
    assert!(drain(&mut events, ms(50)).is_empty());
    assert_eq!((config.version(), config.status().sources[0].parses), (1, 1));
}

#[test]
fn a_body_that_changed_under_the_same_tag_is_found_by_the_full_fetch() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")).resync(ms(300)));
    server.put("n = 3");
    applied(&mut events);
    assert_eq!(config.load().n, 3);
}

#[test]
fn a_date_serves_where_there_is_no_tag_once_its_second_has_passed() {
    let server = Server::new("n = 2");
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    server.set_headers(&format!("last-modified: {modified}\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    asked_again(&server, 2);
    assert!(server.log().iter().all(|request| request.header("if-modified-since").is_none()));
    // A second write in the same second has the same date.
    server.put("n = 3");
    applied(&mut events);
    server.set_headers(&format!("last-modified: {modified}\r\ndate: Sun, 06 Nov 1994 08:50:00 GMT\r\n"));
    asked_again(&server, 3);
    let last = server.log().pop().expect("a request");
    assert_eq!(last.header("if-modified-since"), Some(modified));
    assert_eq!(config.load().n, 3);
}

#[test]
fn not_modified_without_a_tag_keeps_the_tag_and_with_another_one_asks_for_all() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    let answers = Arc::new(AtomicUsize::new(0));
    let foreign = Arc::new(AtomicBool::new(false));
    let (count, other) = (answers.clone(), foreign.clone());
    server.script(move |request| {
        request.header("if-none-match")?;
        count.fetch_add(1, Ordering::SeqCst);
        let tag = if other.load(Ordering::SeqCst) { "etag: \"z\"\r\n" } else { "" };
        Some(Reply::Raw(format!("HTTP/1.1 304 X\r\n{tag}\r\n").into_bytes()))
    });
    until("it is asked with the tag", || answers.load(Ordering::SeqCst) >= 3);
    assert!(drain(&mut events, ms(20)).is_empty());
    // A cache on the way that speaks of a document which is not ours.
    server.put_tagged("n = 3", "\"b\"");
    foreign.store(true, Ordering::SeqCst);
    applied(&mut events);
    assert_eq!(config.load().n, 3);
}

#[test]
fn a_refused_document_is_told_once_and_a_repaired_one_applies_by_itself() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")));
    server.put_tagged("n = \"many\"", "\"b\"");
    let said = rejected(&mut events).to_string();
    assert!(said.contains(&server.url("/app.toml")), "{said}");
    asked_again(&server, 3);
    assert!(drain(&mut events, ms(20)).is_empty());
    assert_eq!((config.load().n, config.status().sources[0].state), (2, SourceState::Refused));
    server.put_tagged("n = 4", "\"c\"");
    applied(&mut events);
    assert_eq!(config.load().n, 4);
}

#[test]
fn what_is_gone_stays_in_force_and_an_optional_one_falls_back() {
    let server = Server::new("n = 2");
    let (required, mut events) = start(quick(&server.url("/app.toml")));
    let optional = Hot::<Small>::builder()
        .source(quick(&server.url("/app.toml")).optional())
        .blocking_start()
        .expect("a start");
    assert_eq!((required.load().n, optional.load().n), (2, 2));
    server.script(|_| Some(reply(404, "", "not here")));
    until("the optional one falls back", || optional.load().n == 1);
    match events.blocking_next_timeout(Duration::from_secs(5)) {
        Ok(Some(Some(Event::SourceDown(down)))) => {
            assert!(down.error().to_string().contains("nothing is there"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(required.load().n, 2);
    server.put("n = 5");
    server.no_script();
    until("both are back", || (required.load().n, optional.load().n) == (5, 5));
}

#[test]
fn one_answer_of_a_replica_that_knows_nothing_is_not_believed() {
    let server = Server::new("n = 2");
    let optional = Hot::<Small>::builder()
        .source(quick(&server.url("/app.toml")).optional())
        .blocking_start()
        .expect("a start");
    let mut events = optional.events();
    let gone = AtomicBool::new(true);
    server.script(move |_| gone.swap(false, Ordering::SeqCst).then(|| reply(404, "", "")));
    asked_again(&server, 4);
    assert!(drain(&mut events, ms(20)).is_empty());
    assert_eq!(optional.load().n, 2);
}

#[test]
fn the_content_type_tells_the_format() {
    let server = Server::new("{\"n\": 2}");
    server.set_headers("content-type: application/json; charset=utf-8\r\n");
    let (config, _) = start(quick(&server.url("/app")));
    assert_eq!(config.load().n, 2);
    server.put("n: 3");
    server.set_headers("content-type: application/yaml\r\n");
    until("it is read as YAML", || config.load().n == 3);
}

#[test]
fn where_nothing_tells_the_format_the_error_names_the_content_type_and_the_remedy() {
    let server = Server::new("n = 2");
    server.set_headers("content-type: application/x-shop\r\n");
    let failed = Hot::<Small>::builder().source(quick(&server.url("/app"))).blocking_start();
    let said = failed.expect_err("no format").to_string();
    assert!(said.contains("application/x-shop") && said.contains("document(format)"), "{said}");
    let (config, _) = start(quick(&server.url("/app")).document(Format::Toml));
    assert_eq!(config.load().n, 2);
}

#[test]
fn a_held_question_brings_a_change_when_it_happens() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")).long_poll(Duration::from_secs(20)));
    until("a question is held", || server.log().len() == 2);
    assert_eq!(server.log()[1].header("prefer"), Some("wait=20"));
    for n in 3..6 {
        let before = Instant::now();
        server.put_tagged(&format!("n = {n}"), &format!("\"{n}\""));
        applied(&mut events);
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        assert_eq!(config.load().n, n);
    }
    assert!(!config.status().sources[0].polling, "it is told");
    until("the next question is held", || server.log().len() == 5);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_holds_no_question_is_asked_by_a_beat() {
    let server = Server::new("n = 2");
    server.script(|request| {
        request.header("if-none-match")?;
        Some(reply(304, "", ""))
    });
    server.put_tagged("n = 2", "\"a\"");
    let patient =
        quick(&server.url("/app.toml")).long_poll(Duration::from_secs(20)).every(Duration::from_secs(30));
    let (config, mut events) = start(patient);
    until("that it is polled", || config.status().sources[0].polling);
    let told = drain(&mut events, ms(700));
    assert!(matches!(&told[..], [Event::Warning(_)]) || config.status().version == 1, "{told:?}");
    assert!(server.log().len() <= 5, "{} questions", server.log().len());
}

#[test]
fn a_hundred_configurations_on_one_address_cost_one_connection() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let url = server.url("/app.toml");
    let all: Vec<_> = (0..100).map(|_| start(quick(&url)).0).collect();
    asked_again(&server, 2);
    let before = server.log().len();
    std::thread::sleep(ms(300));
    let asked = server.log().len() - before;
    assert!(asked <= 13, "{asked} questions in ten beats");
    server.put_tagged("n = 3", "\"b\"");
    until("all have it", || all.iter().all(|config| config.load().n == 3));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_reload_asks_at_once_and_without_a_condition() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, _) = start(quick(&server.url("/app.toml")).every(Duration::from_secs(3600)));
    server.put("n = 3");
    config.blocking_reload().expect("a reload");
    assert_eq!(config.load().n, 3);
    assert_eq!(server.log().last().expect("a request").header("if-none-match"), None);
}

#[test]
fn the_beat_has_jitter() {
    let server = Server::new("n = 2");
    let (_config, _events) = start(quick(&server.url("/app.toml")).every(ms(200)));
    asked_again(&server, 6);
    let log = server.log();
    let beats: Vec<_> = log.windows(2).skip(1).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(beats.iter().all(|beat| *beat >= ms(180)), "{beats:?}");
    assert!(beats.windows(2).any(|pair| pair[0].abs_diff(pair[1]) > ms(1)), "{beats:?}");
}

#[test]
fn one_read_without_following_asks_once() {
    let server = Server::new("n = 2");
    let source = quick(&server.url("/app.toml").replace("127.0.0.1", "localhost"));
    let small = Hot::<Small>::builder().source(source).read().expect("a document");
    assert_eq!((small.n, server.log().len()), (2, 1));
}

#[test]
fn a_server_that_changes_without_end_is_not_asked_without_end() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let count = AtomicUsize::new(0);
    server.script(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        Some(reply(200, &format!("etag: \"{n}\"\r\n"), &format!("n = {}", n % 2)))
    });
    let (config, _) = start(quick(&server.url("/app.toml")).long_poll(Duration::from_secs(20)));
    let before = server.log().len();
    std::thread::sleep(ms(1000));
    let asked = server.log().len() - before;
    assert!((5..=16).contains(&asked), "{asked} questions in a second");
    drop(config);
}

#[test]
fn a_question_that_is_held_to_its_end_is_no_silence_and_the_next_one_follows() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let (config, mut events) = start(quick(&server.url("/app.toml")).long_poll(Duration::from_secs(1)));
    until("three are held", || server.log().len() >= 4);
    let log = server.log();
    assert!(log.windows(2).skip(1).all(|pair| pair[1].at - pair[0].at >= ms(950)), "one at a time");
    assert!(drain(&mut events, ms(20)).is_empty());
    assert_eq!((config.status().sources[0].retries, server.connections()), (0, 1));
}

#[test]
fn a_configuration_that_is_dropped_closes_its_connection() {
    let server = Server::new("");
    server.put_tagged("n = 2", "\"a\"");
    let url = server.url("/app.toml");
    let (beat, _) = start(quick(&url));
    let (held, _) = start(quick(&url).long_poll(Duration::from_secs(60)));
    until("both are connected", || server.open() == 2);
    drop((beat, held));
    // The one that is held sees the end when it answers.
    server.put_tagged("n = 3", "\"b\"");
    until("nothing is left", || server.open() == 0);
}
