//! Tests of the session against an etcd that says what it is told to say, over a pipe of bytes, under a clock
//! that is turned by hand; and of the codec, against what an encoder of ours writes.

use super::client::Live;
use super::grpc::Channel;
use super::proto::{put_bytes, put_number};
use super::wire::{self, Event, Frames, Header, Malformed, Page, Pair, Span, Watched};
use super::{Etcd, Settings, Token};
use crate::source::file::fake::{Fake, context};
use crate::source::remote::{Session, Step, Store};
use crate::source::{Context, Cursor, Source, SourceError, SourceErrorKind};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Response};
use proptest::prelude::*;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

const CLUSTER: u64 = 0xfeed;

// --- What an etcd writes.

fn header(revision: u64) -> Header {
    Header { cluster: CLUSTER, revision }
}

fn put_header(out: &mut Vec<u8>, header: Header) {
    let mut inner = Vec::new();
    put_number(&mut inner, 1, header.cluster);
    put_number(&mut inner, 2, 77);
    put_number(&mut inner, 3, header.revision);
    put_number(&mut inner, 4, 2);
    put_bytes(out, 1, &inner);
}

fn put_pair(out: &mut Vec<u8>, field: u64, pair: &Pair) {
    let mut inner = Vec::new();
    put_bytes(&mut inner, 1, &pair.key);
    put_number(&mut inner, 2, 1);
    put_number(&mut inner, 3, pair.revision);
    put_number(&mut inner, 4, 1);
    put_bytes(&mut inner, 5, &pair.value);
    put_bytes(out, field, &inner);
}

fn page_bytes(page: &Page) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(&mut out, page.header);
    page.pairs.iter().for_each(|pair| put_pair(&mut out, 2, pair));
    put_number(&mut out, 3, page.more.into());
    put_number(&mut out, 4, page.pairs.len() as u64);
    out
}

fn watched_bytes(said: &Watched) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(&mut out, said.header);
    put_number(&mut out, 2, said.watch.cast_unsigned());
    put_number(&mut out, 3, said.created.into());
    put_number(&mut out, 4, said.canceled.into());
    put_number(&mut out, 5, said.compacted);
    if !said.reason.is_empty() {
        put_bytes(&mut out, 6, said.reason.as_bytes());
    }
    put_number(&mut out, 7, said.fragment.into());
    for event in &said.events {
        let mut inner = Vec::new();
        put_number(&mut inner, 1, event.deleted.into());
        put_pair(&mut inner, 2, &event.pair);
        put_bytes(&mut out, 11, &inner);
    }
    out
}

fn pair(key: &str, value: &str, revision: u64) -> Pair {
    Pair {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        revision,
    }
}

fn put(key: &str, value: &str, revision: u64) -> Event {
    Event { deleted: false, pair: pair(key, value, revision) }
}

fn gone(key: &str, revision: u64) -> Event {
    Event { deleted: true, pair: pair(key, "", revision) }
}

fn created(revision: u64) -> Watched {
    Watched { header: header(revision), created: true, ..Watched::default() }
}

fn told(revision: u64, events: Vec<Event>) -> Watched {
    Watched { header: header(revision), events, ..Watched::default() }
}

fn canceled(reason: &str) -> Watched {
    Watched { header: header(10), canceled: true, reason: reason.to_owned(), ..Watched::default() }
}

// --- The codec.

fn strings() -> impl Strategy<Value = Bytes> {
    any::<Vec<u8>>().prop_map(Bytes::from)
}

prop_compose! {
    fn pairs()(key in strings(), value in strings(), revision in any::<u64>()) -> Pair {
        Pair { key, value, revision }
    }
}

prop_compose! {
    fn headers()(cluster in any::<u64>(), revision in any::<u64>()) -> Header {
        Header { cluster, revision }
    }
}

proptest! {
    #[test]
    fn a_page_is_read_as_it_was_written(
        header in headers(), pairs in prop::collection::vec(pairs(), 0..6), more: bool,
    ) {
        let page = Page { header, pairs, more };
        prop_assert_eq!(wire::page(page_bytes(&page).into(), 6), Ok(page));
    }

    #[test]
    fn an_answer_of_a_watch_is_read_as_it_was_written(
        header in headers(),
        (watch, created, canceled, compacted, fragment) in
            (any::<i64>(), any::<bool>(), any::<bool>(), any::<u64>(), any::<bool>()),
        reason in "\\PC{0,12}",
        events in prop::collection::vec((any::<bool>(), pairs()), 0..6),
    ) {
        let events = events.into_iter().map(|(deleted, pair)| Event { deleted, pair }).collect();
        let said = Watched { header, watch, created, canceled, compacted, reason, fragment, events };
        prop_assert_eq!(wire::watched(watched_bytes(&said).into()), Ok(said));
    }

    #[test]
    fn no_bytes_make_the_codec_panic(bytes in any::<Vec<u8>>()) {
        let bytes = Bytes::from(bytes);
        let _ = (wire::page(bytes.clone(), 3), wire::watched(bytes.clone()), wire::token(bytes));
    }

    #[test]
    fn frames_are_found_however_they_are_cut(
        messages in prop::collection::vec(any::<Vec<u8>>(), 0..5), cut in 1..9_usize,
    ) {
        let sent: Vec<u8> = messages.iter().flat_map(|message| wire::frame(message).to_vec()).collect();
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for piece in sent.chunks(cut) {
            frames.push(piece);
            while let Some(message) = frames.next(1000).unwrap() {
                found.push(message.to_vec());
            }
        }
        prop_assert!(frames.is_empty());
        prop_assert_eq!(found, messages);
    }
}

#[test]
fn a_frame_that_is_too_long_or_compressed_is_refused_by_its_head() {
    let mut frames = Frames::default();
    frames.push(&[0, 0, 0, 1, 0]);
    assert_eq!(frames.next(255), Err(Malformed::TooLong { found: 256, most: 255 }));
    let mut frames = Frames::default();
    frames.push(&[1, 0, 0, 0, 0]);
    assert_eq!(frames.next(255), Err(Malformed::Compressed));
}

#[test]
fn more_entries_than_were_asked_for_are_refused_before_they_take_room() {
    let page = Page { header: header(1), pairs: vec![Pair::default(); 4], more: false };
    assert_eq!(wire::page(page_bytes(&page).into(), 3), Err(Malformed::TooMany(3)));
}

#[test]
fn a_prefix_ends_before_the_next_key_that_does_not_begin_with_it() {
    let span = Span::prefix("/shop/");
    let asked = wire::range(&span, 0, 0);
    assert_eq!(asked, b"\x0a\x06/shop/\x12\x06/shop0");
    assert!(span.contains(b"/shop/") && span.contains(b"/shop/\xff\xff") && !span.contains(b"/shop0"));
    let all = Span::prefix("");
    assert_eq!(wire::range(&all, 0, 0), b"\x0a\x01\x00\x12\x01\x00", "no key is empty");
    assert!(all.contains(b"anything"));
    let rest = span.after(b"/shop/a");
    assert!(!rest.contains(b"/shop/a") && rest.contains(b"/shop/a\x00") && !rest.contains(b"/shop0"));
    assert!(Span::key("/a").contains(b"/a") && !Span::key("/a").contains(b"/a/b"));
}

#[test]
fn a_message_is_decoded_as_etcd_3_5_sent_it() {
    // As etcd 3.5.16 told `etcdctl put /shop/http/retries 5`.
    let said = b"\n\x1a\x08\xaa\xf4\xe5\xf5\x99\xf3\xeb\xe7\xd1\x01\x10\x8d\xf2\xf4\x8e\xc1\xf7\xa6\xd7\xbd\x01\x18\x06 \x02Z\x1f\x12\x1d\n\x12/shop/http/retries\x10\x05\x18\x06 \x02*\x015";
    let header = Header { cluster: 15_118_495_548_433_857_066, revision: 6 };
    let events = vec![put("/shop/http/retries", "5", 6)];
    let expected = Watched { header, events, ..Watched::default() };
    assert_eq!(wire::watched(Bytes::from_static(said)), Ok(expected));
    // And as it answered a `Range`.
    let said = b"\n\x1a\x08\xaa\xf4\xe5\xf5\x99\xf3\xeb\xe7\xd1\x01\x10\x8d\xf2\xf4\x8e\xc1\xf7\xa6\xd7\xbd\x01\x18\x05 \x02\x12\x1d\n\x12/shop/http/retries\x10\x05\x18\x05 \x01*\x019 \x01";
    let header = Header { revision: 5, ..header };
    let expected = Page { header, pairs: vec![pair("/shop/http/retries", "9", 5)], more: false };
    assert_eq!(wire::page(Bytes::from_static(said), 10), Ok(expected));
}

// --- A server that says what it is told to say.

struct Etcdish {
    calls: mpsc::UnboundedReceiver<(http::Request<RecvStream>, SendResponse<Bytes>)>,
}

/// One call, from the server's side.
struct Asked {
    path: String,
    headers: HeaderMap,
    body: RecvStream,
    frames: Frames,
    respond: Option<SendResponse<Bytes>>,
    stream: Option<SendStream<Bytes>>,
}

impl Etcdish {
    /// Both ends of a pipe; the server's is served as long as the test runs.
    fn open() -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (accepted, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let Ok(mut connection) = h2::server::handshake(theirs).await else { return };
            while let Some(Ok(call)) = connection.accept().await {
                if accepted.send(call).is_err() {
                    return;
                }
            }
        });
        (Self { calls }, ours)
    }

    async fn accept(&mut self) -> Asked {
        let (request, respond) = self.calls.recv().await.expect("a call");
        let (head, body) = request.into_parts();
        let (path, headers) = (head.uri.path().to_owned(), head.headers);
        Asked { path, headers, body, frames: Frames::default(), respond: Some(respond), stream: None }
    }

    /// Answers the next call, which is a `Range`, and says what it asked.
    async fn lists(&mut self, revision: u64, pairs: &[Pair]) -> Bytes {
        let mut asked = self.accept().await;
        assert_eq!(asked.path, "/etcdserverpb.KV/Range");
        let question = asked.hears().await;
        let page = Page { header: header(revision), pairs: pairs.to_vec(), more: false };
        asked.says(&page_bytes(&page));
        asked.ends(0, "");
        question
    }

    async fn watches(&mut self) -> Asked {
        let asked = self.accept().await;
        assert_eq!(asked.path, "/etcdserverpb.Watch/Watch");
        asked
    }
}

impl Asked {
    async fn hears(&mut self) -> Bytes {
        loop {
            if let Some(message) = self.frames.next(1 << 20).unwrap() {
                return message;
            }
            let piece = self.body.data().await.expect("a message").unwrap();
            let _ = self.body.flow_control().release_capacity(piece.len());
            self.frames.push(&piece);
        }
    }

    fn stream(&mut self) -> &mut SendStream<Bytes> {
        let respond = &mut self.respond;
        self.stream.get_or_insert_with(|| {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            respond.take().unwrap().send_response(head, false).unwrap()
        })
    }

    fn says(&mut self, message: &[u8]) {
        self.stream().send_data(wire::frame(message), false).unwrap();
    }

    fn tells(&mut self, said: &Watched) {
        self.says(&watched_bytes(said));
    }

    fn ends(&mut self, code: u32, message: &str) {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.into());
        trailers.insert("grpc-message", message.parse().unwrap());
        self.stream().send_trailers(trailers).unwrap();
    }

    /// An error without any message: headers alone.
    fn refuses(&mut self, code: u32, message: &str) {
        let head = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", code)
            .header("grpc-message", message)
            .body(())
            .unwrap();
        self.respond.take().unwrap().send_response(head, true).unwrap();
    }
}

// --- The client's side.

struct Desk {
    fake: Arc<Fake>,
    cx: Context,
}

/// Runs a test with a session and its server.
fn test<F: Future<Output = ()>>(run: impl FnOnce(Desk) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fake = Fake::new();
    let (cx, _) = context(Arc::new(fake.clone()), Duration::from_secs(2));
    runtime.block_on(run(Desk { fake, cx }));
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

fn settings(user: Option<&str>) -> Arc<Settings> {
    let source = Etcd::new(["http://test:2379"]).prefix("/shop/");
    let source = match user {
        Some(password) => source.user("shop", Token::value(password)),
        None => source,
    };
    source.store().settings.clone()
}

type Line = Live<DuplexStream>;

impl Desk {
    async fn connected(&self) -> (Line, Etcdish) {
        let (server, stream) = Etcdish::open();
        let line = soon(Live::begin(settings(None), stream, "http://test:2379", &self.cx)).await.unwrap();
        (line, server)
    }

    /// A session that has listed `pairs` as of `revision`, and its watch, which is created.
    async fn following(&self, revision: u64, pairs: &[Pair]) -> (Line, Etcdish, Asked) {
        let (mut line, mut server) = self.connected().await;
        let (listing, _) = both(line.next(&self.cx, None), server.lists(revision, pairs)).await;
        assert!(matches!(listing, Ok(Step::Listing { .. })), "{listing:?}");
        let mut watch = {
            let at = at(revision);
            let mut waits = pin!(line.next(&self.cx, Some(&at)));
            let mut accepts = pin!(async {
                let mut watch = server.watches().await;
                watch.hears().await;
                watch
            });
            soon(poll_fn(|task| {
                assert!(waits.as_mut().poll(task).is_pending());
                accepts.as_mut().poll(task)
            }))
            .await
        };
        watch.tells(&created(revision));
        // The wait was dropped: the core then lists anew.
        let (listing, ()) = both(line.next(&self.cx, None), async {
            server.lists(revision, pairs).await;
        })
        .await;
        listing.unwrap();
        drop(watch);
        let watch = self.watched(&mut line, &mut server, revision).await;
        (line, server, watch)
    }

    /// Waits until the new watch of a session is there, without dropping what waits for it.
    async fn watched(&self, line: &mut Line, server: &mut Etcdish, revision: u64) -> Asked {
        let at = at(revision);
        let (step, watch) = both(line.next(&self.cx, Some(&at)), async {
            let mut watch = server.watches().await;
            let question = watch.hears().await;
            assert_eq!(question, wire::watch(&Span::prefix("/shop/"), revision + 1));
            watch.tells(&created(revision));
            watch.tells(&told(revision, vec![]));
            watch
        })
        .await;
        assert!(matches!(step, Ok(Step::Same { .. })), "{step:?}");
        watch
    }

    async fn says(&self, line: &mut Line) -> String {
        words(soon(line.next(&self.cx, Some(&at(0)))).await)
    }
}

fn at(order: u64) -> Cursor {
    Cursor { epoch: CLUSTER, order, token: None }
}

/// A step in a few words.
fn words(step: Result<Step, SourceError>) -> String {
    match step {
        Ok(Step::Listing { all, cursor }) => {
            let all: Vec<_> = all
                .iter()
                .map(|(key, entry)| format!("{key}={}@{}", entry.value().escape_ascii(), entry.revision()))
                .collect();
            format!("list {} at {}", all.join(" "), cursor.order)
        }
        Ok(Step::Delta { changes, cursor }) => {
            let changes: Vec<_> = changes
                .iter()
                .map(|(key, entry)| match entry {
                    Some(entry) => format!("{key}={}@{}", entry.value().escape_ascii(), entry.revision()),
                    None => format!("{key} gone"),
                })
                .collect();
            format!("delta {} at {}", changes.join(" "), cursor.order)
        }
        Ok(Step::Same { cursor }) => format!("same at {}", cursor.order),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

#[test]
fn it_lists_as_of_one_revision_and_watches_from_the_next() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        let pairs = [pair("/shop/a", "1", 3), pair("/shop/b", "2", 8)];
        let (listing, question) = both(line.next(&desk.cx, None), server.lists(8, &pairs)).await;
        assert_eq!(question, wire::range(&Span::prefix("/shop/"), 4096, 0), "linearizable, the newest");
        assert_eq!(words(listing), "list /shop/a=1@3 /shop/b=2@8 at 8");
        let mut watch = desk.watched(&mut line, &mut server, 8).await;
        assert_eq!(watch.headers["hasleader"], "true");
        assert_eq!(watch.headers["te"], "trailers");
        assert!(watch.headers.get("authorization").is_none());
        watch.tells(&told(9, vec![put("/shop/a", "2", 9), gone("/shop/b", 9)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=2@9 /shop/b gone at 9");
    });
}

#[test]
fn headers_of_a_watch_may_come_with_its_first_answer_only() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        both(line.next(&desk.cx, None), server.lists(8, &[])).await.0.unwrap();
        // The server says nothing before it has heard the first question.
        let watch = desk.watched(&mut line, &mut server, 8).await;
        assert!(watch.respond.is_none());
    });
}

#[test]
fn a_long_listing_comes_in_pages_of_one_revision() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        let serves = async {
            let span = Span::prefix("/shop/");
            for (n, (key, more)) in
                [("/shop/a", true), ("/shop/b", true), ("/shop/c", false)].into_iter().enumerate()
            {
                let mut asked = server.accept().await;
                let question = asked.hears().await;
                let expected = match n {
                    0 => wire::range(&span, 4096, 0),
                    1 => wire::range(&span.after(b"/shop/a"), 4096, 8),
                    _ => wire::range(&span.after(b"/shop/b"), 4096, 8),
                };
                assert_eq!(question, expected);
                // The store went on meanwhile, and answers as of the first page.
                let header = header(8 + n as u64);
                asked.says(&page_bytes(&Page { header, pairs: vec![pair(key, "1", 3)], more }));
                asked.ends(0, "");
            }
        };
        let (listing, ()) = both(line.next(&desk.cx, None), serves).await;
        assert_eq!(words(listing), "list /shop/a=1@3 /shop/b=1@3 /shop/c=1@3 at 8");
    });
}

#[test]
fn a_compaction_between_two_pages_begins_anew() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        let serves = async {
            let mut asked = server.accept().await;
            asked.says(&page_bytes(&Page {
                header: header(8),
                pairs: vec![pair("/shop/a", "1", 3)],
                more: true,
            }));
            asked.ends(0, "");
            let mut asked = server.accept().await;
            asked.refuses(11, "etcdserver: mvcc: required revision has been compacted");
        };
        let (listing, ()) = both(line.next(&desk.cx, None), serves).await;
        let said = words(listing);
        assert!(said.starts_with("Gap: required revision has been compacted"), "{said}");
    });
}

#[test]
fn one_answer_of_several_revisions_is_one_change_up_to_the_last() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        // A watch that lags is told the revision of the store, not that of the last event.
        watch.tells(&told(30, vec![put("/shop/a", "1", 9), put("/shop/a", "2", 11), gone("/shop/b", 12)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=1@9 /shop/a=2@11 /shop/b gone at 12");
        watch.tells(&told(30, vec![put("/shop/a", "3", 20)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=3@20 at 20", "the same header, later events");
    });
}

#[test]
fn fragments_of_one_answer_are_one_change() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        let part = |events, fragment| Watched { fragment, ..told(9, events) };
        watch.tells(&part(vec![put("/shop/a", "1", 9)], true));
        watch.tells(&part(vec![put("/shop/b", "2", 9)], true));
        watch.tells(&part(vec![put("/shop/c", "3", 9)], false));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=1@9 /shop/b=2@9 /shop/c=3@9 at 9");
    });
}

#[test]
fn half_an_answer_is_nothing_when_its_stream_breaks() {
    test(|desk| async move {
        let (mut line, mut server, mut watch) = desk.following(8, &[]).await;
        watch.tells(&Watched { fragment: true, ..told(9, vec![put("/shop/a", "1", 9)]) });
        watch.ends(14, "transport is closing");
        assert_eq!(desk.says(&mut line).await, "Down: transport is closing");
        assert_eq!(desk.says(&mut line).await, "Gap: there is no watch to follow");
        let (listing, _) = both(line.next(&desk.cx, None), server.lists(9, &[])).await;
        assert_eq!(words(listing), "list  at 9");
        let mut watch = desk.watched(&mut line, &mut server, 9).await;
        watch.tells(&told(10, vec![put("/shop/b", "2", 10)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/b=2@10 at 10", "without the half");
    });
}

#[test]
fn a_progress_notice_is_a_sign_of_life_for_any_watch() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        watch.tells(&Watched { watch: -1, ..told(20, vec![]) });
        assert_eq!(desk.says(&mut line).await, "same at 8");
        // Servers before 3.5.8 send it ahead of the events that it speaks of.
        watch.tells(&Watched { header: header(20), ..told(20, vec![put("/shop/a", "1", 19)]) });
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=1@19 at 19");
    });
}

#[test]
fn what_the_listing_had_already_is_not_told_again() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[pair("/shop/a", "2", 8)]).await;
        watch.tells(&told(9, vec![put("/shop/a", "1", 7), put("/shop/a", "2", 8)]));
        assert_eq!(desk.says(&mut line).await, "same at 8");
        watch.tells(&told(9, vec![put("/shop/a", "2", 8), put("/shop/a", "3", 9)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=3@9 at 9");
    });
}

#[test]
fn a_compaction_lists_anew_and_watches_from_there() {
    test(|desk| async move {
        let (mut line, mut server, mut watch) = desk.following(8, &[pair("/shop/a", "1", 8)]).await;
        watch.tells(&Watched { compacted: 50, reason: String::new(), ..canceled("") });
        let said = desk.says(&mut line).await;
        assert_eq!(said, "Gap: revisions up to 50 were compacted, and we have seen 8 only");
        let (listing, _) = both(line.next(&desk.cx, None), server.lists(60, &[])).await;
        assert_eq!(words(listing), "list  at 60");
        desk.watched(&mut line, &mut server, 60).await;
    });
}

#[test]
fn another_cluster_or_an_earlier_revision_is_another_history() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        let other = Header { cluster: 5, revision: 9 };
        watch.tells(&Watched { header: other, ..told(9, vec![put("/shop/a", "1", 9)]) });
        assert_eq!(desk.says(&mut line).await, "Gap: expected cluster feed, found 5: the store is another");
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        watch.tells(&told(7, vec![]));
        let said = desk.says(&mut line).await;
        assert!(said.starts_with("Gap: expected revision 8 or a later one, found 7"), "{said}");
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        watch.tells(&told(20, vec![]));
        assert_eq!(desk.says(&mut line).await, "same at 8");
        watch.tells(&told(19, vec![put("/shop/a", "1", 19)]));
        assert!(desk.says(&mut line).await.starts_with("Gap"), "earlier than what a notice said");
    });
}

#[test]
fn a_revision_that_is_too_high_is_noticed_by_the_first_answer_of_the_watch() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        both(line.next(&desk.cx, None), server.lists(1 << 40, &[])).await.0.unwrap();
        let (said, _watch) = both(line.next(&desk.cx, Some(&at(1 << 40))), async {
            let mut watch = server.watches().await;
            watch.tells(&created(8));
            watch
        })
        .await;
        assert!(words(said).starts_with("Gap: expected revision 1099511627776 or a later one, found 8"));
    });
}

#[test]
fn a_proxy_may_leave_the_cluster_out() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        let nameless = Header { cluster: 0, revision: 9 };
        watch.tells(&Watched { header: nameless, ..told(9, vec![put("/shop/a", "1", 9)]) });
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=1@9 at 9");
    });
}

#[test]
fn a_refusal_is_told_with_what_to_do() {
    test(|desk| async move {
        for (reason, said) in [
            ("etcdserver: permission denied", "Denied: permission denied: grant it: `etcdctl role"),
            ("etcdserver: invalid auth token", "Denied: invalid auth token: the login has run out"),
            ("rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old", "Denied"),
            ("etcdserver: no leader", "Down: no leader: this member is cut off"),
            ("etcdserver: mvcc: required revision has been compacted", "Gap"),
            ("the reason of another day", "Down: the reason of another day"),
            ("", "Down: the server ended the watch and says no reason"),
        ] {
            let (mut line, _server, mut watch) = desk.following(8, &[]).await;
            watch.tells(&canceled(reason));
            let found = desk.says(&mut line).await;
            assert!(found.starts_with(said), "{reason}: {found}");
        }
    });
}

#[test]
fn a_member_without_a_leader_is_left() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        let (listing, ()) = both(line.next(&desk.cx, None), async {
            server.accept().await.refuses(14, "etcdserver: no leader");
        })
        .await;
        assert!(words(listing).starts_with("Down: no leader"));
    });
}

#[test]
fn a_silent_watch_is_asked_how_far_it_is_and_then_whether_it_lives() {
    test(|desk| async move {
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        let at = at(8);
        let (said, ()) = both(line.next(&desk.cx, Some(&at)), async {
            tokio::task::yield_now().await;
            desk.fake.turn(Duration::from_secs(20));
            assert_eq!(watch.hears().await, wire::progress());
            watch.tells(&Watched { watch: -1, ..told(8, vec![]) });
        })
        .await;
        assert_eq!(words(said), "same at 8");
        // A server that does not answer to that one (some do not, for a watch that was never hit).
        let (said, ()) = both(line.next(&desk.cx, Some(&at)), async {
            tokio::task::yield_now().await;
            desk.fake.turn(Duration::from_secs(20));
            assert_eq!(watch.hears().await, wire::progress());
            desk.fake.turn(Duration::from_secs(5));
        })
        .await;
        assert_eq!(words(said), "same at 8", "it answers a ping");
        watch.tells(&told(9, vec![put("/shop/a", "1", 9)]));
        assert_eq!(desk.says(&mut line).await, "delta /shop/a=1@9 at 9", "the watch is still followed");
    });
}

#[test]
fn a_user_logs_in_and_shows_the_token_and_logs_in_once_more_when_it_has_run_out() {
    test(|desk| async move {
        let (mut server, stream) = Etcdish::open();
        let login = async |server: &mut Etcdish, token: &str| {
            let mut asked = server.accept().await;
            assert_eq!(asked.path, "/etcdserverpb.Auth/Authenticate");
            assert_eq!(asked.hears().await, &wire::authenticate("shop", "hunter2")[..]);
            let mut answer = Vec::new();
            put_header(&mut answer, header(8));
            put_bytes(&mut answer, 2, token.as_bytes());
            asked.says(&answer);
            asked.ends(0, "");
        };
        let begins = Live::begin(settings(Some("hunter2")), stream, "http://test:2379", &desk.cx);
        let (line, ()) = both(begins, login(&mut server, "t.1")).await;
        let mut line = line.unwrap();
        let (listing, ()) = both(line.next(&desk.cx, None), async {
            let mut asked = server.accept().await;
            assert_eq!(asked.headers["authorization"], "t.1");
            asked.refuses(16, "etcdserver: invalid auth token");
            login(&mut server, "t.2").await;
            let mut asked = server.accept().await;
            assert_eq!(asked.headers["authorization"], "t.2");
            asked.says(&page_bytes(&Page { header: header(8), ..Page::default() }));
            asked.ends(0, "");
        })
        .await;
        assert_eq!(words(listing), "list  at 8");
        let (listing, ()) = both(line.next(&desk.cx, None), async {
            // The watch of the first listing, which is given up.
            server.watches().await;
            server.accept().await.refuses(3, "etcdserver: revision of auth store is old");
            login(&mut server, "t.3").await;
            server.accept().await.refuses(16, "etcdserver: invalid auth token");
        })
        .await;
        assert!(words(listing).starts_with("Denied: invalid auth token"), "once, and no more");
    });
}

#[test]
fn a_wrong_password_is_told_and_not_shown() {
    test(|desk| async move {
        let (mut server, stream) = Etcdish::open();
        let begins = Live::begin(settings(Some("hunter2")), stream, "http://test:2379", &desk.cx);
        let (line, ()) = both(begins, async {
            let why = "etcdserver: authentication failed, invalid user ID or password";
            server.accept().await.refuses(3, why);
        })
        .await;
        let error = line.err().unwrap();
        assert_eq!(error.kind(), SourceErrorKind::Denied);
        let said = error.to_string();
        assert!(said.contains("user or password are wrong") && !said.contains("hunter2"), "{said}");
    });
}

#[test]
fn a_password_that_nobody_asks_for_is_no_mistake() {
    test(|desk| async move {
        let (mut server, stream) = Etcdish::open();
        let begins = Live::begin(settings(Some("hunter2")), stream, "http://test:2379", &desk.cx);
        let (line, ()) = both(begins, async {
            server.accept().await.refuses(9, "etcdserver: authentication is not enabled");
        })
        .await;
        let mut line = line.unwrap();
        assert!(both(line.next(&desk.cx, None), server.lists(1, &[])).await.0.is_ok());
    });
}

/// What a listing says that is answered by `serve`.
async fn listing(desk: &Desk, serve: impl AsyncFnOnce(&mut Asked)) -> String {
    let (mut line, mut server) = desk.connected().await;
    let (said, _asked) = both(line.next(&desk.cx, None), async {
        let mut asked = server.accept().await;
        asked.hears().await;
        serve(&mut asked).await;
        asked
    })
    .await;
    words(said)
}

#[test]
fn an_answer_that_is_none_is_told_as_what_it_is() {
    test(|desk| async move {
        let page = page_bytes(&Page { header: header(8), ..Page::default() });
        let html = listing(&desk, async |asked: &mut Asked| {
            let head = Response::builder().status(502).header("content-type", "text/html").body(()).unwrap();
            asked.respond.take().unwrap().send_response(head, true).unwrap();
        });
        let found = html.await;
        assert!(found.contains("expected gRPC, found HTTP 502 Bad Gateway with text/html"), "{found}");
        let percent =
            listing(&desk, async |asked: &mut Asked| asked.refuses(13, "50%25 of %E2%82%AC, %zz%2")).await;
        assert_eq!(percent, "Down: 50% of €, %zz%2");
        let nothing = listing(&desk, async |asked: &mut Asked| asked.ends(0, "")).await;
        assert_eq!(nothing, "Down: http://test:2379: the answer ended before all of it was there");
        let twice = listing(&desk, async |asked: &mut Asked| {
            asked.says(&page);
            asked.says(&page);
        });
        assert!(twice.await.contains("expected one message, found two"));
        let late = listing(&desk, async |asked: &mut Asked| {
            asked.says(&page);
            asked.ends(14, "too late");
        });
        assert_eq!(late.await, "Down: too late");
        let garbage = listing(&desk, async |asked: &mut Asked| {
            asked.says(&[0x12, 0xff]);
            asked.ends(0, "");
        })
        .await;
        assert!(garbage.starts_with("Down"), "{garbage}");
        let empty = listing(&desk, async |asked: &mut Asked| {
            asked.says(&[]);
            asked.ends(0, "");
        });
        assert!(empty.await.contains("does not say of which cluster"));
        let reset =
            listing(&desk, async |asked: &mut Asked| asked.stream().send_reset(h2::Reason::INTERNAL_ERROR))
                .await;
        assert!(reset.starts_with("Down: http://test:2379: "), "{reset}");
        let foreign = listing(&desk, async |asked: &mut Asked| {
            asked.says(&page_bytes(&Page { header: header(8), pairs: vec![pair("/b", "", 1)], more: false }));
            asked.ends(0, "");
        });
        assert!(foreign.await.contains("a key that was not asked for"));
    });
}

#[test]
fn what_is_larger_than_allowed_is_refused_by_its_length_and_of_a_watch_is_listed() {
    test(|mut desk| async move {
        desk.cx.limits.bytes = 1000;
        let said = listing(&desk, async |asked: &mut Asked| {
            let head = [0, 0x7f, 0, 0, 0];
            asked.stream().send_data(Bytes::copy_from_slice(&head), false).unwrap();
        });
        let said = said.await;
        assert!(
            said.starts_with("Invalid: expected at most") && said.contains("max_document_bytes"),
            "{said}"
        );
        let said = listing(&desk, async |asked: &mut Asked| {
            let pairs = vec![pair("/shop/a", &"x".repeat(2000), 1)];
            asked.says(&page_bytes(&Page { header: header(8), pairs, more: false }));
            asked.ends(0, "");
        });
        assert!(said.await.starts_with("Invalid: expected at most 1000 bytes, found more"));
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        watch.stream().send_data(Bytes::copy_from_slice(&[0, 0x7f, 0, 0, 0]), false).unwrap();
        assert!(desk.says(&mut line).await.starts_with("Gap: expected at most"));
        let (mut line, _server, mut watch) = desk.following(8, &[]).await;
        let large = "x".repeat(300_000);
        let says = async {
            for n in 0..10 {
                watch.tells(&Watched { fragment: true, ..told(9, vec![put("/shop/a", &large, 9)]) });
                if n == 0 {
                    tokio::task::yield_now().await;
                }
            }
        };
        let at = at(8);
        let (said, ()) = both(line.next(&desk.cx, Some(&at)), says).await;
        assert!(
            words(said).starts_with("Gap: one answer has more changes"),
            "fragments do not add up for ever"
        );
    });
}

#[test]
fn a_server_that_closes_the_connection_is_down() {
    test(|desk| async move {
        let (mut line, server, watch) = desk.following(8, &[]).await;
        drop((server, watch));
        assert!(desk.says(&mut line).await.starts_with("Down: "));
    });
}

#[test]
fn what_does_not_speak_http_2_is_told_with_the_likely_mistake() {
    test(|desk| async move {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let speaks = async {
            use tokio::io::AsyncWriteExt;
            theirs.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        };
        let (line, ()) = both(Live::begin(settings(None), ours, "http://test:2379", &desk.cx), speaks).await;
        let said = line.err().unwrap().to_string();
        assert!(said.contains("is this etcd's port for clients"), "{said}");
    });
}

#[test]
fn a_key_that_is_no_text_is_named_by_its_bytes() {
    test(|desk| async move {
        let (mut line, mut server) = desk.connected().await;
        let odd = Pair {
            key: Bytes::from_static(b"/shop/\xff\xfe"),
            value: Bytes::from_static(b"\xff"),
            revision: 2,
        };
        let (listing, _) = both(line.next(&desk.cx, None), server.lists(2, &[odd])).await;
        assert_eq!(words(listing), "list /shop/\\xff\\xfe=\\xff@2 at 2");
    });
}

#[test]
fn a_call_that_is_dropped_is_closed_on_the_server() {
    test(|_| async move {
        let (mut server, stream) = Etcdish::open();
        let mut channel = soon(Channel::open(stream, "http://test:2379")).await.unwrap();
        let call = soon(channel.call("/a/b", None, b"x", 100)).await.unwrap();
        let (_, mut asked) = both(channel.pong(), async { server.accept().await }).await;
        asked.says(b"y");
        drop(call);
        soon(channel.pong()).await.unwrap();
        let reset = soon(poll_fn(|task| asked.stream().poll_reset(task))).await.unwrap();
        assert_eq!(reset, h2::Reason::CANCEL);
    });
}

#[test]
fn it_is_named_without_what_may_be_secret_and_shared_by_what_is_equal() {
    let of = |source: Etcd| source.store().identity();
    let shop = || Etcd::new(["http://a:2379", "http://b:2379"]).prefix("/shop");
    assert_eq!(shop().describe(), "etcd http://a:2379,http://b:2379 /shop/");
    assert_eq!(of(shop()), of(shop()));
    assert_ne!(of(shop()), of(shop().user("shop", "hunter2")));
    assert_ne!(of(shop().user("shop", "hunter2")), of(shop().user("shop", "hunter3")));
    assert_ne!(of(shop()), of(Etcd::new(["http://a:2379", "http://b:2379"]).key("/shop/")));
    let entry = crate::source::remote::Entry::new(*b"x", 8812);
    assert_eq!(
        shop().store().locate("/shop/http/timeout", &entry),
        "etcd /shop/http/timeout @ revision 8812"
    );
    let said = format!("{:?} {:?}", shop().user("shop", "hunter2"), of(shop().user("shop", "hunter2")));
    assert!(!said.contains("hunter2"), "{said}");
    let wrong = Etcd::new(["http://root:hunter2@a:2379"]).prefix("/shop");
    assert_eq!(wrong.describe(), "etcd (no address) /shop/");
}

#[test]
fn what_is_missing_or_wrong_in_the_settings_is_told_at_the_first_attempt() {
    test(|desk| async move {
        let said = async |source: Etcd| {
            let error = source.store().connect(&desk.cx, 0).await.err().unwrap();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
            error.to_string()
        };
        assert!(said(Etcd::new(["http://a:2379"])).await.contains(".prefix("));
        assert!(said(Etcd::new([""; 0]).prefix("/")).await.contains("Etcd::new"));
        assert!(said(Etcd::new(["a:2379"]).prefix("/")).await.contains("expected an address"));
        assert!(said(Etcd::new(["http://a:2379/v3"]).prefix("/")).await.contains("without a path"));
        assert!(!said(Etcd::new(["http://u:hunter2@a:2379"]).prefix("/")).await.contains("hunter2"));
    });
}
