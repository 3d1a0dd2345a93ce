//! The session with one Redis: greeting, subscription, reading, and what follows. Only this file and [`line`] wait.
//!
//! A Redis has no history: what it tells while nobody listens is lost, and what it tells is that a key changed, not
//! what is there now. So what counts is what is read, and when. The rules:
//!
//! 1. First the subscription and its confirmation, then the reading.
//! 2. What changed is read by one command, which sees one moment. That moment is good when every key that changed
//!    up to it was read as of it: else half a transaction would be told. See [`Live::read`].
//! 3. Whatever cannot be known is read: keys again by a timer, everything after each loss.
//!
//! [`line`]: super::line

mod reading;

use super::line::Line;
use super::refusal::{is_refused, is_unknown, judge, judge_without};
use super::wire::{Reply, command, literally};
use super::{Address, Scope, Settings};
use crate::race::{Either, race};
use crate::source::remote::backoff::part;
use crate::source::remote::net::{Stream, dial};
use crate::source::remote::{Entry, Session, Step};
use crate::source::{Context, Cursor, SourceError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// After so long without anything to say, the server is asked whether it lives.
const ASK: Duration = Duration::from_secs(15);
/// It has this time to answer.
const PONG: Duration = Duration::from_secs(5);
/// Whoever has said nothing for so long is gone.
const QUIET: Duration = Duration::from_secs(30);

/// A session with one server.
pub struct RedisSession(Live<Stream>);

/// The session, over any stream of bytes.
pub(super) struct Live<T> {
    settings: Arc<Settings>,
    line: Line<T>,
    news: News,
    /// The server follows another, and must be asked whether it still does.
    replica: bool,
    dirty: Dirty,
    /// What was told last: keys, or the fields of the hash.
    known: BTreeMap<Vec<u8>, Entry>,
    epoch: u64,
    /// How often something else was found than before.
    found: u64,
    /// When everything known is read again, though nothing was heard.
    due: Instant,
}

/// How we hear of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Of each key, by `CLIENT TRACKING`: sent at the end of the server's round in which it was written.
    Tracking,
    /// Of each key, by keyspace events: sent at once.
    Events,
    /// Perhaps by keyspace events: whether the server sends them cannot be seen.
    Perhaps,
    /// Not at all.
    Timer,
}

/// What changed since it was read.
#[derive(Default)]
struct Dirty {
    /// Everything may have.
    all: bool,
    keys: BTreeSet<Vec<u8>>,
    bytes: usize,
}

impl Dirty {
    /// Notes a key; more than `most` bytes of them are too many to be read one by one.
    fn add(&mut self, key: Vec<u8>, most: usize) {
        self.bytes += key.len();
        if self.bytes > most {
            *self = Self { all: true, ..Self::default() };
        }
        if !self.all {
            self.keys.insert(key);
        }
    }

    fn is_clean(&self) -> bool {
        !self.all && self.keys.is_empty()
    }
}

/// Opens a session with the server at `address`.
pub(super) async fn connect(
    settings: &Arc<Settings>,
    address: &Address,
    cx: &Context,
) -> Result<RedisSession, SourceError> {
    let stream = dial(&address.endpoint, &settings.transport, &[], cx).await?;
    Live::begin(settings.clone(), stream, &address.to_string(), cx).await.map(RedisSession)
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Live<T> {
    /// Begins a session on an open stream: says who we are, and subscribes.
    pub(super) async fn begin(
        settings: Arc<Settings>,
        stream: T,
        name: &str,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        // What stands around short values is more than they are themselves.
        let most = cx.limits.bytes.saturating_mul(2).saturating_add(64 << 10);
        let mut live = Self {
            settings,
            line: Line::new(stream, name, most),
            news: News::Timer,
            replica: false,
            dirty: Dirty::default(),
            known: BTreeMap::new(),
            epoch: cx.random() | 1,
            found: 0,
            due: cx.now(),
        };
        let modern = live.greet(cx).await?;
        let database = live.settings.database.to_string();
        if database != "0" {
            live.done(&["SELECT", &database]).await?;
        }
        if live.replica {
            live.pulse().await?;
        }
        if modern {
            live.subscribe(cx).await?;
        } else {
            let every = live.settings.every;
            cx.warn(format!(
                "{name} does not speak RESP3, as Redis does from version 6 on: changes are found every {every:?} alone"
            ));
        }
        Ok(live)
    }

    /// Says who we are; whether the server speaks RESP3.
    async fn greet(&mut self, cx: &Context) -> Result<bool, SourceError> {
        let settings = self.settings.clone();
        let user = match &settings.user {
            Some((name, password)) => Some((name.as_bytes(), password.read(cx).await?)),
            None => None,
        };
        let mut words: Vec<&[u8]> = vec![b"HELLO", b"3"];
        if let Some((name, password)) = &user {
            words.extend([b"AUTH", *name, password.as_bytes()]);
        }
        words.extend([b"SETNAME", &b"hotconf"[..]]);
        let about = match self.ask(&words).await? {
            Reply::List(about) => about,
            Reply::Error(said) if is_unknown(&said) => {
                if let Some((name, password)) = &user {
                    let words: &[&[u8]] = match *name {
                        b"default" => &[b"AUTH", password.as_bytes()],
                        name => &[b"AUTH", name, password.as_bytes()],
                    };
                    match self.ask(words).await? {
                        // Nobody asks who we are: a password that is not needed is no mistake.
                        Reply::Error(said) if !said.contains("no password is set") => {
                            return Err(judge_without(&said, password));
                        }
                        _ => {}
                    }
                }
                self.pulse().await?;
                return Ok(false);
            }
            Reply::Error(said) => {
                let password = user.as_ref().map_or("", |(_, password)| &***password);
                return Err(judge_without(&said, password));
            }
            _ => return Err(self.lied()),
        };
        let is = |key: &[u8], value: &[u8]| {
            let text = |reply: &Reply, text: &[u8]| matches!(reply, Reply::Text(said) if said == text);
            about.chunks_exact(2).any(|pair| text(&pair[0], key) && text(&pair[1], value))
        };
        if is(b"mode", b"sentinel") {
            let message =
                "this is a sentinel, which has no keys: give the address of the server that it watches";
            return Err(SourceError::invalid(message));
        }
        if is(b"mode", b"cluster") && matches!(self.settings.scope, Some(Scope::Prefix(_))) {
            let message = "the keys of a prefix lie on all nodes of a cluster, and are not gathered from them: keep them \
                           in one hash (`.hash`) or one document (`.key`)";
            return Err(SourceError::invalid(message));
        }
        self.replica = is(b"role", b"replica") || is(b"role", b"slave");
        Ok(true)
    }

    /// Has the server tell of changes, in the best way that it allows.
    async fn subscribe(&mut self, cx: &Context) -> Result<(), SourceError> {
        let settings = self.settings.clone();
        let Some(scope) = &settings.scope else { return Ok(()) };
        let mut words: Vec<&[u8]> = vec![b"CLIENT", b"TRACKING", b"ON", b"BCAST"];
        if !scope.name().is_empty() {
            words.extend([b"PREFIX", scope.name().as_bytes()]);
        }
        let why = match self.ask(&words).await? {
            Reply::Error(said) if is_refused(&said) => judge(&said),
            Reply::Error(said) => return Err(judge(&said)),
            _ => {
                self.news = News::Tracking;
                return Ok(());
            }
        };
        // Not all servers let everybody see their settings.
        let told = match self.ask(&["CONFIG", "GET", "notify-keyspace-events"]).await? {
            Reply::List(pair) => pair.into_iter().nth(1).and_then(Reply::into_text),
            _ => None,
        };
        let every = settings.every;
        let remedy = "allow `CLIENT TRACKING`, or set `notify-keyspace-events` to `KA`";
        if told.as_deref().is_some_and(|flags| !suffices(flags, scope)) {
            cx.warn(format!("{why}: changes are found every {every:?} alone; {remedy}"));
            return Ok(());
        }
        let mut channel = format!("__keyspace@{}__:", settings.database).into_bytes();
        channel.extend(literally(scope.name().as_bytes()));
        if let Scope::Prefix(_) = scope {
            channel.push(b'*');
        }
        self.line.say_for_push(command(&[b"PSUBSCRIBE", &channel[..]]));
        loop {
            match self.line.hear().await? {
                Reply::Push(push) if matches!(push.first(), Some(Reply::Text(kind)) if kind == b"psubscribe") =>
                {
                    break;
                }
                Reply::Error(said) if is_refused(&said) => {
                    cx.warn(format!(
                        "{why}; {}: changes are found every {every:?} alone; {remedy}",
                        judge(&said)
                    ));
                    return Ok(());
                }
                other => self.take(other)?,
            }
        }
        self.news = if told.is_some() { News::Events } else { News::Perhaps };
        if told.is_none() {
            cx.warn(format!(
                "{why}; whether the server sends keyspace events cannot be seen: if not, changes are found every \
                 {every:?} alone; {remedy}"
            ));
        }
        Ok(())
    }

    /// One command, and its reply.
    async fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, SourceError> {
        self.line.say(command(words));
        self.answer().await
    }

    /// One command that brings no error.
    async fn done<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, SourceError> {
        match self.ask(words).await? {
            Reply::Error(said) => Err(judge(&said)),
            reply => Ok(reply),
        }
    }

    /// The next reply; what is told before it is noted.
    async fn answer(&mut self) -> Result<Reply, SourceError> {
        loop {
            match self.line.hear().await? {
                Reply::Push(push) => self.note(push),
                reply => return Ok(reply),
            }
        }
    }

    /// Takes what was said unasked.
    fn take(&mut self, said: Reply) -> Result<(), SourceError> {
        match said {
            Reply::Push(push) => self.note(push),
            Reply::Error(said) => return Err(judge(&said)),
            _ => return Err(self.lied()),
        }
        Ok(())
    }

    /// Notes what changed.
    fn note(&mut self, push: Vec<Reply>) {
        let mut parts = push.into_iter();
        let mut text = || parts.next().and_then(Reply::into_text);
        let keys = match text().as_deref() {
            Some(b"invalidate") => {
                let Some(keys) = parts.next().and_then(Reply::into_list) else {
                    // A database was emptied.
                    self.dirty.all = true;
                    return;
                };
                keys.into_iter().filter_map(Reply::into_text).collect()
            }
            Some(b"pmessage") => {
                let channel = (text(), text()).1.unwrap_or_default();
                let begin = channel.windows(3).position(|sign| sign == b"__:").map_or(0, |at| at + 3);
                vec![channel[begin..].to_vec()]
            }
            _ => Vec::new(),
        };
        let settings = self.settings.clone();
        let ours = |key: &Vec<u8>| settings.scope.as_ref().is_some_and(|scope| scope.covers(key));
        let most = self.line.most();
        keys.into_iter().filter(ours).for_each(|key| self.dirty.add(key, most));
    }

    /// Asks whether it lives, and whether a replica still follows its primary.
    async fn pulse(&mut self) -> Result<(), SourceError> {
        if self.replica {
            match self.ask(&["ROLE"]).await? {
                Reply::List(role) => {
                    let state = role.into_iter().nth(3).and_then(Reply::into_text);
                    // A primary, meanwhile, has none.
                    return match state.as_deref() {
                        None | Some(b"connected") => Ok(()),
                        Some(state) => Err(SourceError::down(format!(
                            "{}: this replica has lost its primary (`{}`)",
                            self.line.name(),
                            state.escape_ascii()
                        ))),
                    };
                }
                Reply::Error(said) if is_refused(&said) => self.replica = false,
                Reply::Error(said) => return Err(judge(&said)),
                _ => return Err(self.lied()),
            }
        }
        self.done(&["PING"]).await.map(drop)
    }

    /// Waits for what follows.
    async fn follow(&mut self, cx: &Context) -> Result<Step, SourceError> {
        // Once for all that is heard here: what concerns others is no sign that we hear what concerns us.
        let ask = crate::sync::later(cx.now(), ASK);
        loop {
            while let Some(said) = self.line.heard()? {
                self.take(said)?;
            }
            if !self.dirty.is_clean() {
                return self.changes(cx).await;
            }
            match race(self.line.hear(), cx.sleep_until(ask.min(self.due))).await {
                Either::First(said) => self.take(said?)?,
                Either::Second(()) if self.due <= cx.now() => return self.again(cx).await,
                Either::Second(()) => {
                    return match race(self.pulse(), cx.sleep(PONG)).await {
                        Either::First(alive) => alive.map(|()| Step::Same { cursor: self.cursor() }),
                        Either::Second(()) => Err(SourceError::down(format!(
                            "{}: it did not answer a PING within {PONG:?}",
                            self.line.name()
                        ))),
                    };
                }
            }
        }
    }

    /// What changed, of which we have heard.
    async fn changes(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let by_key = matches!(self.settings.scope, Some(Scope::Prefix(_)));
        match if by_key { self.read(BTreeSet::new()).await? } else { None } {
            Some(values) => Ok(self.delta(values)),
            None => self.anew(cx).await,
        }
    }

    /// What changed of which we have not heard: by the timer.
    async fn again(&mut self, cx: &Context) -> Result<Step, SourceError> {
        // Of new keys we do hear; to find them otherwise all keys of the database are looked through.
        if self.is_told() && matches!(self.settings.scope, Some(Scope::Prefix(_))) && !self.known.is_empty() {
            let keys = self.known.keys().cloned().collect();
            self.due = next(self.settings.every, cx);
            if let Some(values) = self.read(keys).await? {
                return Ok(self.delta(values));
            }
        }
        self.anew(cx).await
    }

    /// Everything, if it is not what is known.
    async fn anew(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let all = self.list(cx).await?;
        let same = all == self.known;
        Ok(if same { Step::Same { cursor: self.cursor() } } else { self.listing(all) })
    }

    fn listing(&mut self, all: BTreeMap<Vec<u8>, Entry>) -> Step {
        if self.known != all {
            self.found += 1;
        }
        self.known = all;
        let all = self.known.iter().map(|(key, entry)| (name(key), entry.clone())).collect();
        Step::Listing { all, cursor: self.cursor() }
    }

    fn delta(&mut self, values: BTreeMap<Vec<u8>, Option<Entry>>) -> Step {
        let mut changes = Vec::new();
        for (key, value) in values {
            if self.known.get(&key) == value.as_ref() {
                continue;
            }
            changes.push((name(&key), value.clone()));
            match value {
                Some(entry) => self.known.insert(key, entry),
                None => self.known.remove(&key),
            };
        }
        if changes.is_empty() {
            return Step::Same { cursor: self.cursor() };
        }
        self.found += 1;
        Step::Delta { changes, cursor: self.cursor() }
    }

    /// There are no revisions: a name for what was found, good on this session.
    fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, order: 0, token: Some(format!("reading {}", self.found).into()) }
    }

    /// Whether we hear of every key that comes.
    fn is_told(&self) -> bool {
        matches!(self.news, News::Tracking | News::Events)
    }

    #[cfg(test)]
    pub(super) fn news(&self) -> News {
        self.news
    }

    fn lied(&self) -> SourceError {
        SourceError::down(format!("{}: found another reply than the command has", self.line.name()))
    }
}

/// Whether with these flags events come of all that can happen to the keys.
fn suffices(flags: &[u8], scope: &Scope) -> bool {
    let kinds: &[u8] = if let Scope::Hash(_) = scope { b"ghxe" } else { b"g$xe" };
    flags.contains(&b'K') && (flags.contains(&b'A') || kinds.iter().all(|kind| flags.contains(kind)))
}

/// What a key is called; one that is no text by its bytes.
fn name(key: &[u8]) -> Arc<str> {
    match std::str::from_utf8(key) {
        Ok(key) => key.into(),
        Err(_) => key.escape_ascii().to_string().into(),
    }
}

/// When to read again: the interval, give or take a fifth.
fn next(every: Duration, cx: &Context) -> Instant {
    let spread = part(every / 5 * 2, cx.random());
    crate::sync::later(cx.now(), every.saturating_sub(every / 5).saturating_add(spread))
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Session for Live<T> {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        self.line.forget();
        if after.is_some() {
            return self.follow(cx).await;
        }
        let all = self.list(cx).await?;
        Ok(self.listing(all))
    }

    /// Whether events come cannot always be seen: then it does not count as told.
    fn polls(&self) -> bool {
        !self.is_told()
    }

    fn quiet(&self) -> Duration {
        QUIET
    }
}

impl Session for RedisSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        self.0.next(cx, after).await
    }

    fn polls(&self) -> bool {
        self.0.polls()
    }

    fn quiet(&self) -> Duration {
        QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_changes_than_there_is_room_for_are_a_change_of_everything() {
        let mut dirty = Dirty::default();
        dirty.add(b"12345".to_vec(), 10);
        dirty.add(b"67890".to_vec(), 10);
        assert!(!dirty.all && dirty.keys.len() == 2);
        dirty.add(b"x".to_vec(), 10);
        dirty.add(b"y".to_vec(), 10);
        assert!(dirty.all && dirty.keys.is_empty() && !dirty.is_clean());
    }

    #[test]
    fn events_suffice_that_come_of_all_that_can_happen_to_a_key() {
        let (keys, hash) = (Scope::Prefix("shop:".into()), Scope::Hash("shop".into()));
        assert!(suffices(b"AKE", &keys) && suffices(b"AK", &hash) && suffices(b"g$xeK", &keys));
        assert!(!suffices(b"g$xeK", &hash) && !suffices(b"AE", &keys) && !suffices(b"", &keys));
    }
}
