//! Nacos: the suite over the real server and over one that answers as recorded, and what is Nacos' own: digests, the
//! listener, logins, and a document that is being modified.

mod fake;
mod real;

use crate::rig::{App, BELOW, PATIENCE, Rig, Watched, among_others, brisk, until};
use fake::{Answer, Fake, Name, Request, Users, body, digest, document};
use hotconf::remote::nacos::NacosStore;
use hotconf::remote::{Remote, Token};
use hotconf::{Format, Nacos, SourceExt, SourceState};
use real::Real;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

crate::conformance::suite!(over_nacos, crate::nacos::real::Real::start());
crate::conformance::suite!(over_nacos_as_recorded, Some(crate::nacos::fake::Fake::start()));

fn number(rig: &impl Rig, n: u64) {
    rig.change(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| app.a == n
}

fn source(fake: &Fake) -> Remote<NacosStore> {
    fake.source(fake.address())
}

/// With the settings by which faults are found soon, and no listing that nothing asks for.
fn quiet(source: Remote<NacosStore>) -> Remote<NacosStore> {
    brisk(source).deadline(PATIENCE).resync(Duration::ZERO)
}

// What was recorded.

/// A question and its answer; `…` in a body is anything.
struct Exchange {
    question: String,
    status: u16,
    headers: Vec<String>,
    body: String,
}

/// The exchanges of a section.
fn recorded(section: &str) -> Vec<Exchange> {
    let text = include_str!("recorded.txt");
    let (_, text) = text.split_once(section).expect("a section");
    let text = text.split("\n# ").next().expect("its end");
    text.split("\n\n").filter(|part| part.trim_start().starts_with('>')).map(exchange).collect()
}

fn exchange(text: &str) -> Exchange {
    let lines = |sign: &str| {
        let lines = text.trim().lines().filter_map(|line| line.strip_prefix(sign));
        let lines: Vec<_> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let head = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
        let body = lines.get(head + 1..).unwrap_or_default().join("\n");
        (lines[..head].iter().map(ToString::to_string).collect::<Vec<_>>(), body)
    };
    let ((asked, form), (answered, body)) = (lines(">"), lines("<"));
    let (first, headers) = asked.split_first().expect("a question");
    let headers = headers.iter().map(|line| format!("{line}\r\n")).collect::<Vec<_>>().concat();
    let length = form.len();
    Exchange {
        question: format!("{first} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n{form}"),
        status: answered[0].parse().expect("a status"),
        headers: answered[1..].to_vec(),
        body,
    }
}

/// Asks all of a section, in their order.
fn replay(at: SocketAddr, section: &str) {
    let exchanges = recorded(section);
    assert!(exchanges.len() > 4, "{}", exchanges.len());
    for Exchange { question, status, headers, body } in exchanges {
        let mut stream = TcpStream::connect(at).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(question.as_bytes()).expect("it is asked");
        let mut lines = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            lines.read_line(&mut line).expect("an answer");
            line.trim_end().to_owned()
        };
        let first = line();
        let mut found = Vec::new();
        loop {
            match line() {
                line if line.is_empty() => break,
                line => found.push(line),
            }
        }
        let length = found.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut text = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
        lines.read_exact(&mut text).expect("a body");
        let text = String::from_utf8(text).expect("text");
        found.retain(|line| !line.starts_with("date: ") && !line.starts_with("content-length: "));
        found.sort();
        assert_eq!(first.split(' ').nth(1), Some(&*status.to_string()), "{question}");
        assert_eq!(found, headers, "{question}");
        let alike = match body.split_once('…') {
            Some((front, back)) => text.starts_with(front) && text.ends_with(back),
            None => text == body,
        };
        assert!(alike, "{question}\nexpected {body:?}\nfound    {text:?}");
    }
}

#[test]
fn the_fake_answers_as_the_real_one_did() {
    let _beside = among_others();
    let fake = Fake::start();
    replay(fake.address(), "# Without users.");
    let fake = Fake::start();
    fake.guard(users(true, Duration::from_secs(2)));
    replay(fake.address(), "# With the user shop.");
}

#[test]
fn the_real_one_still_answers_as_it_did() {
    let _beside = among_others();
    let Some(real) = Real::start() else { return };
    replay(real.address(), "# Without users.");
    let Some(real) = Real::guarded() else { return };
    replay(real.address(), "# With the user shop.");
}

// Questions.

#[test]
fn the_listener_is_asked_with_the_digest_of_what_is_there() {
    let _beside = among_others();
    let fake = Fake::start();
    let name: Name = ("ns-1".into(), "SHOP".into(), "main.toml".into());
    let write = |n: u64| fake.publish(&name, Some(&format!("a = {n}\ntext = \"ä\"\n")), None);
    write(1);
    let nacos = Nacos::new(&fake.url()).namespace("ns-1").group("SHOP").data("main.toml");
    let watched = Watched::start(quiet(nacos));
    write(2);
    watched.until("the change", is(2));
    let asked = |n: u64| {
        let known = digest(&format!("a = {n}\ntext = \"ä\"\n"));
        format!("main.toml\u{2}SHOP\u{2}{known}\u{2}ns-1\u{1}")
    };
    let seen = std::cell::RefCell::new(Vec::<Request>::new());
    until("it listens again", || {
        seen.borrow_mut().extend(fake.seen());
        seen.borrow().iter().any(|request| request.form.values().any(|line| *line == asked(2)))
    });
    let seen = seen.into_inner();
    // It reads, asks once without being held, and then is held.
    assert!(seen[0].reads() && seen[0].query["tenant"] == "ns-1", "{seen:?}");
    let listened: Vec<_> = seen.iter().filter(|request| request.listens()).collect();
    assert_eq!(listened[0].form["Listening-Configs"], asked(1));
    let unheld = |request: &Request| request.headers.get("long-pulling-timeout-no-hangup").cloned();
    assert_eq!(unheld(listened[0]), Some("true".into()));
    assert!(listened[1..].iter().all(|request| unheld(request).is_none()), "{listened:?}");
    assert!(listened.iter().all(|request| request.headers["long-pulling-timeout"] == "30000"));
    assert!(seen.iter().all(|request| !request.headers.contains_key("authorization")));
    watched.end();
}

#[test]
fn a_document_that_is_not_there_is_listened_for() {
    let _beside = among_others();
    let fake = Fake::start();
    let watched = Watched::start(quiet(source(&fake)).optional());
    assert_eq!(watched.config.load().text, BELOW);
    until("it listens", || {
        let asked = "app.json\u{2}DEFAULT_GROUP\u{2}\u{1}";
        fake.seen().iter().any(|request| request.form.values().any(|line| line == asked))
    });
    number(&fake, 1);
    watched.until("it is there", is(1));
    // A second reading confirms that it is gone.
    fake.publish(&document(), None, None);
    watched.until("it is gone", is(0));
    number(&fake, 2);
    watched.until("it is back", is(2));
    watched.end();
}

#[test]
fn a_required_document_that_is_removed_stays_in_force() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    let watched = Watched::start(quiet(source(&fake)));
    fake.publish(&document(), None, None);
    until("it is told", || watched.alarms() == 1);
    assert!(watched.story().contains("nothing is there"), "{}", watched.story());
    assert_eq!(watched.config.load().a, 1);
    number(&fake, 2);
    watched.until("it is back", is(2));
    watched.end();
}

#[test]
fn the_path_of_the_address_is_the_context_path() {
    let _beside = among_others();
    let fake = Fake::start();
    fake.instead(|request| {
        let body = "{\"a\": 5}";
        (request.path == "/in/there/v1/cs/configs").then(|| Answer::of(200, body))
    });
    let nacos = Nacos::new(&format!("{}/in/there/", fake.url())).data("app.json");
    let watched = Watched::start(quiet(nacos));
    assert_eq!(watched.config.load().a, 5);
    watched.end();
    // The wrong one takes nothing away, and is named.
    let wrong = Nacos::new(&format!("{}/elsewhere", fake.url())).data("app.json");
    let error =
        Watched::try_start(brisk(wrong).deadline(PATIENCE).optional()).map(|watched| watched.config.status());
    let said = format!("{error:?}");
    assert!(said.contains("path of the address"), "{said}");
}

#[test]
fn after_a_failure_the_next_replica_is_asked() {
    let _beside = among_others();
    let (first, second) = (Fake::start(), Fake::start());
    number(&first, 1);
    number(&second, 1);
    let source = Nacos::new(&first.url()).replica(&second.url()).data("app.json");
    let watched = Watched::start(brisk(source));
    for (n, (away, there)) in [(2, (&first, &second)), (3, (&second, &first))] {
        away.kill();
        number(there, n);
        watched.until("the other one's", is(n));
        watched.until_it_is(SourceState::Following);
        number(away, n);
        away.restart();
    }
    watched.end();
}

// Answers.

#[test]
fn a_document_that_is_being_modified_stays_in_force_and_is_asked_for_soon() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    // At the start, too.
    let busy = Arc::new(AtomicU32::new(2));
    let left = busy.clone();
    fake.instead(move |request| {
        let busy = request.reads()
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        busy.then(|| Answer::of(409, "requested file is being modified, please try later."))
    });
    let watched = Watched::start(quiet(source(&fake)));
    assert_eq!((watched.config.load().a, busy.load(Ordering::SeqCst)), (1, 0));
    busy.store(4, Ordering::SeqCst);
    number(&fake, 2);
    watched.until("it was modified", is(2));
    assert_eq!((watched.alarms(), watched.remote().retries), (0, 0), "{}", watched.story());
    // One that is so for ever is asked at a pace, and is no outage.
    fake.seen();
    busy.store(u32::MAX, Ordering::SeqCst);
    number(&fake, 3);
    std::thread::sleep(Duration::from_secs(2)); // the pace of the real clock
    let asked = fake.seen().len();
    assert!((2..30).contains(&asked), "{asked}");
    assert_eq!((watched.config.load().a, watched.alarms()), (2, 0), "{}", watched.story());
    busy.store(0, Ordering::SeqCst);
    watched.until("it was modified", is(3));
    watched.end();
}

#[test]
fn a_server_that_holds_no_more_questions_is_read_at_a_pace_and_that_is_told() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    let watched = Watched::start(quiet(source(&fake)));
    fake.instead(|request| request.listens().then(|| Answer::of(503, "too many connections")));
    for n in 2..=5 {
        number(&fake, n);
        watched.until("it is read all the same", is(n));
    }
    assert_eq!((watched.alarms(), watched.remote().retries), (1, 0), "{}", watched.story());
    assert!(watched.story().contains("503"), "{}", watched.story());
    let asked = fake.seen().iter().filter(|request| request.listens()).count();
    assert!(asked < 25, "{asked}");
    fake.itself();
    number(&fake, 6);
    watched.until("it is followed", is(6));
    watched.end();
}

#[test]
fn a_server_that_answers_late_is_waited_for() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    fake.instead(|request| {
        let late = Duration::from_millis(700);
        request.reads().then(|| Answer { late, ..Answer::of(200, "{\"a\": 9}") })
    });
    let watched = Watched::start(quiet(source(&fake)));
    assert_eq!((watched.config.load().a, watched.alarms()), (9, 0));
    fake.itself();
    watched.until("what is there now", is(1));
    watched.end();
}

#[test]
fn a_digest_that_is_never_right_is_told_once_and_asked_by() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    // As a server that keeps its text in another encoding: its digests are those of something else.
    let n = Arc::new(AtomicU32::new(1));
    let now = n.clone();
    fake.instead(move |request| {
        let n = now.load(Ordering::SeqCst);
        let own = digest(&format!("another text {n}"));
        if request.reads() {
            return Some(Answer::of(200, &format!("{{\"a\": {n}}}")).with("content-md5", &own));
        }
        let known = request.form.get("Listening-Configs").is_some_and(|line| line.contains(&own));
        let same = Answer { late: Duration::from_millis(1200), ..Answer::of(200, "") };
        Some(if known { same } else { Answer::of(200, "app.json%02DEFAULT_GROUP%01\n") })
    });
    let watched = Watched::start(quiet(source(&fake)));
    std::thread::sleep(Duration::from_secs(2)); // the pace of the real clock
    let asked = fake.seen().len();
    assert!(asked < 12, "{asked}");
    for next in 2..5 {
        n.store(next, Ordering::SeqCst);
        watched.until("the change", is(next.into()));
    }
    until("it is told", || watched.alarms() > 0);
    assert!(watched.story().contains("Content-MD5"), "{}", watched.story());
    assert_eq!((watched.alarms(), watched.remote().retries), (1, 0), "{}", watched.story());
    watched.end();
}

/// A configuration whose listener always answers so, and at once: how often it is asked within a while.
fn tireless(said: &'static str) -> (usize, Watched, Fake) {
    let fake = Fake::start();
    number(&fake, 1);
    fake.instead(move |request| request.listens().then(|| Answer::of(200, said)));
    let watched = Watched::start(quiet(source(&fake)));
    std::thread::sleep(Duration::from_secs(3)); // the pace of the real clock
    let asked = fake.seen().iter().filter(|request| request.listens()).count();
    (asked, watched, fake)
}

#[test]
fn a_listener_that_always_has_news_is_asked_at_a_pace() {
    let _beside = among_others();
    let (asked, watched, fake) = tireless("app.json%02DEFAULT_GROUP%01\n");
    assert!((2..15).contains(&asked), "{asked}");
    assert_eq!((watched.alarms(), watched.remote().retries), (1, 0), "{}", watched.story());
    assert!(watched.story().contains("says again and again"), "{}", watched.story());
    number(&fake, 2);
    watched.until("the change", is(2));
    watched.end();
}

#[test]
fn a_listener_that_holds_no_question_is_asked_at_a_pace() {
    let _beside = among_others();
    let (asked, watched, fake) = tireless("");
    assert!((2..15).contains(&asked), "{asked}");
    assert_eq!((watched.alarms(), watched.remote().retries), (1, 0), "{}", watched.story());
    assert!(watched.story().contains("answers at once"), "{}", watched.story());
    number(&fake, 2);
    fake.itself();
    watched.until("the change", is(2));
    watched.end();
}

type Said = fn() -> Answer;

#[test]
fn what_is_no_document_is_refused_with_the_reason_and_its_repair_applies() {
    let _beside = among_others();
    let fake = Fake::start();
    number(&fake, 1);
    let watched = Watched::start(quiet(source(&fake)));
    let encrypted = || Answer::of(200, "Zm9v").with("encrypted-data-key", "c2VjcmV0");
    let page = || Answer::of(200, "<html>hunter2").with("content-type", "text/html");
    let cases: [(Said, &str); 3] = [
        (encrypted, "encrypted by a plugin"),
        (page, "answered with a page"),
        (|| Answer::of(200, "{\"a\": "), "nacos DEFAULT_GROUP/app.json @ md5 "),
    ];
    for (n, (answer, why)) in (2..).zip(cases) {
        watched.forget();
        fake.instead(move |request| request.reads().then(answer));
        number(&fake, n);
        until("it is told", || watched.story().contains(why));
        assert_eq!(watched.config.load().a, n - 1);
        assert!(!watched.story().contains("c2VjcmV0") && !watched.story().contains("hunter2"));
        fake.itself();
        watched.until("the repair", is(n));
        watched.until_it_is(SourceState::Following);
    }
    // Something else in place of the listener.
    watched.forget();
    fake.instead(|request| request.listens().then(|| Answer::of(200, "<html>hunter2")));
    number(&fake, 9);
    until("it is told", || watched.story().contains("listener"));
    watched.end();
}

#[test]
fn the_servers_type_tells_the_format_where_the_id_does_not() {
    let _beside = among_others();
    let fake = Fake::start();
    let name: Name = (String::new(), "DEFAULT_GROUP".into(), "main".into());
    let kind = Arc::new(AtomicBool::new(true));
    let typed = kind.clone();
    fake.publish(&name, Some("a: 1\ntext: yaml\n"), None);
    fake.instead(move |request| {
        let answer = Answer::of(200, "a: 1\ntext: yaml\n").with("isbeta", "true");
        let kind = if typed.load(Ordering::SeqCst) { "yaml" } else { "text" };
        request.reads().then(|| answer.with("config-type", kind))
    });
    let nacos = || Nacos::new(&fake.url()).data("main");
    let watched = Watched::start(quiet(nacos()));
    assert_eq!(watched.config.load().text, "yaml");
    watched.end();
    kind.store(false, Ordering::SeqCst);
    let error = Watched::try_start(quiet(nacos())).err().expect("nothing tells the format");
    assert!(format!("{error:?}").contains(".document(format)"), "{error:?}");
    let watched = Watched::start(quiet(nacos().document(Format::Yaml)));
    assert_eq!(watched.config.load().text, "yaml");
    watched.end();
}

// Users.

fn users(headers: bool, ttl: Duration) -> Users {
    Users { name: "shop", password: "hunter2".into(), ttl, headers }
}

const HOUR: Duration = Duration::from_secs(3600);

fn guarded(headers: bool, ttl: Duration) -> Fake {
    let fake = Fake::start();
    number(&fake, 1);
    fake.guard(users(headers, ttl));
    fake
}

#[test]
fn who_may_not_read_is_told_why_and_no_secret_with_it() {
    let _beside = among_others();
    let fake = guarded(true, HOUR);
    let refused = |source: Remote<NacosStore>| {
        let error = Watched::try_start(quiet(source)).err().expect("it is refused");
        let said = format!("{error:?}");
        assert!(!said.contains("hunter") && !said.contains("key-of-login"), "{said}");
        said
    };
    let said = refused(source(&fake));
    assert!(said.contains(".user(name, password)"), "{said}");
    let said = refused(source(&fake).user("shop", "hunter3"));
    assert!(said.contains("user `shop` or its password are wrong"), "{said}");
    fake.instead(|request| (!request.logs_in()).then(|| Answer::of(403, "authorization failed!")));
    let said = refused(source(&fake).user("shop", "hunter2"));
    assert!(said.contains("role may not read DEFAULT_GROUP/app.json"), "{said}");
    fake.instead(|request| request.logs_in().then(|| Answer::of(200, "hunter4")));
    let said = refused(source(&fake).user("shop", "hunter2"));
    assert!(said.contains("answered the login with something that is no JSON"), "{said}");
}

#[test]
fn a_token_stands_in_headers_and_never_in_an_address() {
    let _beside = among_others();
    let fake = guarded(true, HOUR);
    let watched = Watched::start(quiet(source(&fake).user("shop", "hunter2")));
    number(&fake, 2);
    watched.until("the change", is(2));
    let seen = fake.seen();
    assert!(seen.iter().any(Request::reads) && seen.iter().any(Request::listens));
    for request in seen {
        let fields = request.query.iter().chain(&request.form);
        let shown = fields.filter(|(_, value)| value.contains("key-of-login")).count();
        assert_eq!(shown, 0, "{request:?}");
        assert!(
            request.logs_in() || request.headers["authorization"] == "Bearer key-of-login-0",
            "{request:?}"
        );
        assert!(request.query.values().all(|value| !value.contains("hunter")));
    }
    assert_eq!((watched.alarms(), fake.logins()), (0, 1), "{}", watched.story());
    watched.end();
}

#[test]
fn a_server_that_looks_for_a_token_among_parameters_alone_gets_it_there_and_that_is_told() {
    let _beside = among_others();
    let fake = guarded(false, HOUR);
    let watched = Watched::start(quiet(source(&fake).user("shop", "hunter2")));
    number(&fake, 2);
    watched.until("the change", is(2));
    until("it is told", || watched.alarms() > 0);
    let story = watched.story();
    assert!(story.contains("only as a parameter") && !story.contains("key-of-login"), "{story}");
    assert_eq!((watched.alarms(), fake.logins()), (1, 1), "{story}");
    watched.end();
}

#[test]
fn a_login_is_renewed_before_it_runs_out() {
    let _beside = among_others();
    let fake = guarded(true, Duration::from_secs(2));
    // Everything is read anew every second, with a token that lives for two.
    let source = quiet(source(&fake).user("shop", "hunter2")).resync(Duration::from_secs(1));
    let watched = Watched::start(source);
    for n in 2..=3 {
        std::thread::sleep(Duration::from_secs(2)); // the token's own clock
        number(&fake, n);
        watched.until("the change", is(n));
    }
    assert_eq!((watched.alarms(), watched.remote().retries), (0, 0), "{}", watched.story());
    assert!((2..8).contains(&fake.logins()), "{}", fake.logins());
    watched.end();
}

#[test]
fn a_refused_token_is_followed_by_one_login_and_then_slow_ones() {
    let _beside = among_others();
    let fake = guarded(true, HOUR);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let watched = Watched::start(brisk(source(&fake).user("shop", Token::file(&file))));
    for n in 2..=3 {
        fake.revoke();
        number(&fake, n);
        watched.until("the change", is(n));
    }
    assert_eq!(watched.alarms(), 0, "nobody hears of it: {}", watched.story());
    // The password is another now, and its file is not.
    fake.guard(Users { password: "hunter5".into(), ..users(true, HOUR) });
    fake.revoke();
    number(&fake, 4);
    watched.until_it_is(SourceState::Stale);
    fake.seen();
    std::thread::sleep(Duration::from_secs(1)); // of slow attempts, 100 to 200 ms apart here
    let logins = fake.seen().iter().filter(|request| request.logs_in()).count();
    assert!((1..12).contains(&logins), "{logins}");
    assert_eq!(watched.config.load().a, 3);
    std::fs::write(&file, "hunter5\n").expect("a file");
    watched.until("the right password", is(4));
    watched.until_it_is(SourceState::Following);
    assert!(!watched.story().contains("hunter"), "{}", watched.story());
    watched.end();
}

#[test]
fn a_user_of_the_real_one_is_followed_through_logins_that_run_out() {
    let _beside = among_others();
    let Some(real) = Real::guarded() else { return };
    let write = |n: u64| {
        let keys = [("a".to_owned(), n.to_string())].into();
        real::publish(real.address(), &body(&keys), Some(&real.token()));
    };
    write(1);
    let source = quiet(real.source(real.address()).user("shop", "hunter2")).resync(Duration::from_secs(1));
    let watched = Watched::start(source);
    for n in 2..=3 {
        std::thread::sleep(Duration::from_secs(2)); // the token's own clock
        write(n);
        watched.until("the change", is(n));
    }
    assert_eq!(watched.alarms(), 0, "{}", watched.story());
    let wrong = real.source(real.address()).user("shop", "hunter3");
    let error = Watched::try_start(quiet(wrong)).err().expect("it is refused");
    assert!(format!("{error:?}").contains("password are wrong"), "{error:?}");
    watched.end();
}
