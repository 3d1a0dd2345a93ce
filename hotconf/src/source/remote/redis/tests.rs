//! Tests of the codec, and of the session against a Redis that says what it is told to say, over a pipe of bytes,
//! under a clock that is turned by hand.

use super::client::{Live, News};
use super::wire::{Malformed, Replies, Reply, command, literally};
use super::{Redis, Settings};
use crate::source::file::fake::{Fake, context};
use crate::source::remote::{Session, Step, Store};
use crate::source::{Context, Cursor, Source, SourceError, SourceErrorKind};
use proptest::prelude::*;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const MOST: usize = 1 << 20;

// --- The codec.

fn written(reply: &Reply, out: &mut Vec<u8>) {
    let mut many = |sign: char, list: &[Reply]| {
        out.extend_from_slice(format!("{sign}{}\r\n", list.len()).as_bytes());
        for reply in list {
            written(reply, out);
        }
    };
    match reply {
        Reply::List(list) => many('*', list),
        Reply::Push(list) => many('>', list),
        Reply::Text(text) => {
            out.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
        Reply::Error(said) => out.extend_from_slice(format!("-{said}\r\n").as_bytes()),
        Reply::Number(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
        Reply::Null => out.extend_from_slice(b"_\r\n"),
    }
}

fn replies() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        any::<Vec<u8>>().prop_map(Reply::Text),
        "[A-Z]{1,9} [a-zé ]{0,9}".prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Number),
        Just(Reply::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list = prop::collection::vec(inner, 0..4);
        prop_oneof![list.clone().prop_map(Reply::List), list.prop_map(Reply::Push)]
    })
}

fn read(bytes: &[u8], most: usize) -> Result<Vec<Reply>, Malformed> {
    let mut replies = Replies::default();
    replies.push(bytes);
    std::iter::from_fn(|| replies.next(most).transpose()).collect()
}

proptest! {
    #[test]
    fn a_reply_is_read_as_it_was_written_in_whatever_pieces_it_comes(
        said in prop::collection::vec(replies(), 1..4), piece in 1_usize..40,
    ) {
        let mut bytes = Vec::new();
        for reply in &said {
            written(reply, &mut bytes);
        }
        let (mut replies, mut read) = (Replies::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            replies.push(piece);
            while let Some(reply) = replies.next(MOST).unwrap() {
                read.push(reply);
            }
        }
        prop_assert_eq!(read, said);
    }

    #[test]
    fn no_bytes_make_the_codec_panic(bytes in any::<Vec<u8>>(), most in 0_usize..100) {
        let _ = read(&bytes, most);
    }

    #[test]
    fn no_bytes_that_look_like_replies_make_the_codec_panic(text in "[-+:$*%~>|_!=#,(0-9a-z\r\n]{0,60}", lines: bool) {
        let text = if lines { text.replace('\n', "\r\n") } else { text };
        let _ = read(text.as_bytes(), 50);
    }

    #[test]
    fn a_command_is_read_as_the_list_of_its_words(words in prop::collection::vec(any::<Vec<u8>>(), 1..6)) {
        let said = read(&command(&words), MOST).unwrap();
        prop_assert_eq!(said, vec![Reply::List(words.into_iter().map(Reply::Text).collect())]);
    }
}

fn text(text: &str) -> Reply {
    Reply::Text(text.into())
}

#[test]
fn the_shapes_of_both_versions_are_read() {
    let of = |bytes: &str| read(bytes.as_bytes(), MOST).unwrap();
    assert_eq!(of("+OK\r\n$-1\r\n*-1\r\n"), [text("OK"), Reply::Null, Reply::Null]);
    assert_eq!(of("%1\r\n+a\r\n:1\r\n"), [Reply::List(vec![text("a"), Reply::Number(1)])]);
    assert_eq!(of("~1\r\n#t\r\n,1.5\r\n(123\r\n"), [Reply::List(vec![text("t")]), text("1.5"), text("123")]);
    assert_eq!(of("=7\r\ntxt:abc\r\n!5\r\nERR x\r\n"), [text("abc"), Reply::Error("ERR x".into())]);
    assert_eq!(of("|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n"), [text("v")], "a remark is passed over");
    assert_eq!(of("*0\r\n*1\r\n*0\r\n").len(), 2);
    assert_eq!(of("$3\r\nab"), []);
}

#[test]
fn a_length_that_is_announced_is_refused_before_anything_comes() {
    let long = Err(Malformed::TooLong { most: 100 });
    for bytes in [
        "$101\r\n",
        "*34\r\n",
        "%17\r\n",
        "*2\r\n$95\r\n",
        "*9223372036854775807\r\n",
        "$9223372036854775807\r\n",
        "%9223372036854775807\r\n",
    ] {
        assert_eq!(read(bytes.as_bytes(), 100), long, "{bytes:?}");
    }
    assert_eq!(read(b"$-2\r\n", 100), Err(Malformed::Number));
    assert_eq!(read(b"*?\r\n", 100), Err(Malformed::Number));
    assert_eq!(read(b"HTTP/1.1 400\r\n", 100), Err(Malformed::Sign(b'H')));
    assert_eq!(read(b"$1\r\nabc", 100), Err(Malformed::End));
    assert_eq!(read(&b"*1\r\n".repeat(20), 100), Err(Malformed::Depth));
    assert_eq!(read(&b"+".repeat(20 << 10), MOST), Err(Malformed::End));
}

#[test]
fn a_pattern_stands_for_the_text_as_it_is() {
    assert_eq!(literally(b"a*b?[c]\\^"), b"a\\*b\\?\\[c\\]\\\\\\^");
}

// --- The session.

/// A Redis that says what it is told to say.
struct Redisish(DuplexStream, Replies);

impl Redisish {
    /// The next command, as one text.
    async fn hears(&mut self) -> String {
        loop {
            if let Some(Reply::List(words)) = self.1.next(MOST).unwrap() {
                let words = words.into_iter().filter_map(Reply::into_text);
                let words: Vec<_> = words.map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
                return words.join(" ");
            }
            let mut piece = vec![0; 4096];
            let length = self.0.read(&mut piece).await.unwrap();
            assert!(length > 0, "the client hung up");
            self.1.push(&piece[..length]);
        }
    }

    async fn says(&mut self, said: &str) {
        self.0.write_all(said.as_bytes()).await.unwrap();
    }

    /// Answers a command that is expected.
    async fn answers(&mut self, asked: &str, said: &str) {
        assert_eq!(self.hears().await, asked);
        self.says(said).await;
    }
}

struct Desk {
    cx: Context,
    fake: Arc<Fake>,
}

const HELLO: &str = "%2\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
const TRACKS: &str = "CLIENT TRACKING ON BCAST PREFIX shop:";

fn bulk(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    words.concat()
}

fn list(words: &[&str]) -> String {
    format!("*{}\r\n{}", words.len(), bulk(words))
}

fn invalidates(keys: &[&str]) -> String {
    format!(">2\r\n{}{}", bulk(&["invalidate"]), list(keys))
}

impl Desk {
    async fn begin(
        &self,
        source: &Redis,
        says: impl AsyncFnOnce(&mut Redisish),
    ) -> (Result<Live<DuplexStream>, SourceError>, Redisish) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut server = Redisish(theirs, Replies::default());
        let settings: Arc<Settings> = source.store().settings.clone();
        let (live, ()) =
            both(Live::begin(settings, ours, "redis://test:6379", &self.cx), says(&mut server)).await;
        (live, server)
    }

    /// A session that follows `shop:a` and `shop:b`, both `1`.
    async fn following(&self) -> (Live<DuplexStream>, Redisish) {
        let (live, mut server) = self
            .begin(&Redis::new("redis://test").prefix("shop:"), async |server| {
                server.answers("HELLO 3 SETNAME hotconf", HELLO).await;
                server.answers(TRACKS, "+OK\r\n").await;
            })
            .await;
        let mut live = live.unwrap();
        let lists = async {
            server.answers(SCAN, &format!("*2\r\n{}{}", bulk(&["0"]), list(&["shop:a", "shop:b"]))).await;
            server.answers("MGET shop:a shop:b", &list(&["1", "1"])).await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let (said, ()) = both(live.next(&self.cx, None), lists).await;
        assert_eq!(words(said), "list shop:a=1 shop:b=1");
        assert_eq!(live.news(), News::Tracking);
        (live, server)
    }
}

const SCAN: &str = "SCAN 0 MATCH shop:* COUNT 1000";

fn test<F: Future<Output = ()>>(run: impl FnOnce(Desk) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fake = Fake::new();
        let (cx, _) = context(Arc::new(fake.clone()), Duration::ZERO);
        let ran = run(Desk { cx, fake });
        tokio::time::timeout(Duration::from_secs(60), ran).await.expect("it hangs");
    });
}

async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b) = (None, None);
    poll_fn(|task| {
        if a.is_none()
            && let Poll::Ready(done) = first.as_mut().poll(task)
        {
            a = Some(done);
        }
        if b.is_none()
            && let Poll::Ready(done) = second.as_mut().poll(task)
        {
            b = Some(done);
        }
        if a.is_some() && b.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (a.expect("done"), b.expect("done"))
}

fn words(said: Result<Step, SourceError>) -> String {
    let value = |entry: &crate::source::remote::Entry| String::from_utf8_lossy(entry.value()).into_owned();
    match said {
        Ok(Step::Listing { all, .. }) => {
            all.iter().fold("list".to_owned(), |said, (key, entry)| format!("{said} {key}={}", value(entry)))
        }
        Ok(Step::Delta { changes, .. }) => changes.iter().fold("delta".to_owned(), |said, (key, entry)| {
            format!("{said} {key}={}", entry.as_ref().map_or("-".to_owned(), value))
        }),
        Ok(Step::Same { .. }) => "same".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

fn any_place() -> Cursor {
    Cursor::default()
}

#[test]
fn a_change_that_is_told_behind_the_reply_makes_it_read_again() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        let says = async {
            server.says(&invalidates(&["shop:a"])).await;
            // A transaction of both came before the reply was made, and is told behind it.
            assert_eq!(server.hears().await, "MGET shop:a");
            server.says(&format!("{}{}", list(&["2"]), invalidates(&["shop:a", "shop:b"]))).await;
            server.answers("PING", "+PONG\r\n").await;
            server.answers("MGET shop:a shop:b", &list(&["2", "2"])).await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let (said, ()) = both(live.next(&desk.cx, Some(&any_place())), says).await;
        assert_eq!(words(said), "delta shop:a=2 shop:b=2");
    });
}

#[test]
fn a_key_that_comes_while_all_are_listed_is_read_with_them() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        let says = async {
            server.answers(SCAN, &format!("*2\r\n{}{}", bulk(&["7"]), list(&["shop:a"]))).await;
            server.says(&invalidates(&["shop:a", "shop:c"])).await;
            let next = SCAN.replace("SCAN 0", "SCAN 7");
            server.answers(&next, &format!("*2\r\n{}{}", bulk(&["0"]), list(&["shop:a"]))).await;
            server.answers("MGET shop:a shop:c", &list(&["2", "2"])).await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let (said, ()) = both(live.next(&desk.cx, None), says).await;
        assert_eq!(words(said), "list shop:a=2 shop:c=2");
    });
}

#[test]
fn an_emptied_database_is_listed_and_other_databases_change_nothing() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        let says = async {
            server.says(&format!(">2\r\n{}_\r\n", bulk(&["invalidate"]))).await;
            server.answers(SCAN, &format!("*2\r\n{}*0\r\n", bulk(&["0"]))).await;
            server.answers("PING", "+PONG\r\n").await;
            // The same key of another database: nothing is new in ours.
            server.says(&invalidates(&["shop:a"])).await;
            server.answers("MGET shop:a", "*1\r\n_\r\n").await;
            server.answers("TYPE shop:a", "+none\r\n").await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let follows = async {
            assert_eq!(words(live.next(&desk.cx, Some(&any_place())).await), "list");
            assert_eq!(words(live.next(&desk.cx, Some(&any_place())).await), "same");
        };
        both(follows, says).await;
    });
}

#[test]
fn what_a_dropped_wait_had_asked_is_passed_over() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        server.says(&invalidates(&["shop:a"])).await;
        {
            let place = any_place();
            let follows = live.next(&desk.cx, Some(&place));
            // It has asked, and is dropped before the answer.
            let (dropped, ()) = both(tokio::time::timeout(Duration::from_millis(100), follows), async {
                assert_eq!(server.hears().await, "MGET shop:a");
            })
            .await;
            assert!(dropped.is_err());
        }
        let says = async {
            server.says(&list(&["stale"])).await;
            server.answers(SCAN, &format!("*2\r\n{}{}", bulk(&["0"]), list(&["shop:a"]))).await;
            server.answers("MGET shop:a", &list(&["3"])).await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let (said, ()) = both(live.next(&desk.cx, None), says).await;
        assert_eq!(words(said), "list shop:a=3");
    });
}

#[test]
fn a_quiet_server_is_asked_and_by_the_timer_what_is_known_is_read() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        desk.fake.turn(Duration::from_secs(10));
        // What concerns nobody here comes all the time.
        server.says(&invalidates(&["shopping"])).await;
        let says = async {
            tokio::task::yield_now().await;
            desk.fake.turn(Duration::from_secs(16));
            server.says(&invalidates(&["shopping"])).await;
            server.answers("PING", "+PONG\r\n").await;
            desk.fake.turn(Duration::from_secs(11));
            server.answers("MGET shop:a shop:b", &list(&["1", "5"])).await;
            server.answers("PING", "+PONG\r\n").await;
        };
        let follows = async {
            assert_eq!(words(live.next(&desk.cx, Some(&any_place())).await), "same");
            let said = words(live.next(&desk.cx, Some(&any_place())).await);
            assert_eq!(said, "delta shop:b=5");
        };
        both(follows, says).await;
    });
}

#[test]
fn what_a_server_says_that_cannot_be_is_told() {
    test(|desk| async move {
        for (said, told) in [
            ("*1\r\n+x\r\n", "another reply"),
            ("*3\r\n+x\r\n+y\r\n+z\r\n", "another reply"),
            ("$5\r\n", "Down"),
            ("HTTP/1.1 400 Bad Request\r\n", "this is no Redis"),
            ("$999999999999\r\n", "max_document_bytes"),
            ("-LOADING Redis is loading the dataset in memory\r\n", "has just started"),
            ("-MOVED 1 10.0.0.1:1\r\n", "cluster"),
        ] {
            let (mut live, mut server) = desk.following().await;
            let says = async move {
                assert_eq!(server.hears().await, SCAN);
                server.says(said).await;
            };
            let (heard, ()) = both(live.next(&desk.cx, None), says).await;
            let heard = words(heard);
            assert!(heard.contains(told), "{said:?}: {heard}");
        }
    });
}

#[test]
fn an_error_that_comes_unasked_is_told() {
    test(|desk| async move {
        let (mut live, mut server) = desk.following().await;
        let says = server.says("-ERR max number of clients reached\r\n");
        let (heard, ()) = both(live.next(&desk.cx, Some(&any_place())), says).await;
        assert!(words(heard).contains("maxclients"));
    });
}

#[test]
fn what_does_not_speak_redis_is_told_with_the_likely_mistake_and_no_password() {
    test(|desk| async move {
        let source = || Redis::new("redis://test").prefix("shop:").user("shop", "hunter2");
        let greets = "HELLO 3 AUTH shop hunter2 SETNAME hotconf";
        let failed = async |said: &str| {
            let (live, _) = desk.begin(&source(), async |server| server.answers(greets, said).await).await;
            let error = live.err().unwrap();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            (error.kind(), error.to_string())
        };
        let (kind, said) = failed("\x15\x03\x03\x00\x02").await;
        assert!(kind == SourceErrorKind::Down && said.contains("`redis` or `rediss`"), "{said}");
        let (kind, _) = failed("-WRONGPASS invalid username-password pair or user is disabled.\r\n").await;
        assert_eq!(kind, SourceErrorKind::Denied);
        let (kind, said) = failed("-DENIED Redis is running in protected mode\r\n").await;
        assert!(kind == SourceErrorKind::Denied && said.contains("requirepass"), "{said}");
        let (kind, said) = failed("%1\r\n+mode\r\n+sentinel\r\n").await;
        assert!(kind == SourceErrorKind::Invalid && said.contains("sentinel"), "{said}");
        let (_, said) = failed("-ERR strange, with args beginning with: `AUTH` `shop` `hunter2`\r\n").await;
        assert!(said.contains("strange"), "{said}");
    });
}

// --- Settings.

#[test]
fn it_is_named_without_what_may_be_secret_and_shared_by_what_is_equal() {
    let of = |source: Redis| source.store().identity();
    let shop = || Redis::new("redis://h").prefix("shop");
    assert_eq!(shop().describe(), "redis://h:6379 shop:");
    assert_eq!(
        Redis::new("redis://h").replica("redis://i:1").prefix("").describe(),
        "redis://h:6379,redis://i:1"
    );
    assert_eq!(of(shop()), of(shop()));
    let others: [fn(Redis) -> Redis; 7] = [
        |redis| redis.user("shop", "hunter2"),
        |redis| redis.password("hunter2"),
        |redis| redis.password("hunter3"),
        |redis| redis.database(1),
        |redis| redis.every(Duration::from_secs(1)),
        |redis| redis.hash("shop:"),
        |redis| redis.replica("redis://i"),
    ];
    let mut seen = vec![of(shop())];
    for other in others {
        let identity = of(other(shop()));
        assert!(!seen.contains(&identity));
        seen.push(identity);
    }
    let said = format!("{:?} {:?}", shop().password("hunter2"), of(shop().password("hunter2")));
    assert!(!said.contains("hunter2"), "{said}");
    let wrong = Redis::new("redis://:hunter2@h").prefix("shop");
    assert_eq!(wrong.describe(), "redis (no address) shop:");
}

#[test]
fn what_is_missing_or_wrong_in_the_settings_is_told_at_the_first_attempt() {
    test(|desk| async move {
        let said = async |source: Redis| {
            let error = source.store().connect(&desk.cx, 0).await.err().unwrap();
            assert_eq!(error.kind(), SourceErrorKind::Invalid);
            error.to_string()
        };
        assert!(said(Redis::new("redis://h")).await.contains(".prefix("));
        assert!(said(Redis::new("h:6379").prefix("")).await.contains("expected an address"));
        let both = Redis::new("redis://h").replica("redis://u:hunter2@i").prefix("");
        let said = said(both).await;
        assert!(said.contains(".user(name, password)") && !said.contains("hunter2"), "{said}");
    });
}
