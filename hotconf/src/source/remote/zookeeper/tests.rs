//! Tests of the session against a `ZooKeeper` that says what it is told to say, over a pipe of bytes, under a clock that
//! is turned by hand; and of the codec, against bytes of all kinds.

use super::client::{Failure, Live, Manner};
use super::tree::{Item, Span, Tree};
use super::wire::{self, Frames, Happened, Malformed, Question, Stat};
use super::{Settings, Token, ZooKeeper};
use crate::source::file::fake::{Fake, context};
use crate::source::remote::{Session, Step, Store};
use crate::source::{Context, Cursor, Source, SourceError, SourceErrorKind};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

// --- What a server says.

const NO_NODE: i32 = -101;

/// The server's end.
struct Keeperish {
    stream: DuplexStream,
    frames: Frames,
}

/// A question as it came: its number, its kind, what follows.
type Heard = (i32, i32, Vec<u8>);

fn answer(number: i32, zxid: i64, error: i32, body: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &zxid.to_be_bytes(), &error.to_be_bytes(), body].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

fn stat(mzxid: i64, pzxid: i64, children: i32) -> Vec<u8> {
    let mut out = Vec::new();
    for long in [1, mzxid, 0, 0_i64] {
        out.extend_from_slice(&long.to_be_bytes());
    }
    out.extend_from_slice(&[0; 12 + 8 + 4]);
    out.extend_from_slice(&children.to_be_bytes());
    out.extend_from_slice(&pzxid.to_be_bytes());
    out
}

fn data(value: &str, mzxid: i64) -> Vec<u8> {
    [text(value), stat(mzxid, mzxid, 0)].concat()
}

fn folder(children: i32, mzxid: i64) -> Vec<u8> {
    [text(""), stat(mzxid, mzxid, children)].concat()
}

fn names(names: &[&str], pzxid: i64) -> Vec<u8> {
    let mut out = u32::try_from(names.len()).unwrap().to_be_bytes().to_vec();
    for name in names {
        out.extend(text(name));
    }
    [out, stat(1, pzxid, 0)].concat()
}

fn event(kind: i32, path: &str) -> Vec<u8> {
    let body = [&kind.to_be_bytes()[..], &3_i32.to_be_bytes(), &text(path)].concat();
    answer(-1, -1, 0, &body)
}

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

fn welcome(timeout_ms: i32) -> Vec<u8> {
    let session = 7_i64.to_be_bytes();
    [&[0; 4][..], &timeout_ms.to_be_bytes(), &session, &16_i32.to_be_bytes(), &[9; 16], &[0]].concat()
}

impl Keeperish {
    async fn frame(&mut self) -> Vec<u8> {
        loop {
            if let Some(frame) = self.frames.next(1 << 20).unwrap() {
                return frame;
            }
            let mut room = [0; 4096];
            let read = self.stream.read(&mut room).await.unwrap();
            assert!(read > 0, "the client is gone");
            self.frames.push(&room[..read]);
        }
    }

    async fn hears(&mut self) -> Heard {
        let frame = self.frame().await;
        let int = |at: usize| i32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        (int(0), int(4), frame[8..].to_vec())
    }

    async fn says(&mut self, message: &[u8]) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], message].concat()).await.unwrap();
    }

    /// Hears one question, which is this, and answers it.
    async fn answers(&mut self, asked: &str, zxid: i64, error: i32, body: &[u8]) {
        let heard = self.hears().await;
        assert_eq!(named(&heard), asked);
        self.says(&answer(heard.0, zxid, error, body)).await;
    }

    /// Lets a client in whose watches last.
    async fn lets_in(&mut self) {
        self.frame().await;
        self.says(&welcome(3000)).await;
        self.answers("addWatch /shop +1", 5, 0, &[]).await;
    }

    /// The beginning of each listing.
    async fn begins(&mut self, zxid: i64) {
        self.answers("sync /shop", zxid, 0, &text("/shop")).await;
        self.answers("addWatch /shop +1", zxid, 0, &[]).await;
    }

    /// Lists two nodes as of 8.
    async fn lists(&mut self) {
        self.begins(8).await;
        self.answers("children /shop", 8, 0, &names(&["a", "b"], 4)).await;
        self.answers("data /shop/a", 8, 0, &data("1", 6)).await;
        self.answers("data /shop/b", 8, 0, &data("2", 7)).await;
    }
}

/// A question in words; a one stands for a watch.
fn named((_, kind, body): &Heard) -> String {
    let name = match kind {
        3 => "exists",
        4 => "data",
        9 => "sync",
        11 => "ping",
        12 => "children",
        100 => "login",
        106 => "addWatch",
        -11 => "close",
        other => panic!("what is {other}?"),
    };
    let Some((length, rest)) = body.split_first_chunk::<4>() else { return name.to_owned() };
    let (path, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).unwrap_or_default();
    let mark = if rest.last() == Some(&1) { " +1" } else { "" };
    format!("{name} {}{mark}", String::from_utf8_lossy(path))
}

// --- The client's side.

type Line = Live<DuplexStream>;

struct Desk {
    fake: Arc<Fake>,
    cx: Context,
    seen: Arc<AtomicI64>,
}

/// Runs a test with a session and its server.
fn test<F: Future<Output = ()>>(run: impl FnOnce(Desk) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fake = Fake::new();
    let (cx, _) = context(Arc::new(fake.clone()), Duration::from_secs(2));
    runtime.block_on(run(Desk { fake, cx, seen: Arc::default() }));
}

/// Waits for what happens in this process alone: it has happened after some turns, or never will.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    for _ in 0..10_000 {
        if let Poll::Ready(done) = poll_fn(|task| Poll::Ready(what.as_mut().poll(task))).await {
            return done;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not happen");
}

async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    soon(poll_fn(|task| {
        if first.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(task)
        {
            first = Some(done);
        }
        if second.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(task)
        {
            second = Some(done);
        }
        if first.is_some() && second.is_some() { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
    (first.unwrap(), second.unwrap())
}

fn settings(source: &ZooKeeper) -> Arc<Settings> {
    source.store().settings.clone()
}

fn shop() -> ZooKeeper {
    ZooKeeper::new(["zk:1"]).prefix("/shop")
}

impl Desk {
    /// A session that begins, and what the server does meanwhile.
    async fn begin<F: AsyncFnOnce(&mut Keeperish)>(
        &self,
        source: &ZooKeeper,
        manner: Manner,
        server: F,
    ) -> (Result<Line, Failure>, Keeperish) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut keeper = Keeperish { stream: theirs, frames: Frames::default() };
        let begun = Live::begin(settings(source), ours, "zk:1", self.seen.clone(), manner, &self.cx);
        let (line, ()) = both(begun, server(&mut keeper)).await;
        (line, keeper)
    }

    async fn connected(&self) -> (Line, Keeperish) {
        let (line, keeper) =
            self.begin(&shop(), Manner::default(), async |keeper| keeper.lets_in().await).await;
        (line.ok().unwrap(), keeper)
    }

    /// A session that has listed `a` and `b` as of 8.
    async fn following(&self) -> (Line, Keeperish) {
        let (mut line, mut keeper) = self.connected().await;
        let (listing, ()) = both(line.next(&self.cx, None), keeper.lists()).await;
        assert_eq!(words(listing), "list /shop/a=1@6 /shop/b=2@7 at 7");
        (line, keeper)
    }

    /// What comes next, while the server does this.
    async fn next<F: AsyncFnOnce(&mut Keeperish)>(
        &self,
        line: &mut Line,
        keeper: &mut Keeperish,
        server: F,
    ) -> String {
        let at = Cursor::default();
        let (step, ()) = both(line.next(&self.cx, Some(&at)), server(keeper)).await;
        words(step)
    }
}

/// A step in a few words.
fn words(step: Result<Step, SourceError>) -> String {
    let entry = |(key, entry): (&Arc<str>, &crate::source::remote::Entry)| {
        format!("{key}={}@{}", entry.value().escape_ascii(), entry.revision())
    };
    match step {
        Ok(Step::Listing { all, cursor }) => {
            let all: Vec<_> = all.iter().map(entry).collect();
            format!("list {} at {}", all.join(" "), cursor.order)
        }
        Ok(Step::Delta { changes, cursor }) => {
            let change = |(key, now): &(Arc<str>, Option<_>)| match now {
                Some(now) => entry((key, now)),
                None => format!("{key} gone"),
            };
            let changes: Vec<_> = changes.iter().map(change).collect();
            format!("delta {} at {}", changes.join(" "), cursor.order)
        }
        Ok(Step::Same { cursor }) => format!("same at {}", cursor.order),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

#[test]
fn it_watches_then_reads_and_then_reads_what_it_is_told_of() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHANGED, "/shop/b")).await;
                keeper.answers("data /shop/b", 9, 0, &data("3", 9)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/b=3@9 at 9");
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(DELETED, "/shop/a")).await;
                keeper.says(&event(CREATED, "/shop/c")).await;
                keeper.answers("data /shop/a", 11, NO_NODE, &[]).await;
                keeper.answers("data /shop/c", 11, 0, &data("4", 11)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a gone /shop/c=4@11 at 11");
        assert_eq!(desk.seen.load(Ordering::Relaxed), 11);
    });
}

#[test]
fn a_transaction_that_is_told_node_by_node_is_told_on_as_one() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHANGED, "/shop/a")).await;
                let (number, ..) = keeper.hears().await;
                // The rest of it was under way.
                keeper.says(&event(CHANGED, "/shop/b")).await;
                keeper.says(&answer(number, 9, 0, &data("x", 9))).await;
                keeper.answers("data /shop/b", 9, 0, &data("y", 9)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a=x@9 /shop/b=y@9 at 9");
    });
}

#[test]
fn what_moves_while_it_is_read_is_read_again_before_anything_is_told() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHANGED, "/shop/a")).await;
                keeper.says(&event(CHANGED, "/shop/b")).await;
                keeper.answers("data /shop/a", 9, 0, &data("x", 9)).await;
                // The next transaction writes both again.
                keeper.says(&event(CHANGED, "/shop/a")).await;
                keeper.answers("data /shop/b", 10, 0, &data("yy", 10)).await;
                keeper.answers("data /shop/a", 10, 0, &data("xx", 10)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a=xx@10 /shop/b=yy@10 at 10");
    });
}

#[test]
fn what_is_whole_is_told_though_more_is_on_its_way() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHANGED, "/shop/a")).await;
                keeper.says(&event(CHANGED, "/shop/b")).await;
                keeper.answers("data /shop/a", 9, 0, &data("x", 9)).await;
                let (number, ..) = keeper.hears().await;
                // Both were right as of 9; what comes after that waits.
                keeper.says(&event(CHANGED, "/shop/a")).await;
                keeper.says(&answer(number, 10, 0, &data("y", 9))).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a=x@9 /shop/b=y@9 at 9");
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.answers("data /shop/a", 10, 0, &data("xx", 10)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a=xx@10 at 10");
    });
}

#[test]
fn a_listing_is_of_one_state_though_the_store_moves_under_it() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.connected().await;
        let server = async {
            keeper.begins(8).await;
            keeper.answers("children /shop", 8, 0, &names(&["a", "f", "zookeeper"], 4)).await;
            keeper.answers("data /shop/a", 8, 0, &data("1", 6)).await;
            keeper.answers("data /shop/f", 8, 0, &folder(1, 3)).await;
            keeper.answers("data /shop/zookeeper", 8, 0, &data("only at the root", 3)).await;
            keeper.says(&event(CHANGED, "/shop/a")).await;
            keeper.says(&event(CHANGED, "/shop/f/x")).await;
            keeper.answers("children /shop/f", 9, 0, &names(&["x"], 3)).await;
            keeper.answers("data /shop/a", 9, 0, &data("2", 9)).await;
            keeper.answers("data /shop/f/x", 9, 0, &data("2", 9)).await;
        };
        let (listing, ()) = both(line.next(&desk.cx, None), server).await;
        assert_eq!(words(listing), "list /shop/a=2@9 /shop/f/x=2@9 /shop/zookeeper=only at the root@3 at 9");
    });
}

#[test]
fn answers_that_nobody_waits_for_any_more_are_passed_over() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        keeper.says(&event(CHANGED, "/shop/a")).await;
        {
            let at = Cursor::default();
            let mut waits = pin!(line.next(&desk.cx, Some(&at)));
            let mut hears = pin!(keeper.hears());
            let heard = soon(poll_fn(|task| {
                assert!(waits.as_mut().poll(task).is_pending());
                hears.as_mut().poll(task)
            }))
            .await;
            assert_eq!((heard.0, named(&heard)), (7, "data /shop/a".to_owned()));
        }
        // The wait was dropped: the core then lists anew.
        let server = async {
            keeper.says(&answer(7, 9, 0, &data("late", 9))).await;
            keeper.begins(9).await;
            keeper.answers("children /shop", 9, 0, &names(&["a"], 4)).await;
            keeper.answers("data /shop/a", 9, 0, &data("new", 9)).await;
        };
        let (listing, ()) = both(line.next(&desk.cx, None), server).await;
        assert_eq!(words(listing), "list /shop/a=new@9 at 9");
    });
}

#[test]
fn a_ping_goes_out_after_a_third_of_the_timeout_also_while_others_are_told_of() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        assert_eq!(line.quiet(), Duration::from_secs(2));
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                desk.fake.turn(Duration::from_millis(999));
                keeper.says(&event(-1, "")).await;
                tokio::task::yield_now().await;
                desk.fake.turn(Duration::from_millis(1));
                assert_eq!(named(&keeper.hears().await), "ping");
                keeper.says(&answer(-2, 12, 0, &[])).await;
            })
            .await;
        assert_eq!(said, "same at 7");
    });
}

#[test]
fn a_server_that_is_older_than_3_6_is_followed_by_standard_watches() {
    test(|desk| async move {
        let (line, _) = desk
            .begin(&shop(), Manner::default(), async |keeper| {
                keeper.frame().await;
                keeper.says(&welcome(3000)).await;
                keeper.answers("addWatch /shop +1", 5, -6, &[]).await;
            })
            .await;
        assert!(matches!(line.err().unwrap(), Failure::Old));
        let standard = Manner { standard: true, read_only: false };
        let (line, mut keeper) = desk
            .begin(&shop(), standard, async |keeper| {
                keeper.frame().await;
                keeper.says(&welcome(3000)).await;
            })
            .await;
        let mut line = line.ok().unwrap();
        // Nothing is there: its coming is watched.
        let server = async {
            keeper.answers("sync /shop", 8, 0, &text("/shop")).await;
            keeper.answers("children /shop +1", 8, NO_NODE, &[]).await;
        };
        let (listing, ()) = both(line.next(&desk.cx, None), server).await;
        assert_eq!(words(listing), "list  at 8");
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.answers("exists /shop +1", 8, NO_NODE, &[]).await;
                keeper.says(&event(CREATED, "/shop")).await;
                keeper.answers("children /shop +1", 9, 0, &names(&["a"], 9)).await;
                keeper.answers("data /shop/a +1", 9, 0, &data("1", 9)).await;
                keeper.answers("children /shop/a +1", 9, 0, &names(&[], 9)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a=1@9 at 9");
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHILDREN, "/shop/a")).await;
                keeper.answers("children /shop/a +1", 10, 0, &names(&["x"], 10)).await;
                keeper.answers("data /shop/a/x +1", 10, 0, &data("2", 10)).await;
                keeper.answers("children /shop/a/x +1", 10, 0, &names(&[], 10)).await;
            })
            .await;
        assert_eq!(said, "delta /shop/a/x=2@10 at 10");
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                for (kind, path) in [(DELETED, "/shop/a/x"), (DELETED, "/shop/a"), (CHILDREN, "/shop")] {
                    keeper.says(&event(kind, path)).await;
                }
                for _ in 0..5 {
                    let heard = keeper.hears().await;
                    match &*named(&heard) {
                        "children /shop +1" => {
                            keeper.says(&answer(heard.0, 12, 0, &names(&[], 12))).await;
                        }
                        _ => keeper.says(&answer(heard.0, 12, NO_NODE, &[])).await,
                    }
                }
            })
            .await;
        assert_eq!(said, "delta /shop/a gone /shop/a/x gone at 12");
    });
}

#[test]
fn a_node_that_may_not_be_read_is_named_with_what_to_do() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CREATED, "/shop/c")).await;
                keeper.answers("data /shop/c", 9, -102, &[]).await;
            })
            .await;
        assert!(said.starts_with("Denied: we may not read /shop/c: grant READ on it"), "{said}");
    });
}

#[test]
fn a_server_that_cannot_be_believed_is_left() {
    test(|desk| async move {
        for (lie, told) in [
            (answer(-2, 7, 0, &[]), "expected transaction 0x8 or a later one, found 0x7"),
            (answer(99, 9, 0, &[]), "it answered what was not asked"),
            (event(CHANGED, "/other"), "a node that was not asked for"),
            (vec![1, 2, 3], "ends in the middle"),
        ] {
            let (mut line, mut keeper) = desk.following().await;
            let said = desk.next(&mut line, &mut keeper, async |keeper| keeper.says(&lie).await).await;
            assert!(said.starts_with("Down: zk:1: ") && said.contains(told), "{said}");
        }
        let (mut line, mut keeper) = desk.following().await;
        let said = desk
            .next(&mut line, &mut keeper, async |keeper| {
                keeper.says(&event(CHANGED, "/shop/a")).await;
                keeper.answers("data /shop/a", 9, 0, &data("1", i64::MAX)).await;
            })
            .await;
        assert!(said.contains("written after the answer"), "{said}");
        let (mut line, mut keeper) = desk.following().await;
        let said = desk.next(&mut line, &mut keeper, async |keeper| keeper.says(&event(7, "")).await).await;
        assert!(said.starts_with("Gap: "), "a watch that is gone is no news of a server: {said}");
    });
}

#[test]
fn a_server_without_a_session_is_told_with_the_likely_mistakes() {
    test(|desk| async move {
        let hangs_up = async |keeper: &mut Keeperish| {
            keeper.frame().await;
            keeper.stream.shutdown().await.unwrap();
        };
        let (line, _) = desk.begin(&shop(), Manner::default(), hangs_up).await;
        let Err(Failure::Closed(error)) = line else { panic!("it hung up") };
        assert!(error.to_string().contains("(`.tls()`)"), "{error}");
        for (said, told) in [
            (welcome(0), "gives no session"),
            (answer(0, 0, -119, &[]), "localSessionsEnabled"),
            (b"HTTP/1.1 400".to_vec(), "is this ZooKeeper's port"),
        ] {
            let strange = async |keeper: &mut Keeperish| {
                keeper.frame().await;
                keeper.says(&said).await;
            };
            let (line, _) = desk.begin(&shop(), Manner::default(), strange).await;
            let Err(Failure::Error(error)) = line else { panic!("there is no session") };
            assert!(error.to_string().contains(told), "{error}");
        }
    });
}

#[test]
fn a_session_begins_with_what_was_seen_and_who_we_are_and_ends_with_a_word() {
    test(|desk| async move {
        desk.seen.store(77, Ordering::Relaxed);
        let source = shop().digest("shop", Token::value("hunter2"));
        let (line, mut keeper) = desk
            .begin(&source, Manner::default(), async |keeper| {
                let hello = keeper.frame().await;
                assert_eq!(hello[4..12], 77_i64.to_be_bytes());
                assert_eq!(hello[12..16], 30_000_i32.to_be_bytes());
                keeper.says(&welcome(3000)).await;
                let (number, kind, body) = keeper.hears().await;
                assert_eq!((number, kind), (-4, 100));
                assert!(body.ends_with(&[text("digest"), text("shop:hunter2")].concat()));
                keeper.says(&answer(-4, 0, 0, &[])).await;
                keeper.answers("addWatch /shop +1", 80, 0, &[]).await;
            })
            .await;
        drop(line);
        assert_eq!(named(&soon(keeper.hears()).await), "close");
        let (line, _) = desk
            .begin(&source, Manner::default(), async |keeper| {
                keeper.frame().await;
                keeper.says(&welcome(3000)).await;
                keeper.hears().await;
                keeper.says(&answer(-4, 0, -115, &[])).await;
            })
            .await;
        let Err(Failure::Error(error)) = line else { panic!("it is refused") };
        assert_eq!(error.kind(), SourceErrorKind::Denied);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    });
}

#[test]
fn a_store_of_more_nodes_than_there_is_room_for_is_refused_before_they_are_held() {
    test(|desk| async move {
        let (mut line, mut keeper) = desk.connected().await;
        // Short names far below: a small answer would become a large map.
        let deep = format!("/shop/{}", "d".repeat(60_000));
        let many: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let server = async {
            keeper.begins(8).await;
            keeper.answers("children /shop", 8, 0, &names(&[&deep[6..]], 4)).await;
            keeper.answers(&format!("data {deep}"), 8, 0, &folder(2000, 4)).await;
            keeper.answers(&format!("children {deep}"), 8, 0, &names(&many, 4)).await;
        };
        let (listing, ()) = both(line.next(&desk.cx, None), server).await;
        let said = words(listing);
        assert!(said.starts_with("Invalid: ") && said.contains("max_document_bytes"), "{said}");
    });
}

#[test]
fn it_is_named_without_what_may_be_secret_and_shared_by_what_is_equal() {
    let of = |source: ZooKeeper| source.store().identity();
    let shop = || ZooKeeper::new(["a:1,b:2/eu"]).prefix("/shop");
    assert_eq!(shop().describe(), "zookeeper a:1,b:2/eu /shop/");
    assert_eq!(of(shop()), of(ZooKeeper::new(["a:1/eu", "b:2/eu"]).prefix("/shop/")));
    assert_ne!(of(shop()), of(shop().digest("shop", "hunter2")));
    assert_ne!(of(shop().digest("shop", "hunter2")), of(shop().digest("shop", "hunter3")));
    for other in [
        shop().tls(),
        shop().read_only(),
        shop().session_timeout(Duration::from_secs(9)),
        ZooKeeper::new(["a:1,b:2/eu"]).key("/shop/"),
        ZooKeeper::new(["a:1,b:2"]).prefix("/shop"),
    ] {
        assert_ne!(of(shop()), of(other));
    }
    let entry = crate::source::remote::Entry::new(*b"x", 0x1c);
    assert_eq!(
        shop().store().locate("/shop/http/timeout", &entry),
        "zookeeper /shop/http/timeout @ revision 0x1c"
    );
    let guarded = shop().digest("shop", "hunter2");
    let said = format!("{guarded:?} {:?}", guarded.store().identity());
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(ZooKeeper::new(["u:hunter2@a:1"]).prefix("/shop").describe(), "zookeeper (no address) /shop/");
}

#[test]
fn what_is_missing_or_wrong_in_the_settings_is_told_at_the_first_attempt() {
    test(|desk| async move {
        let said = async |source: ZooKeeper| {
            let error = source.store().connect(&desk.cx, 0).await.err().unwrap();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
            error.to_string()
        };
        assert!(said(ZooKeeper::new(["a:1"])).await.contains(".prefix("));
        assert!(said(ZooKeeper::new([""; 0]).prefix("/")).await.contains("ZooKeeper::new"));
        assert!(said(ZooKeeper::new(["a:x"]).prefix("/")).await.contains("10.0.0.1:2181"));
        for path in ["shop", "/a//b/", "/a/../b", ""] {
            let told = said(ZooKeeper::new(["a:1"]).key(path)).await;
            assert!(told.contains("expected a path"), "{told}");
        }
        assert!(said(ZooKeeper::new(["a:1"]).prefix("shop")).await.contains("expected a path"));
    });
}

#[test]
fn paths_are_told_apart_from_those_that_begin_alike() {
    let set = settings(&ZooKeeper::new(["a:1/eu"]).prefix("/"));
    assert_eq!(set.user_path("/eu/shop"), Some("/shop"));
    assert_eq!(set.user_path("/eu"), Some("/"));
    assert_eq!(set.user_path("/europe"), None);
    assert_eq!((&*set.whole("/"), &*set.whole("/shop")), ("/eu", "/eu/shop"));
    let set = settings(&shop());
    assert_eq!(set.user_path("/shop"), Some("/shop"));
}

// --- What is told is a state that the store was in, whatever happens between two messages.

/// A server in which transactions, reads and messages under way are interleaved by chance.
#[derive(Default)]
struct World {
    /// Value and `mzxid` of each node below `/shop`, as of each transaction.
    states: Vec<BTreeMap<String, (u8, i64)>>,
    pzxid: i64,
    asked: VecDeque<Item>,
    out: VecDeque<Message>,
}

enum Message {
    Event(Happened, String),
    /// As of a transaction: the names, or the node.
    Names(Vec<String>, i64, i64),
    Node(Item, Option<(u8, i64)>, i64),
}

impl World {
    fn now(&self) -> i64 {
        i64::try_from(self.states.len()).unwrap() - 1
    }

    /// One transaction over some of four nodes; what it writes is its own number.
    fn commit(&mut self, which: u8) {
        let mut state = self.states.last().unwrap().clone();
        let zxid = self.now() + 1;
        for node in 0..4 {
            let path = format!("/shop/{node}");
            match (which >> (2 * node) & 3, state.contains_key(&path)) {
                (1 | 3, there) => {
                    state.insert(path.clone(), (u8::try_from(zxid % 250).unwrap() + 1, zxid));
                    let happened = if there { Happened::Changed } else { Happened::Created };
                    self.pzxid = if there { self.pzxid } else { zxid };
                    self.out.push_back(Message::Event(happened, path));
                }
                (2, true) => {
                    state.remove(&path);
                    self.pzxid = zxid;
                    self.out.push_back(Message::Event(Happened::Deleted, path));
                }
                _ => {}
            }
        }
        self.states.push(state);
    }

    fn answer(&mut self) {
        let Some(item) = self.asked.pop_front() else { return };
        let (state, at) = (self.states.last().unwrap(), self.now());
        self.out.push_back(match &item {
            Item::Children(_) => {
                let names = state.keys().map(|path| path["/shop/".len()..].to_owned());
                Message::Names(names.collect(), self.pzxid, at)
            }
            item => Message::Node(item.clone(), state.get(&**item.path()).copied(), at),
        });
    }
}

/// A client as the session is, with what it told.
struct Told {
    tree: Tree,
    heard: i64,
    under_way: usize,
    all: Option<BTreeMap<String, (u8, i64)>>,
    times: usize,
}

impl Told {
    fn hear(&mut self, world: &mut World) {
        match world.out.pop_front() {
            None => {}
            Some(Message::Event(happened, path)) => {
                self.tree.hear(happened, &path, self.heard).unwrap();
            }
            Some(Message::Names(names, pzxid, at)) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let stat = Stat { mzxid: 0, pzxid, children: 0 };
                self.tree.children(&"/shop".into(), &names, stat, at).unwrap();
                (self.heard, self.under_way) = (at, self.under_way - 1);
            }
            Some(Message::Node(item, node, at)) => {
                match node {
                    Some((value, mzxid)) => {
                        let stat = Stat { mzxid, pzxid: 0, children: 0 };
                        self.tree.data(item.path(), &[value], stat, at).unwrap();
                    }
                    None => self.tree.absent(&item, at).unwrap(),
                }
                (self.heard, self.under_way) = (at, self.under_way - 1);
            }
        }
        loop {
            while let Some(item) = self.tree.next() {
                world.asked.push_back(item);
                self.under_way += 1;
            }
            if self.under_way > 0 {
                return;
            }
            if self.tree.is_whole() {
                self.tell(world);
            }
            if !self.tree.is_stale() {
                return;
            }
            self.tree.begin_round();
        }
    }

    fn tell(&mut self, world: &World) {
        let read = |entry: &crate::source::remote::Entry| {
            (entry.value()[0], i64::try_from(entry.revision()).unwrap())
        };
        let all = match &mut self.all {
            None => {
                let all = self.tree.all();
                self.all.insert(all.iter().map(|(path, entry)| (path.to_string(), read(entry))).collect())
            }
            Some(all) => {
                for (path, entry) in self.tree.changes() {
                    match entry {
                        Some(entry) => all.insert(path.to_string(), read(&entry)),
                        None => all.remove(&*path),
                    };
                }
                all
            }
        };
        self.times += 1;
        let then = usize::try_from(self.tree.newest()).unwrap();
        assert_eq!(*all, world.states[then], "as of {then}");
    }
}

proptest! {
    #[test]
    fn what_is_told_is_always_a_state_that_the_store_was_in(
        steps in prop::collection::vec((0_u8..8, any::<u8>()), 0..200),
    ) {
        let mut world = World { states: vec![BTreeMap::new()], ..World::default() };
        let span = Span { root: "/shop".into(), below: true, system: false };
        let tree = Tree::new(span, false, 1 << 20);
        let mut told = Told { tree, heard: 0, under_way: 0, all: None, times: 0 };
        told.hear(&mut world);
        for (step, which) in steps {
            match step {
                0 | 1 => world.commit(which),
                2..=4 => world.answer(),
                _ => told.hear(&mut world),
            }
        }
        // In the end, once nobody writes any more, all of it is told.
        for _ in 0..200 {
            world.answer();
            told.hear(&mut world);
        }
        prop_assert!(world.out.is_empty() && world.asked.is_empty());
        prop_assert_eq!(told.all.as_ref(), world.states.last());
        prop_assert!(told.times > 0);
    }
}

// --- The codec.

#[test]
fn questions_are_written_as_the_protocol_has_them() {
    let frame = wire::question(7, Question::Data { path: "/a", watch: true });
    assert_eq!(**frame, [0, 0, 0, 15, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 2, b'/', b'a', 1]);
    let frame = wire::question(7, Question::Ping);
    assert_eq!(**frame, [0, 0, 0, 8, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 11]);
    let frame = wire::connect(1, 2, true);
    assert_eq!((frame.len(), frame.last()), (4 + 45, Some(&1)));
}

#[test]
fn a_message_that_is_too_long_is_refused_by_its_length_alone() {
    let mut frames = Frames::default();
    frames.push(&[0, 0, 1, 0]);
    assert_eq!(frames.next(255), Err(Malformed::TooLong { found: 256, most: 255 }));
    let mut frames = Frames::default();
    frames.push(&[0xff, 0, 0, 0]);
    assert!(matches!(frames.next(255), Err(Malformed::Length(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = wire::welcome(&bytes);
        let _ = wire::refused(&bytes);
        let _ = wire::header(&bytes);
        let _ = wire::event(&bytes);
        let _ = wire::data(&bytes);
        let _ = wire::children(&bytes);
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_none(
        children in prop::collection::vec("[a-z]{1,9}", 0..9),
        value in "[a-z]{0,30}",
        at in any::<prop::sample::Index>(),
    ) {
        let refs: Vec<&str> = children.iter().map(String::as_str).collect();
        let whole = names(&refs, 3);
        prop_assert_eq!(wire::children(&whole).unwrap().0, refs);
        prop_assert_eq!(wire::children(&whole[..at.index(whole.len())]), Err(Malformed::Cut));
        let whole = data(&value, 5);
        prop_assert_eq!(wire::data(&whole).unwrap().0, value.as_bytes());
        prop_assert_eq!(wire::data(&whole[..at.index(whole.len())]), Err(Malformed::Cut));
        let whole = event(1, &value);
        let (_, body) = wire::header(&whole).unwrap();
        prop_assert_eq!(wire::event(body).unwrap(), (Happened::Created, &*value));
    }

    #[test]
    fn messages_come_whole_from_pieces_of_any_size(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..9),
        size in 1_usize..60,
    ) {
        let mut all = Vec::new();
        for message in &messages {
            all.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            all.extend_from_slice(message);
        }
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for piece in all.chunks(size) {
            frames.push(piece);
            while let Some(message) = frames.next(50).unwrap() {
                found.push(message);
            }
        }
        prop_assert_eq!(found, messages);
    }
}
