//! The points of the protocol that a client must keep, against a server that keeps them or does not.

use crate::rig::{App, BELOW, PATIENCE, Watched, among_others, brisk, lock, until};
use crate::scripted::{Head, Scripted, stay};
use hotconf::remote::websocket::WebSocketStore;
use hotconf::remote::{Remote, Token};
use hotconf::{Format, Hot, SourceExt, SourceState, WebSocket};
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Message, WebSocket as Socket};

fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    // A client that has gone is its own business.
    let _ = stream.write_all(bytes.as_ref());
}

fn empty(stream: &mut TcpStream, status: &str, headers: &str) {
    send(stream, format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{headers}\r\n"));
}

/// Agrees, with these header lines too.
fn agree(head: &Head, stream: &mut TcpStream, headers: &str) {
    let accept = derive_accept_key(head.header("sec-websocket-key").expect("a key").as_bytes());
    let head = "HTTP/1.1 101 X\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
    send(stream, format!("{head}sec-websocket-accept: {accept}\r\n{headers}\r\n"));
}

/// Agrees, and speaks from then on.
fn socket<'a>(head: &Head, stream: &'a mut TcpStream) -> Socket<&'a mut TcpStream> {
    agree(head, stream, "");
    Socket::from_raw_socket(stream, Role::Server, None)
}

fn say(socket: &mut Socket<&mut TcpStream>, text: &str) {
    let _ = socket.send(Message::text(text.to_owned()));
}

/// Answers pings until the client goes; what else it says.
fn listen(socket: &mut Socket<&mut TcpStream>) -> Vec<Message> {
    let mut heard = Vec::new();
    while let Ok(message) = socket.read() {
        if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
            heard.push(message);
        }
    }
    heard
}

/// A server that sends this one document to each client.
fn server_of(text: &'static str) -> Scripted {
    Scripted::start(move |_, head, stream| {
        let mut socket = socket(head, stream);
        say(&mut socket, text);
        listen(&mut socket);
    })
}

fn at(server: &Scripted) -> String {
    format!("ws://{}/app.toml", server.address())
}

/// The source of a server, without a full listing unless a test asks for it.
fn source(server: &Scripted) -> Remote<WebSocketStore> {
    brisk(WebSocket::new(&at(server))).resync(Duration::ZERO).deadline(PATIENCE)
}

fn says(watched: &Watched, text: &str) {
    until(text, || watched.story().contains(text));
}

#[test]
fn an_answer_that_is_no_websocket_is_named() {
    let _beside = among_others();
    let refused = |answer: fn(&Head, &mut TcpStream), expected: &str| {
        let server = Scripted::start(move |_, head, stream| answer(head, stream));
        let error = Watched::try_start(source(&server)).err().expect(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(|_, stream| empty(stream, "200", ""), "answered 200, expected 101");
    refused(|_, stream| empty(stream, "426", "upgrade: h2c\r\n"), "answered 426, expected 101");
    refused(
        |_, stream| {
            let head = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
            send(stream, format!("{head}sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
        },
        "its `Sec-WebSocket-Accept` is not that of our key",
    );
    refused(
        |_, stream| send(stream, "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
        "changes to another protocol",
    );
    refused(
        |head, stream| agree(head, stream, "sec-websocket-extensions: permessage-deflate\r\n"),
        "with an extension, though none was offered",
    );
    refused(
        |head, stream| agree(head, stream, "sec-websocket-protocol: mqtt\r\n"),
        "a protocol that was not asked for",
    );
}

#[test]
fn a_protocol_is_asked_for_and_must_be_spoken() {
    let _beside = among_others();
    let server = Scripted::start(|number, head, stream| {
        let ours = if number == 0 { "" } else { "Sec-WebSocket-Protocol: shop.v2\r\n" };
        agree(head, stream, ours);
        let mut socket = Socket::from_raw_socket(stream, Role::Server, None);
        say(&mut socket, "a = 1");
        listen(&mut socket);
    });
    let error = Watched::try_start(source(&server).protocol("shop.v2")).err().expect("it does not speak it");
    assert!(error.to_string().contains("does not speak the protocol `shop.v2`"), "{error}");
    let watched = Watched::start(source(&server).protocol("shop.v2"));
    assert_eq!(watched.config.load().a, 1);
    let asked = server.asked();
    assert_eq!(asked[1].header("sec-websocket-protocol"), Some("shop.v2"));
    assert_eq!(asked[1].header("sec-websocket-version"), Some("13"));
    assert_ne!(asked[0].header("sec-websocket-key"), asked[1].header("sec-websocket-key"));
    watched.end();
}

#[test]
fn a_redirect_is_followed_and_the_other_server_gets_no_credential() {
    let _beside = among_others();
    let other = server_of("a = 7");
    let to = other.address();
    let server =
        Scripted::start(move |_, _, stream| empty(stream, "307", &format!("location: http://{to}/x\r\n")));
    let watched = Watched::start(source(&server).basic("user", "hunter2").header("x-key", "hunter3"));
    assert_eq!(watched.config.load().a, 7);
    assert_eq!(server.asked()[0].header("authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    assert_eq!(server.asked()[0].header("x-key"), Some("hunter3"));
    let other = &other.asked()[0];
    assert_eq!((other.header("authorization"), other.header("x-key")), (None, None));
    watched.end();
}

#[test]
fn what_is_said_first_is_the_hello_and_after_a_loss_what_the_last_document_makes() {
    let _beside = among_others();
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = said.clone();
    let server = Scripted::start(move |number, head, stream| {
        let mut socket = socket(head, stream);
        let Ok(first) = socket.read() else { return };
        lock(&hears).push(first.to_string());
        match number {
            0 => {
                say(&mut socket, "a = 1");
                say(&mut socket, "a = 2");
            }
            // Nothing new: nothing is said but the answer to a ping.
            1 => {
                let _ = socket.read().and_then(|_| socket.flush());
            }
            _ => {
                say(&mut socket, "a = 3");
                listen(&mut socket);
            }
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let hello = folder.path().join("hello");
    std::fs::write(&hello, "all, by hunter2").expect("written");
    let resume = |last: &[u8]| format!("since {}", String::from_utf8_lossy(last));
    let watched = Watched::start(source(&server).hello(Token::file(&hello)).resume(resume));
    watched.until("what came after the second loss", |app| app.a == 3);
    assert_eq!(*lock(&said), ["all, by hunter2", "since a = 2", "since a = 2"]);
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    // A full listing asks for everything.
    watched.config.blocking_reload().expect("it answers");
    assert_eq!(lock(&said)[3..], ["all, by hunter2"]);
    watched.end();
}

#[test]
fn pings_are_answered_with_their_bytes_and_ours_are_sent() {
    let _beside = among_others();
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let server = Scripted::start(move |_, head, stream| {
        let mut socket = socket(head, stream);
        say(&mut socket, "a = 1");
        let _ = socket.send(Message::Ping("are you there?".into()));
        while let Ok(message) = socket.read() {
            let _ = lock(&tell).send(message);
        }
    });
    let watched = Watched::start(source(&server).ping(Duration::from_millis(50)));
    let mut wanted = vec![Message::Pong("are you there?".into()), Message::Ping(Vec::new().into())];
    while !wanted.is_empty() {
        let message = told.recv_timeout(PATIENCE).expect("a message");
        wanted.retain(|wanted| *wanted != message);
    }
    assert_eq!(server.asked().len(), 1);
    watched.end();
}

#[test]
fn silence_is_a_loss_and_pongs_are_none() {
    let _beside = among_others();
    let server = Scripted::start(|number, head, stream| {
        let mut socket = socket(head, stream);
        say(&mut socket, &format!("a = {number}"));
        let begun = Instant::now();
        // Answers for a second, and then no more.
        while number > 0 || begun.elapsed() < Duration::from_secs(1) {
            if socket.read().is_err() {
                return;
            }
        }
        stay(stream);
    });
    let begun = Instant::now();
    let watched = Watched::start(source(&server).ping(Duration::from_millis(300)));
    watched.until("the second connection", |app| app.a == 1);
    assert!(begun.elapsed() >= Duration::from_millis(1500), "{:?}", begun.elapsed());
    watched.end();
}

/// What a server hears that sends these bytes after a document, and then a good one on the next connection.
fn left_with(bytes: Vec<u8>, expected: &str) -> Option<u16> {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let server = Scripted::start(move |number, head, stream| {
        agree(head, stream, "");
        send(&mut *stream, b"\x82\x05a = 1");
        if number == 1 {
            let mut socket = Socket::from_raw_socket(stream, Role::Server, None);
            say(&mut socket, "a = 2");
            listen(&mut socket);
            return;
        }
        send(&mut *stream, &bytes);
        let mut socket = Socket::from_raw_socket(stream, Role::Server, None);
        let code = listen(&mut socket).into_iter().find_map(|message| match message {
            Message::Close(Some(frame)) => Some(u16::from(frame.code)),
            _ => None,
        });
        let _ = lock(&tell).send(code);
    });
    let config = Hot::<App>::builder()
        .source(hotconf::Inline::toml("below", "text = \"\""))
        .source(source(&server))
        .max_document_bytes(4096)
        .blocking_start()
        .expect("the first load");
    let code = told.recv_timeout(PATIENCE).expect("it is left");
    until("the repair", || config.load().a == 2);
    let failed = config.status().sources[1].clone();
    assert!(failed.retries > 0, "{expected}: {failed:?}");
    config.blocking_shutdown(PATIENCE).expect("nothing hangs");
    code
}

#[test]
fn what_breaks_the_protocol_is_left_with_its_code() {
    let _beside = among_others();
    assert_eq!(left_with(b"\x81\x02\xff\xff".to_vec(), "no text"), Some(1007));
    assert_eq!(left_with(b"\x81\x7f\0\0\0\0\x7f\xff\xff\xff".to_vec(), "too long"), Some(1009));
    assert_eq!(left_with(b"\x82\x7e\x10\x01".to_vec(), "too long by one"), Some(1009));
    assert_eq!(left_with(b"\xc1\x00".to_vec(), "a reserved bit"), Some(1002));
    assert_eq!(left_with(b"\x81\x81\0\0\0\0x".to_vec(), "masked"), Some(1002));
    assert_eq!(left_with(b"\x88\x02\x03\xe8".to_vec(), "closed by the server"), Some(1000));
}

#[test]
fn a_message_in_parts_with_a_ping_between_them_is_one_document() {
    let _beside = among_others();
    let server = Scripted::start(|_, head, stream| {
        agree(head, stream, "");
        for frame in [&b"\x01\x03a ="[..], b"\x89\x01?", b"\x00\x00", b"\x80\x02 5"] {
            send(stream, frame);
            std::thread::sleep(Duration::from_millis(5));
        }
        stay(stream);
    });
    let watched = Watched::start(source(&server));
    assert_eq!(watched.config.load().a, 5);
    watched.end();
}

/// A server that sends a document, and then what it is told to send.
fn told(told: Receiver<Message>) -> Scripted {
    let told = Mutex::new(told);
    Scripted::start(move |_, head, stream| {
        let mut socket = socket(head, stream);
        say(&mut socket, "a = 1\ntext = \"pushed\"");
        while let Ok(message) = lock(&told).recv_timeout(PATIENCE) {
            let _ = socket.send(message);
        }
    })
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place_and_the_connection_goes_on() {
    let _beside = among_others();
    let (go, gone) = channel();
    let server = told(gone);
    let watched = Watched::start(source(&server).ping(PATIENCE));
    go.send(Message::binary(b"text = \"\xff\"".to_vec())).expect("it waits");
    says(&watched, "app.toml:1:9");
    assert_eq!(watched.config.load().a, 1);
    go.send(Message::binary(b"a = 2".to_vec())).expect("it waits");
    watched.until("the repair", |app| app.a == 2);
    assert_eq!(server.asked().len(), 1);
    watched.end();
    drop(go);
}

#[test]
fn an_empty_message_says_that_nothing_is_there() {
    let _beside = among_others();
    let (go, gone) = channel();
    let server = told(gone);
    let watched = Watched::start(source(&server).ping(PATIENCE).optional());
    watched.until("the document", |app| app.text == "pushed");
    go.send(Message::text("")).expect("it waits");
    watched.until("the layer below", |app| app.text == BELOW);
    watched.end();
    drop(go);
}

#[test]
fn a_server_that_restarts_is_left_alone_for_a_while() {
    let _beside = among_others();
    for code in [1012_u16, 1013] {
        let server = Scripted::start(move |number, head, stream| {
            let mut socket = socket(head, stream);
            say(&mut socket, &format!("a = {}", number + 1));
            if number == 0 {
                let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() }));
            }
            listen(&mut socket);
        });
        let watched = Watched::start(source(&server));
        until("it is told", || watched.remote().retries > 0);
        // Fifty of the longest delays of the back-off of this test.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(server.asked().len(), 1);
        watched.config.blocking_reload().expect("whoever asks is answered at once");
        watched.until("the second connection", |app| app.a == 2);
        watched.end();
    }
}

#[test]
fn credentials_that_are_refused_are_told_and_heal_once_they_are_right() {
    let _beside = among_others();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    for (code, text) in
        [(401_u16, "answered 401"), (403, "answered 403"), (4401, "code 4401"), (1008, "code 1008")]
    {
        std::fs::write(&file, "hunter1\n").expect("written");
        let server = Scripted::start(move |number, head, stream| {
            let right = head.header("authorization") == Some("Bearer hunter2");
            if number > 0 && !right && code < 1000 {
                return empty(stream, &code.to_string(), "");
            }
            let mut socket = socket(head, stream);
            if number > 0 && !right {
                let reason = "hunter1 is wrong".into();
                let _ = socket.close(Some(CloseFrame { code: code.into(), reason }));
                listen(&mut socket);
                return;
            }
            say(&mut socket, &format!("a = {number}"));
            if number > 0 {
                listen(&mut socket);
            }
        });
        let watched = Watched::start(source(&server).bearer(Token::file(&file)));
        says(&watched, text);
        std::fs::write(&file, "hunter2\n").expect("written");
        watched.until("the repair", |app| app.a > 0);
        watched.until_it_is(SourceState::Following);
        assert!(!watched.story().contains("hunter"), "{}", watched.story());
        watched.end();
    }
}

#[test]
fn after_a_failure_a_replica_is_asked() {
    let _beside = among_others();
    let lives = Arc::new(AtomicUsize::new(0));
    let answer = |name: usize| {
        let lives = lives.clone();
        move |_: usize, head: &Head, stream: &mut TcpStream| {
            let mut socket = socket(head, stream);
            say(&mut socket, &format!("a = {name}"));
            if lives.fetch_add(1, Ordering::SeqCst) > 0 {
                listen(&mut socket);
            }
        }
    };
    let (one, two) = (Scripted::start(answer(1)), Scripted::start(answer(2)));
    let watched = Watched::start(source(&one).replica(&at(&two)));
    watched.until("both were asked", |_| one.asked().len() == 1 && two.asked().len() == 1);
    watched.until_it_is(SourceState::Following);
    watched.end();
}

#[test]
fn the_format_may_be_given() {
    let _beside = among_others();
    let server = server_of("{\"a\": 5}");
    let watched = Watched::start(source(&server).document(Format::Json));
    assert_eq!(watched.config.load().a, 5);
    watched.end();
}
