//! The points of the standard that a client must keep, against a server that keeps them or does not.

use crate::rig::{App, BELOW, PATIENCE, Watched, among_others, brisk, until};
use crate::scripted::{Head, Scripted, stay};
use hotconf::remote::sse::SseStore;
use hotconf::remote::{Backoff, Remote, Token};
use hotconf::{Event, Format, Hot, SourceExt, SourceState, Sse};
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn send(stream: &mut TcpStream, text: impl AsRef<[u8]>) {
    // A client that has gone is its own business.
    let _ = stream.write_all(text.as_ref());
}

fn empty(stream: &mut TcpStream, status: &str, headers: &str) {
    send(stream, format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{headers}\r\n"));
}

/// The source of a server, without a full listing unless a test asks for it.
fn source(server: &Scripted) -> Remote<SseStore> {
    let url = format!("http://{}/app.toml", server.address());
    brisk(Sse::new(&url)).resync(Duration::ZERO).deadline(PATIENCE).idle(PATIENCE)
}

fn says(watched: &Watched, text: &str) {
    until(text, || watched.story().contains(text));
}

/// A server that says this to each request, and then nothing.
fn stream_of(text: &'static str) -> Scripted {
    Scripted::start(move |_, _, stream| {
        send(stream, [OK, text].concat());
        stay(stream);
    })
}

#[test]
fn an_answer_that_is_no_stream_is_named_and_the_next_is_taken() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| match number {
        0 => {
            send(stream, [OK, "data: a = 1\n\n"].concat());
        }
        1 | 2 => send(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p>x"),
        3 => send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndata"),
        4 => empty(stream, "503", ""),
        _ => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream;charset=utf-8\r\n\r\ndata: a = 2\n\n",
            );
            stay(stream);
        }
    });
    let watched = Watched::start(source(&server));
    says(&watched, "content type `text/html`, expected `text/event-stream`");
    watched.until("the stream", |app| app.a == 2);
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn a_server_that_asks_to_be_asked_no_more_is_asked_no_more() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| match number {
        0 => send(stream, [OK, "data: a = 1\n\n"].concat()),
        1 => empty(stream, "204", ""),
        _ => {
            send(stream, [OK, "data: a = 2\n\n"].concat());
            stay(stream);
        }
    });
    let watched = Watched::start(source(&server));
    // After hundreds of the longest delays of the back-off of this test it would have come.
    until("it is told", || {
        watched.remote().error.is_some_and(|error| error.to_string().contains("answered 204"))
    });
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!((server.asked().len(), watched.config.load().a), (2, 1));
    // Whoever asks for it is answered by an attempt.
    watched.config.blocking_reload().expect("it streams again");
    watched.until("the stream", |app| app.a == 2);
    watched.end();
}

#[test]
fn a_redirect_is_followed_and_the_other_server_gets_no_credential() {
    let _beside = among_others();
    let other = stream_of("data: a = 7\n\n");
    let to = other.address();
    let server = Scripted::start(move |_, head, stream| match &*head.target {
        "/app.toml" => empty(stream, "307", "location: /second\r\n"),
        _ => empty(stream, "302", &format!("location: http://{to}/third\r\n")),
    });
    let watched = Watched::start(source(&server).bearer("hunter2").header("x-key", "hunter3"));
    assert_eq!(watched.config.load().a, 7);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|head| head.header("authorization") == Some("Bearer hunter2")));
    assert!(asked.iter().all(|head| head.header("accept") == Some("text/event-stream")));
    let third = &other.asked()[0];
    assert_eq!((third.header("authorization"), third.header("x-key")), (None, None));
    watched.end();
}

#[test]
fn events_of_another_type_are_not_taken() {
    let _beside = among_others();
    let text = "data: a = 1\n\nevent: config\ndata: a = 2\ndata: b = 3\n\nevent: other\ndata: a = 4\n\n";
    let server = stream_of(text);
    let watched = Watched::start(source(&server).event("config"));
    assert_eq!((watched.config.load().a, watched.config.load().b), (2, 3));
    let plain = Watched::start(source(&server));
    assert_eq!(plain.config.load().a, 1, "an event without a type is a `message`");
    plain.end();
    watched.end();
}

#[test]
fn a_reconnect_sends_the_newest_id_and_silence_is_then_no_outage() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| match number {
        0 => send(stream, [OK, "id: 1\ndata: a = 1\n\nid: 2\ndata: a = 2\n\nid: 3\ndata: a = 3\n"].concat()),
        1 => {
            // Nothing new: nothing is said.
            send(stream, [OK, ":\n\n"].concat());
            std::thread::sleep(Duration::from_millis(300));
        }
        _ => {
            send(stream, [OK, "id: 4\ndata: a = 4\n\n"].concat());
            stay(stream);
        }
    });
    let watched = Watched::start(source(&server));
    watched.until("what came after the second loss", |app| app.a == 4);
    let ids: Vec<_> =
        server.asked().iter().map(|head| head.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(ids, [None, Some("2".to_owned()), Some("2".to_owned())], "the third event was not whole");
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn an_empty_id_resets_it_and_one_that_fits_no_header_is_not_sent() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| match number {
        0 => send(stream, [OK, "id: 1\ndata: a = 1\n\nid\ndata: a = 2\n\n"].concat()),
        1 => send(stream, [OK, "id: x\x01y\ndata: a = 3\n\n"].concat()),
        2 => send(stream, [OK, "id: 5\ndata: a = 4\n\nid: a\0b\ndata: a = 5\n\n"].concat()),
        _ => {
            send(stream, [OK, "data: a = 6\n\n"].concat());
            stay(stream);
        }
    });
    let watched = Watched::start(source(&server));
    watched.until("the last", |app| app.a == 6);
    let ids: Vec<_> =
        server.asked().iter().map(|head| head.header("last-event-id").map(str::to_owned)).collect();
    assert_eq!(ids, [None, None, None, Some("5".to_owned())]);
    watched.end();
}

#[test]
fn everything_is_asked_for_anew_without_an_id() {
    let _beside = among_others();
    let server = Scripted::start(|number, head, stream| {
        // It lies: with an id it would say nothing, though the document is another.
        let text = format!("id: 1\ndata: a = {}\n\n", number + 1);
        send(
            stream,
            if head.header("last-event-id").is_some() { OK.to_owned() } else { format!("{OK}{text}") },
        );
        stay(stream);
    });
    let watched = Watched::start(source(&server).resync(Duration::from_millis(50)));
    watched.until("several listings", |app| app.a >= 4);
    assert!(server.asked().iter().all(|head| head.header("last-event-id").is_none()));
    watched.config.blocking_reload().expect("it answers");
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    watched.end();
}

#[test]
fn a_pause_that_the_server_asks_for_is_kept_to() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| {
        send(stream, format!("{OK}retry: 300\nretry: 1x\ndata: a = {number}\n\n"));
        if number > 0 {
            stay(stream);
        }
    });
    let begun = Instant::now();
    let watched = Watched::start(source(&server));
    watched.until("the second stream", |app| app.a == 1);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    watched.end();
}

#[test]
fn silence_is_a_loss_and_any_byte_is_none() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| {
        send(stream, format!("{OK}data: a = {number}\n\n"));
        if number == 0 {
            // Half a line at a time, for longer than may be silent.
            for _ in 0..20 {
                std::thread::sleep(Duration::from_millis(40));
                send(stream, ":");
            }
        }
        stay(stream);
    });
    let begun = Instant::now();
    let watched = Watched::start(source(&server).idle(Duration::from_millis(400)));
    watched.until("the second stream", |app| app.a == 1);
    assert!(begun.elapsed() >= Duration::from_millis(1200), "{:?}", begun.elapsed());
    watched.end();
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place_and_the_stream_goes_on() {
    let _beside = among_others();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Scripted::start(move |_, _, stream| {
        send(stream, OK);
        let next = || told.lock().expect("no panic").recv_timeout(PATIENCE);
        send(stream, "\u{feff}data: a = 1\r\r");
        let _ = next();
        send(stream, "data: text = \"");
        send(stream, b"\xff\"\r\n\r\n");
        let _ = next();
        send(stream, "data: a = 2\n\n");
        stay(stream);
    });
    let watched = Watched::start(source(&server));
    tell.send(()).expect("it waits");
    says(&watched, "app.toml:1:9");
    assert_eq!(watched.config.load().a, 1);
    tell.send(()).expect("it waits");
    watched.until("the repair", |app| app.a == 2);
    assert_eq!(server.asked().len(), 1);
    watched.end();
}

#[test]
fn an_event_that_is_too_long_is_refused_and_the_next_document_heals() {
    let _beside = among_others();
    let server = Scripted::start(|number, _, stream| {
        match number {
            0 => send(stream, [OK, "id: 1\ndata: a = 1\n\n"].concat()),
            1 => send(stream, format!("{OK}id: 2\ndata: pad = \"{}\"\n\n", "x".repeat(5000))),
            2 => send(stream, format!("{OK}{}", "data: # x\n".repeat(2000))),
            // Each is short: it is no matter how long the stream is.
            _ => send(stream, format!("{OK}{}data: a = 4\n\n", "data: a = 3\n\n".repeat(1000))),
        }
        if number > 0 {
            stay(stream);
        }
    });
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = told.clone();
    let config = Hot::<App>::builder()
        .source(hotconf::Inline::toml("below", "text = \"\""))
        .source(source(&server))
        .max_document_bytes(4096)
        .on_event(move |event: &Event| hears.lock().expect("no panic").push(event.to_string()))
        .blocking_start()
        .expect("the first load");
    until("the short one", || config.load().a == 4);
    let story = told.lock().expect("no panic").join("\n");
    assert!(story.contains("an event of more than 4096 bytes: raise `max_document_bytes`"), "{story}");
    let ids: Vec<_> =
        server.asked().iter().map(|head| head.header("last-event-id").map(str::to_owned)).collect();
    assert!(ids[1..].iter().all(|id| id.as_deref() == Some("1")), "{ids:?}");
    config.blocking_shutdown(PATIENCE).expect("nothing hangs");
}

#[test]
fn credentials_that_are_refused_are_told_and_heal_once_they_are_right() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter1\n").expect("written");
    for status in ["401", "403"] {
        std::fs::write(&file, "hunter1\n").expect("written");
        let server = Scripted::start(move |number, head, stream| {
            if number == 0 || head.header("authorization") == Some("Bearer hunter2") {
                send(stream, format!("{OK}data: a = {number}\n\n"));
                if number == 0 {
                    return;
                }
                stay(stream);
            } else {
                empty(stream, status, "");
            }
        });
        let watched = Watched::start(source(&server).bearer(Token::file(&file)));
        says(&watched, &format!("answered {status}"));
        std::fs::write(&file, "hunter2\n").expect("written");
        watched.until("the repair", |app| app.a > 0);
        watched.until_it_is(SourceState::Following);
        assert!(!watched.story().contains("hunter"), "{}", watched.story());
        watched.end();
    }
}

#[test]
fn after_a_failure_a_replica_is_asked_without_the_id_of_the_other() {
    let _beside = among_others();
    let lives = Arc::new(AtomicUsize::new(0));
    let answer = |name: usize| {
        let lives = lives.clone();
        move |_: usize, _: &Head, stream: &mut TcpStream| {
            send(stream, format!("{OK}id: of-{name}\ndata: a = {name}\n\n"));
            if lives.fetch_add(1, Ordering::SeqCst) > 0 {
                stay(stream);
            }
        }
    };
    let (one, two) = (Scripted::start(answer(1)), Scripted::start(answer(2)));
    let watched = Watched::start(source(&one).replica(&format!("http://{}/app.toml", two.address())));
    let first = watched.config.load().a;
    watched.until("the other", |app| app.a == 3 - first);
    for head in one.asked().iter().chain(&two.asked()) {
        assert_eq!(head.header("last-event-id"), None);
    }
    let origin = watched.config.origin(App::FIELDS.a).to_string();
    assert!(origin.contains("(or 1 more)"), "{origin}");
    watched.end();
}

#[test]
fn an_event_without_a_document_says_that_nothing_is_there() {
    let _beside = among_others();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Scripted::start(move |_, _, stream| {
        send(stream, [OK, "data: text = \"pushed\"\n\n"].concat());
        let _ = told.lock().expect("no panic").recv_timeout(PATIENCE);
        send(stream, "data:\n\n");
        stay(stream);
    });
    let watched = Watched::start(source(&server).optional());
    watched.until("the document", |app| app.text == "pushed");
    tell.send(()).expect("it waits");
    watched.until("the layer below", |app| app.text == BELOW);
    watched.end();
}

#[test]
fn the_format_may_be_given_and_is_asked_for_where_nothing_tells_it() {
    let _beside = among_others();
    let server = stream_of("data: {\"a\": 5}\n\n");
    let sse = || brisk(Sse::new(&format!("http://{}/live", server.address())));
    let watched = Watched::start(sse().document(Format::Json));
    assert_eq!(watched.config.load().a, 5);
    watched.end();
    let refused = Watched::try_start(sse()).err().expect("nothing tells the format").to_string();
    assert!(refused.contains(".document(format)"), "{refused}");
}

#[test]
fn a_packed_stream_is_refused() {
    let _beside = among_others();
    let server = Scripted::start(|_, _, stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\r\n";
        send(stream, head);
        stay(stream);
    });
    let refused = Watched::try_start(source(&server)).err().expect("it is packed").to_string();
    assert!(refused.contains("encoding `gzip`"), "{refused}");
}

#[test]
fn a_stream_that_flaps_is_asked_ever_more_seldom() {
    let _beside = among_others();
    let server = Scripted::start(|_, _, stream| send(stream, [OK, "data: a = 1\n\n"].concat()));
    let milli = Duration::from_millis(1);
    let pace = Backoff {
        first: 20 * milli,
        longest: Duration::from_secs(60),
        reset_after: Duration::from_secs(60),
        denied: milli,
    };
    let watched = Watched::start(source(&server).backoff(pace));
    // The delays double from 20 ms on, each drawn from zero on: of 10 or 12 attempts 1 s is full.
    std::thread::sleep(Duration::from_secs(1));
    let asked = server.asked().len();
    assert!((2..40).contains(&asked), "{asked} times");
    watched.end();
}
