//! The session with one server of NATS: who we are, the listing, what follows. The only file here that waits.

use super::api::{self, Claims, Consumer, Created};
use super::consumer::{Heard, News, Ordered, Scope};
use super::line::Line;
use super::wire::{self, Op};
use super::{Login, Server, Settings, credentials, refusal};
use crate::race::{Either, race};
use crate::source::file::read_small;
use crate::source::remote::net::{dial, elsewhere, handshake};
use crate::source::remote::{Map, Session, Step};
use crate::source::{Context, Cursor, SourceError, SourceErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

/// Connecting has this time for all servers, less than the core's deadline, so that one that hangs does not keep
/// us from the others.
const TURN: Duration = Duration::from_secs(9);
/// How often the server shows that a consumer lives while nothing happens; as other clients ask for it.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Three heartbeats that do not come are a loss.
const SILENCE: Duration = Duration::from_secs(15);
/// The server forgets a consumer that nobody listens to for so long.
const FORGET: Duration = Duration::from_secs(30);
/// The messages of a batch come in one go. Where the last of them is of a key that we do not hear of, this is
/// waited for more of them.
const SETTLE: Duration = Duration::from_millis(50);
/// The subscription for answers; those of consumers have higher numbers.
const ANSWERS: u64 = 1;

/// A session with one server.
pub struct NatsSession {
    settings: Arc<Settings>,
    line: Line,
    /// What the subjects begin with by which we are answered.
    inbox: String,
    /// How many consumers were asked for.
    asked: u64,
    following: Option<Following>,
    /// Heard, and not yet told: what came behind a batch that had not ended.
    held: Option<News>,
}

/// A consumer of ours.
struct Following {
    name: String,
    sid: u64,
    ordered: Ordered,
    /// The sequence of what was told last.
    told: u64,
}

/// What came.
enum Came {
    /// The answer to the question for a consumer: so much is to come.
    Created(u64),
    Heard(Heard),
}

/// Opens a session with the first server that answers, beginning at `turn`. Whoever connects again has lost the
/// one that was tried last, or was given no time for more: `turn` is then already at the next.
pub(super) async fn connect(
    settings: &Arc<Settings>,
    servers: &[Server],
    turn: &AtomicUsize,
    cx: &Context,
) -> Result<NatsSession, SourceError> {
    let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    let share = TURN / count.max(1);
    let mut failed = Vec::new();
    for _ in servers {
        let server = &servers[turn.fetch_add(1, Ordering::Relaxed) % servers.len()];
        match race(open(settings, server, cx), cx.sleep(share)).await {
            Either::First(Ok(session)) => return Ok(session),
            // The others would say the same.
            Either::First(Err(error)) if error.kind() != SourceErrorKind::Down => return Err(error),
            Either::First(Err(error)) => failed.push(error.to_string()),
            Either::Second(()) => failed.push(format!(
                "{server} did not answer within {share:?} (one that wants TLS first says nothing: `.tls_first()`)"
            )),
        }
    }
    Err(SourceError::down(failed.join("; ")))
}

async fn open(settings: &Arc<Settings>, server: &Server, cx: &Context) -> Result<NatsSession, SourceError> {
    let (transport, most) = (&settings.transport, cx.limits.bytes);
    let first = if settings.tls_first { &server.tls } else { &server.plain };
    let mut line = Line::new(dial(first, transport, &[], cx).await?, server.to_string(), most);
    let info = line.greeting().await?;
    if !settings.tls_first && (server.wants_tls || info.tls_required) {
        if !(info.tls_required || info.tls_available) {
            return Err(SourceError::down(format!(
                "{server}: the server speaks no TLS: give it a certificate, or write `nats://`"
            )));
        }
        let plain = line.into_stream()?;
        line = Line::new(handshake(plain, &server.tls, transport, &[], cx).await?, server.to_string(), most);
    }
    let claims = claims(&settings.login, &info.nonce, cx).await?;
    let inbox = format!("{}.{:016x}{:016x}", settings.inbox, cx.random(), cx.random());
    // All at once: a server that refuses us closes the connection, and what is sent after that can cost us its words.
    let mut first = api::connect(&claims);
    first.push_str(&format!("SUB {inbox}.r.* {ANSWERS}\r\nPING\r\n"));
    line.say(first.as_bytes()).await?;
    loop {
        line.wait().await?;
        let (op, length) = line.heard()?;
        let (ponged, refused) = (op == Op::Pong, of_refusal(&op, &claims));
        line.take(length);
        if let Some(error) = refused {
            return Err(error);
        }
        if ponged {
            break;
        }
    }
    Ok(NatsSession { settings: settings.clone(), line, inbox, asked: 0, following: None, held: None })
}

fn of_refusal(op: &Op<'_>, claims: &Claims) -> Option<SourceError> {
    // Names are none.
    let secrets = claims.iter().filter(|(what, _)| !matches!(*what, "user" | "nkey"));
    let secrets: Vec<&str> = secrets.map(|(_, secret)| &***secret).collect();
    match op {
        Op::Refused(said) => refusal::refused(said, &secrets),
        _ => None,
    }
}

/// Who we are, as of now.
async fn claims(login: &Login, nonce: &str, cx: &Context) -> Result<Claims, SourceError> {
    Ok(match login {
        Login::Nobody => Claims::new(),
        Login::User(name, password) => {
            vec![("user", Zeroizing::new(name.to_string())), ("pass", password.read(cx).await?)]
        }
        Login::Token(token) => vec![("auth_token", token.read(cx).await?)],
        Login::Credentials(path) => {
            let (path, nonce) = (path.clone(), nonce.to_owned());
            let made = move || {
                let name = path.display();
                let file = read_small(&path)
                    .map_err(|why| format!("the credentials in {name} cannot be read: it {why}"))?;
                credentials::claims(&file, &nonce)
                    .map_err(|why| format!("the file of credentials {name} {why}"))
            };
            let made = elsewhere(cx, made).await;
            made.unwrap_or_else(|| Err("reading the credentials was cut short".to_owned()))
                .map_err(SourceError::denied)?
        }
    })
}

impl NatsSession {
    /// Everything: the last message of each key; and from there on what follows, by the same consumer.
    async fn list(&mut self, cx: &Context) -> Result<Step, SourceError> {
        self.held = None;
        self.leave();
        self.ask(cx);
        let (mut all, mut bytes) = (Map::new(), 0);
        let (mut created, mut pending, mut within_batch) = (false, None, false);
        while !created || pending != Some(0) || within_batch {
            let settled = created && pending == Some(0);
            match self.hear(cx, if settled { SETTLE } else { SILENCE }).await? {
                Some(Came::Created(count)) => {
                    created = true;
                    pending.get_or_insert(count);
                }
                Some(Came::Heard(Heard::News(news))) => {
                    (pending, within_batch) = (Some(news.pending), news.batch.is_some());
                    self.told(news.sequence);
                    let Some((key, entry)) = news.change else { continue };
                    let before = match entry {
                        Some(entry) => {
                            bytes += key.len() + entry.value().len();
                            all.insert(key.clone(), entry)
                        }
                        None => all.remove(&key),
                    };
                    bytes -= before.map_or(0, |before| key.len() + before.value().len());
                    if bytes > cx.limits.bytes {
                        return Err(SourceError::invalid(format!(
                            "expected at most {} bytes, found more: raise `max_document_bytes`",
                            cx.limits.bytes
                        )));
                    }
                }
                Some(Came::Heard(_)) => {}
                None if settled => break,
                None => return Err(silent()),
            }
        }
        Ok(Step::Listing { all, cursor: self.cursor() })
    }

    /// Asks for a new consumer.
    fn ask(&mut self, cx: &Context) {
        self.asked += 1;
        let Settings { bucket, scope, domain, .. } = &*self.settings;
        let (bucket, scope) = (bucket.as_deref().unwrap_or_default(), scope.as_ref());
        let everything = Scope::Prefix("".into());
        let scope = scope.unwrap_or(&everything);
        let name = format!("hotconf-{:016x}{:016x}", cx.random(), cx.random());
        let (stream, filter) = (format!("KV_{bucket}"), scope.filter(bucket));
        let (deliver, sid) = (format!("{}.d.{}", self.inbox, self.asked), ANSWERS + self.asked);
        let (heartbeat, forget) = (HEARTBEAT, FORGET);
        let consumer =
            Consumer { stream: &stream, name: &name, deliver: &deliver, filter: &filter, heartbeat, forget };
        // Exactly this subject: of another one that matches the server does not notice that somebody listens.
        wire::subscribe(self.line.out(), &deliver, sid);
        let (to, answer) = (format!("{domain}.CONSUMER.CREATE.{stream}.{name}.{filter}"), self.answer());
        wire::publish(self.line.out(), &to, &answer, api::create(&consumer).as_bytes());
        self.following = Some(Following { name, sid, ordered: Ordered::new(bucket, scope), told: 0 });
    }

    /// The subject for the answer to the last question.
    fn answer(&self) -> String {
        format!("{}.r.{}", self.inbox, self.asked)
    }

    /// Takes the consumer away; said with what is said next.
    fn leave(&mut self) {
        let Some(following) = self.following.take() else { return };
        wire::unsubscribe(self.line.out(), following.sid);
        let Settings { bucket, domain, .. } = &*self.settings;
        let bucket = bucket.as_deref().unwrap_or_default();
        let to = format!("{domain}.CONSUMER.DELETE.KV_{bucket}.{}", following.name);
        wire::publish(self.line.out(), &to, "", b"");
    }

    fn told(&mut self, sequence: u64) {
        if let Some(following) = &mut self.following {
            following.told = sequence;
        }
    }

    fn cursor(&self) -> Cursor {
        let order = self.following.as_ref().map_or(0, |following| following.told);
        Cursor { epoch: 0, order, token: None }
    }

    /// The next change, or sign of life. A batch is told when it is whole.
    async fn follow(&mut self, cx: &Context) -> Result<Step, SourceError> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        let mut open: Option<Box<str>> = None;
        loop {
            let news = match self.held.take() {
                Some(news) => news,
                None => match self.hear(cx, if open.is_some() { SETTLE } else { SILENCE }).await? {
                    Some(Came::Heard(Heard::News(news))) => news,
                    Some(_) if open.is_some() => continue,
                    Some(_) => return Ok(Step::Same { cursor: self.cursor() }),
                    None if open.is_some() => break,
                    None => return Err(silent()),
                },
            };
            if open.is_some() && news.batch.is_some() && news.batch != open {
                self.held = Some(news);
                break;
            }
            self.told(news.sequence);
            if let Some((key, entry)) = news.change {
                bytes += key.len() + entry.as_ref().map_or(0, |entry| entry.value().len());
                changes.push((key, entry));
            }
            if bytes > cx.limits.bytes {
                return Err(SourceError::gap("one batch has more than there is room for"));
            }
            open = news.batch;
            if open.is_none() {
                break;
            }
        }
        let cursor = self.cursor();
        Ok(if changes.is_empty() { Step::Same { cursor } } else { Step::Delta { changes, cursor } })
    }

    /// What comes next for us; `None` where nothing does for so long.
    async fn hear(&mut self, cx: &Context, patience: Duration) -> Result<Option<Came>, SourceError> {
        loop {
            // What is there already is not waited for.
            if !self.line.is_whole()? {
                match race(self.line.wait(), cx.sleep(patience)).await {
                    Either::First(whole) => whole?,
                    Either::Second(()) => return Ok(None),
                }
            }
            let (op, length) = self.line.heard()?;
            let (mut came, mut answer) = (Ok(None), None);
            match op {
                Op::Ping => answer = Some(None),
                Op::Message(message) if message.sid == ANSWERS => {
                    // One that is late is of a question that we gave up.
                    if message.subject == self.answer().as_bytes() {
                        came = created(&self.settings, &message).map(|count| Some(Came::Created(count)));
                    }
                }
                Op::Message(message) => {
                    if let Some(following) = self.following.as_mut().filter(|us| us.sid == message.sid) {
                        came = following.ordered.hear(&message).map(|heard| Some(Came::Heard(heard)));
                    }
                }
                Op::Refused(said) => came = refusal::refused(&said, &[]).map_or(Ok(None), Err),
                Op::Info(_) | Op::Pong | Op::Ok => {}
            }
            self.line.take(length);
            let came = came?;
            if let Some(Came::Heard(Heard::Asked(to))) = &came {
                answer = Some(Some(to));
            }
            match answer {
                Some(None) => self.line.out().extend_from_slice(b"PONG\r\n"),
                Some(Some(to)) => wire::publish(self.line.out(), to, "", b""),
                None => {}
            }
            if answer.is_some() {
                self.line.flush().await?;
            }
            if came.is_some() {
                return Ok(came);
            }
        }
    }
}

/// What the answer to the question for a consumer says.
fn created(settings: &Settings, message: &wire::Message<'_>) -> Result<u64, SourceError> {
    let bucket = settings.bucket.as_deref().unwrap_or_default();
    if let Some((code, _)) = message.status() {
        return Err(SourceError::down(format!(
            "nobody answers for JetStream (status {code}): is it on for this account, and the domain right?"
        )));
    }
    match api::created(message.payload) {
        Some(Created::Pending(count)) => Ok(count),
        Some(Created::Refused { code, error, said }) => Err(refusal::barred(bucket, code, error, &said)),
        None => Err(SourceError::down("the answer to the question for a consumer cannot be read")),
    }
}

fn silent() -> SourceError {
    SourceError::gap(format!("nothing came for {SILENCE:?}, and no heartbeat"))
}

impl Drop for NatsSession {
    /// The consumer would be forgotten in a while; if the connection takes it now, it is gone at once.
    fn drop(&mut self) {
        self.leave();
        self.line.flush_now();
    }
}

impl Session for NatsSession {
    async fn next(&mut self, cx: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        match after {
            None => self.list(cx).await,
            Some(_) if self.following.is_none() => Err(SourceError::gap("there is nothing to follow")),
            Some(_) => self.follow(cx).await,
        }
    }
}
