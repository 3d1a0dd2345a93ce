//! The session with one server of an ensemble: login, watches, listing, changes. The only file here that waits.

use super::line::{Broken, Line};
use super::refusal::{self, judge};
use super::tree::{Item, Tree, Wrong};
use super::wire::{self, Question};
use super::{Settings, ZooKeeperStore};
use crate::race::{Either, race};
use crate::source::remote::net::{Endpoint, Stream, dial};
use crate::source::remote::{Session, Step};
use crate::source::{Context, Cursor, SourceError, SourceErrorKind};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// Connecting has this time for all servers, less than the core's deadline, so that one that hangs does not keep us
/// from the others.
const TURN: Duration = Duration::from_secs(9);
/// So many reads are under way at most; a server takes a thousand from all its clients before it lets them wait.
const WINDOW: usize = 128;
/// What an answer has besides a node's data.
const AROUND: usize = 64 << 10;

/// A session with one server of the ensemble.
pub struct ZooKeeperSession(Live<Stream>);

/// The session, over any stream of bytes.
pub(super) struct Live<T: AsyncRead + AsyncWrite + Unpin> {
    settings: Arc<Settings>,
    /// Which server this is, for messages.
    name: Box<str>,
    line: Line<T>,
    /// How long the session lives without a word.
    timeout: Duration,
    read_only: bool,
    /// The server is older than 3.6: its watches tell once, and of one node.
    standard: bool,
    /// The number of the last question.
    number: i32,
    /// What was asked, in order: the answers come in the same.
    asked: VecDeque<(i32, Asked)>,
    tree: Tree,
    /// The last transaction that the server has shown.
    heard: i64,
    /// The same, of all sessions.
    seen: Arc<AtomicI64>,
    /// Where the state that was told last is.
    told: i64,
    /// When we last said something.
    spoke: Instant,
}

/// What a question was.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Item(Item),
    /// A sync, or a watch.
    Other(&'static str),
    /// Nobody waits for it any more.
    Nothing,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Answer,
    Event,
    Pong,
}

/// Why no session began.
pub(super) enum Failure {
    /// The server has closed the connection instead of saying anything.
    Closed(SourceError),
    /// It knows no lasting watches.
    Old,
    Error(SourceError),
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Error(error)
    }
}

/// Opens a session with the first server that lets us in. Whoever connects again has lost the one that was tried last, or
/// was given no time for more: the turn is then already at the next.
pub(super) async fn connect(
    store: &ZooKeeperStore,
    servers: &[Endpoint],
    cx: &Context,
) -> Result<ZooKeeperSession, SourceError> {
    // One that has lost the others is taken only where no other is left.
    let ways: &[bool] = if store.settings.read_only { &[false, true] } else { &[false] };
    let share = TURN / u32::try_from(servers.len() * ways.len()).unwrap_or(u32::MAX).max(1);
    let (mut failed, mut closed) = (Vec::new(), false);
    for &read_only in ways {
        for _ in servers {
            let server = &servers[store.turn.fetch_add(1, Ordering::Relaxed) % servers.len()];
            let why = match race(open(store, server, read_only, cx), cx.sleep(share)).await {
                Either::First(Ok(session)) => return Ok(ZooKeeperSession(session)),
                // The others would say the same.
                Either::First(Err(Failure::Error(error))) if error.kind() == SourceErrorKind::Denied => {
                    return Err(error);
                }
                Either::First(Err(Failure::Error(error))) => error.to_string(),
                Either::First(Err(Failure::Closed(error))) => {
                    closed = true;
                    error.to_string()
                }
                Either::First(Err(Failure::Old)) => unreachable!("it is opened another way"),
                Either::Second(()) => {
                    format!("{} did not answer within {share:?}", server.host_and_port())
                }
            };
            if !failed.contains(&why) {
                failed.push(why);
            }
        }
    }
    if closed {
        // A server whose history ends before what we have seen lets us in no more. Where there is no other, it was wiped
        // or restored, and what it says now counts. That nobody is behind the leader is seen to by a sync.
        store.seen.store(0, Ordering::Relaxed);
    }
    Err(SourceError::down(failed.join("; ")))
}

async fn open(
    store: &ZooKeeperStore,
    server: &Endpoint,
    read_only: bool,
    cx: &Context,
) -> Result<Live<Stream>, Failure> {
    let mut standard = false;
    loop {
        let stream = dial(server, &store.settings.transport, &[], cx).await.map_err(with_remedy)?;
        let (settings, seen) = (store.settings.clone(), store.seen.clone());
        let name = server.host_and_port();
        match Live::begin(settings, stream, &name, seen, Manner { standard, read_only }, cx).await {
            // It closes a session in which it was asked for what it does not know.
            Err(Failure::Old) if !standard => standard = true,
            other => return other,
        }
    }
}

/// How a session is begun.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    pub(super) standard: bool,
    pub(super) read_only: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Live<T> {
    /// Begins a session on an open stream, and logs in.
    pub(super) async fn begin(
        settings: Arc<Settings>,
        stream: T,
        name: &str,
        seen: Arc<AtomicI64>,
        manner: Manner,
        cx: &Context,
    ) -> Result<Self, Failure> {
        let most = cx.limits.bytes.saturating_add(AROUND);
        let mut line = Line::new(stream, most);
        let asked = i32::try_from(settings.session_timeout.as_millis()).unwrap_or(i32::MAX).max(1);
        line.say(wire::connect(seen.load(Ordering::Relaxed), asked, manner.read_only));
        let answer = line.hear().await.map_err(|broken| match broken {
            Broken::Closed => Failure::Closed(closed_at_once(name, settings.tls)),
            Broken::Error(why) => Failure::Error(not_ours(name, &why)),
        })?;
        if let Some(error) = wire::refused(&answer) {
            return Err(Failure::Error(SourceError::down(format!("{name}: {}", judge(error, "a session")))));
        }
        let welcome = wire::welcome(&answer).map_err(|why| not_ours(name, &why.to_string()))?;
        if welcome.timeout_ms == 0 {
            return Err(Failure::Error(SourceError::down(format!("{name} gives no session"))));
        }
        line.ends_with(wire::question(i32::MAX, Question::Close));
        let tree = Tree::new(settings.span(), manner.standard, most);
        let mut live = Self {
            settings,
            name: name.into(),
            line,
            timeout: Duration::from_millis(welcome.timeout_ms.into()),
            read_only: welcome.read_only,
            standard: manner.standard,
            number: 0,
            asked: VecDeque::new(),
            tree,
            heard: 0,
            seen,
            told: 0,
            spoke: cx.now(),
        };
        live.log_in(cx).await?;
        if !live.standard {
            // Asked alone: a server that does not know it answers nothing that follows.
            live.watch();
            let answer = live.hear_frame().await?;
            let (header, _) = wire::header(&answer).map_err(|why| live.lied(&why.to_string()))?;
            if header.error == refusal::UNIMPLEMENTED {
                return Err(Failure::Old);
            }
            live.take(&answer)?;
        }
        Ok(live)
    }

    /// Adds the user to the session, where there is one. Whether the password is right shows at the first node.
    async fn log_in(&mut self, cx: &Context) -> Result<(), SourceError> {
        let settings = self.settings.clone();
        let Some((user, password)) = &settings.user else { return Ok(()) };
        let password = password.read(cx).await?;
        self.line.say(wire::login(user, &password));
        let answer = self.hear_frame().await?;
        let (header, _) = wire::header(&answer).map_err(|why| self.lied(&why.to_string()))?;
        match header {
            wire::Header { number: wire::AUTH, error: 0, .. } => Ok(()),
            wire::Header { number: wire::AUTH, error, .. } => Err(self.judged(error, "")),
            _ => Err(self.lied("it answered something else than the login")),
        }
    }

    fn watch(&mut self) {
        let span = self.settings.span();
        let (path, below) = (self.settings.whole(&span.root), span.below);
        self.ask(Asked::Other("addWatch"), Question::AddWatch { path: &path, below });
    }

    fn ask(&mut self, what: Asked, question: Question<'_>) {
        self.number = self.number.checked_add(1).unwrap_or(1);
        self.line.say(wire::question(self.number, question));
        self.asked.push_back((self.number, what));
    }

    /// Everything.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        // Answers to what a dropped wait had asked still come.
        self.asked.iter_mut().for_each(|(_, asked)| *asked = Asked::Nothing);
        let most = cx.limits.bytes.saturating_add(AROUND);
        self.tree = Tree::new(self.settings.span(), self.standard, most);
        self.spoke = cx.now();
        // A follower may be behind, and one that has lost the others has nobody to ask.
        if !self.read_only {
            let span = self.settings.span();
            let path = self.settings.whole(&span.root);
            self.ask(Asked::Other("sync"), Question::Sync { path: &path });
        }
        // Before the first read, and again with each listing, in case that it was lost: what changes from here on is
        // told. Standard watches are left by the reads.
        if !self.standard {
            self.watch();
        }
        loop {
            self.round().await?;
            if self.tree.is_whole() {
                break;
            }
            self.tree.begin_round();
        }
        let all = self.tree.all();
        Ok(Step::Listing { all, cursor: self.advance() })
    }

    /// What comes next.
    async fn follow(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let began = cx.now();
        loop {
            while let Some(message) = self.line.ready().map_err(|broken| self.broken(&broken))? {
                if self.take(&message)? == Heard::Pong {
                    return Ok(Step::Same { cursor: self.cursor() });
                }
            }
            if self.tree.is_stale() {
                self.spoke = cx.now();
                self.tree.begin_round();
                self.round().await?;
                if !self.tree.is_whole() {
                    // A store that is written to without a pause lives, too.
                    if cx.now().saturating_duration_since(began) > self.timeout / 3 {
                        return Ok(Step::Same { cursor: self.cursor() });
                    }
                    continue;
                }
                let changes = self.tree.changes();
                if !changes.is_empty() {
                    return Ok(Step::Delta { changes, cursor: self.advance() });
                }
                continue;
            }
            let ping = self.spoke + self.timeout / 3;
            match race(self.hear_frame(), cx.sleep_until(ping)).await {
                Either::First(message) => {
                    if self.take(&message?)? == Heard::Pong {
                        return Ok(Step::Same { cursor: self.cursor() });
                    }
                }
                Either::Second(()) => {
                    self.spoke = cx.now();
                    self.line.say(wire::question(wire::PING, Question::Ping));
                }
            }
        }
    }

    /// Asks all that is to be asked, until all of it is answered.
    async fn round(&mut self) -> Result<(), SourceError> {
        loop {
            while self.asked.len() < WINDOW
                && let Some(item) = self.tree.next()
            {
                let (path, watch) = (self.settings.whole(item.path()), self.standard);
                let question = match &item {
                    Item::Children(_) => Question::Children { path: &path, watch },
                    Item::Data(_) => Question::Data { path: &path, watch },
                    Item::Coming(_) => Question::Exists { path: &path },
                };
                self.ask(Asked::Item(item.clone()), question);
            }
            if self.asked.is_empty() && !self.tree.has_next() {
                return Ok(());
            }
            let message = self.hear_frame().await?;
            self.take(&message)?;
        }
    }

    async fn hear_frame(&mut self) -> Result<Vec<u8>, SourceError> {
        self.line.hear().await.map_err(|broken| self.broken(&broken))
    }

    /// Takes one message.
    fn take(&mut self, message: &[u8]) -> Result<Heard, SourceError> {
        let (header, body) = wire::header(message).map_err(|why| self.lied(&why.to_string()))?;
        match header.number {
            wire::TOLD => {
                let (happened, path) = wire::event(body).map_err(|why| self.lied(&why.to_string()))?;
                let Some(path) = self.settings.user_path(path) else {
                    return Err(self.lied("it told of a node that was not asked for"));
                };
                self.tree.hear(happened, path, self.heard).map_err(|wrong| self.wrong(wrong))?;
                Ok(Heard::Event)
            }
            wire::PING => {
                self.progress(header.zxid)?;
                Ok(Heard::Pong)
            }
            number => {
                let asked = self.asked.pop_front().filter(|(asked, _)| *asked == number);
                let Some((_, asked)) = asked else {
                    return Err(self.lied("it answered what was not asked"));
                };
                self.answer(&asked, header, body)?;
                Ok(Heard::Answer)
            }
        }
    }

    fn answer(&mut self, asked: &Asked, header: wire::Header, body: &[u8]) -> Result<(), SourceError> {
        let item = match (asked, header.error) {
            (Asked::Nothing, 0) | (Asked::Other(_), 0 | refusal::NO_NODE) => {
                return self.progress(header.zxid);
            }
            (Asked::Nothing, _) => return Ok(()),
            (Asked::Other(what), error) => return Err(self.judged(error, what)),
            (Asked::Item(item), 0 | refusal::NO_NODE) => item,
            (Asked::Item(item), error) => {
                let path = self.settings.whole(item.path());
                return Err(self.judged(error, &path));
            }
        };
        self.progress(header.zxid)?;
        let (at, tree) = (header.zxid, &mut self.tree);
        let malformed = |why: wire::Malformed| why.to_string();
        let taken = if header.error == refusal::NO_NODE {
            Ok(tree.absent(item, at))
        } else {
            match item {
                Item::Data(path) => {
                    wire::data(body).map_err(malformed).map(|(data, stat)| tree.data(path, data, stat, at))
                }
                Item::Children(path) => wire::children(body)
                    .map_err(malformed)
                    .map(|(names, stat)| tree.children(path, &names, stat, at)),
                Item::Coming(_) => Ok(tree.came(at)),
            }
        };
        match taken {
            Ok(taken) => taken.map_err(|wrong| self.wrong(wrong)),
            Err(why) => Err(self.lied(&why)),
        }
    }

    /// The server knows all transactions up to this one.
    fn progress(&mut self, zxid: i64) -> Result<(), SourceError> {
        if zxid < self.heard {
            let heard = self.heard;
            return Err(
                self.lied(&format!("expected transaction {heard:#x} or a later one, found {zxid:#x}"))
            );
        }
        self.heard = zxid;
        self.seen.fetch_max(zxid, Ordering::Relaxed);
        Ok(())
    }

    /// What is known now is told.
    fn advance(&mut self) -> Cursor {
        self.told = self.told.max(self.tree.newest());
        self.cursor()
    }

    fn cursor(&self) -> Cursor {
        Cursor { epoch: 0, order: u64::try_from(self.told).unwrap_or(0), token: None }
    }

    fn broken(&self, broken: &Broken) -> SourceError {
        match broken {
            Broken::Closed => SourceError::down(format!(
                "{} closed the connection: it was stopped, lost the others, or ended the session",
                self.name
            )),
            Broken::Error(why) => SourceError::down(format!("{}: {why}", self.name)),
        }
    }

    fn judged(&self, error: i32, what: &str) -> SourceError {
        let judged = judge(error, what);
        match judged.kind() {
            SourceErrorKind::Down => SourceError::down(format!("{}: {judged}", self.name)),
            _ => judged,
        }
    }

    fn wrong(&self, wrong: Wrong) -> SourceError {
        match wrong {
            Wrong::Lied(what) => self.lied(what),
            Wrong::Gap => SourceError::gap(format!("{} has let go of a watch", self.name)),
            Wrong::TooMuch => SourceError::invalid(
                "the nodes hold more than is taken: name fewer of them, or raise `max_document_bytes`",
            ),
        }
    }

    fn lied(&self, what: &str) -> SourceError {
        SourceError::down(format!("{}: {what}", self.name))
    }
}

/// A server hangs up on a client whose version of TLS it does not speak, and says nothing.
fn with_remedy(error: SourceError) -> SourceError {
    let said = error.to_string();
    if error.kind() == SourceErrorKind::Down && said.contains("handshake eof") {
        return SourceError::down(format!(
            "{said}: a ZooKeeper that is not told otherwise may speak TLS 1.2 alone: allow it with `Transport::tls12`"
        ));
    }
    error
}

fn closed_at_once(name: &str, tls: bool) -> SourceError {
    let tls = if tls { "" } else { ", or this is its port for TLS (`.tls()`)" };
    SourceError::down(format!(
        "{name} gives no session: it has lost the others, knows less than was seen of it{tls}"
    ))
}

fn not_ours(name: &str, why: &str) -> SourceError {
    SourceError::down(format!("{name}: {why}: is this ZooKeeper's port for clients?"))
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Session for Live<T> {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(_) => self.follow(cx).await,
        }
    }

    /// A ping goes out after a third of the session's timeout, and its answer has as long.
    fn quiet(&self) -> Duration {
        self.timeout * 2 / 3
    }
}

impl Session for ZooKeeperSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        self.0.next(cx, after).await
    }

    fn quiet(&self) -> Duration {
        self.0.quiet()
    }
}
