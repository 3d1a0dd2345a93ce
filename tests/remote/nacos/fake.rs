//! A Nacos in this process, as far as version 1 of its interface goes: documents, listener, login.
//!
//! It answers as the real one was recorded to (`recorded.txt`), holds questions as the real one does, and says on demand
//! what that one never says in a test: 409, 503, a wrong digest, nothing at all.

use crate::rig::{Rig, lock};
use hotconf::Nacos;
use hotconf::remote::Remote;
use hotconf::remote::nacos::NacosStore;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Namespace, group, data id.
pub(crate) type Name = (String, String, String);

/// Content and type.
type Documents = BTreeMap<Name, (String, Option<String>)>;

/// What came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Of the address, and of a form.
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn listens(&self) -> bool {
        self.path.ends_with("/configs/listener")
    }

    pub(crate) fn reads(&self) -> bool {
        self.method == "GET" && self.path.ends_with("/configs")
    }

    pub(crate) fn logs_in(&self) -> bool {
        self.path.ends_with("/login")
    }

    fn field(&self, name: &str) -> &str {
        self.form.get(name).or(self.query.get(name)).map_or("", |value| value)
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// After so long.
    pub(crate) late: Duration,
}

impl Answer {
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Instead = Box<dyn FnMut(&Request) -> Option<Answer> + Send>;

/// Who may ask, and how long a login is good.
#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) name: &'static str,
    pub(crate) password: String,
    pub(crate) ttl: Duration,
    /// Whether it looks for a token in headers.
    pub(crate) headers: bool,
}

#[derive(Default)]
struct Shared {
    documents: watch::Sender<Documents>,
    instead: Mutex<Option<Instead>>,
    users: Mutex<Option<Users>>,
    tokens: Mutex<BTreeMap<String, Instant>>,
    logins: AtomicU32,
    seen: Mutex<Vec<Request>>,
}

/// The server.
pub(crate) struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    older: Mutex<Documents>,
    frozen: watch::Sender<bool>,
    running: Mutex<Option<Runtime>>,
}

impl Fake {
    pub(crate) fn start() -> Self {
        let [address] = crate::servers::free();
        let fake = Self {
            address,
            shared: Arc::default(),
            older: Mutex::default(),
            frozen: watch::Sender::new(false),
            running: Mutex::default(),
        };
        fake.restart();
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a document in the place of what is there, or removes it.
    pub(crate) fn publish(&self, name: &Name, content: Option<&str>, kind: Option<&str>) {
        self.shared.documents.send_modify(|documents| {
            match content {
                Some(text) => documents.insert(name.clone(), (text.to_owned(), kind.map(str::to_owned))),
                None => documents.remove(name),
            };
        });
    }

    /// From now on these answers, where there is one, stand in for its own.
    pub(crate) fn instead(&self, answer: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        *lock(&self.shared.instead) = Some(Box::new(answer));
    }

    pub(crate) fn itself(&self) {
        *lock(&self.shared.instead) = None;
    }

    pub(crate) fn guard(&self, users: Users) {
        *lock(&self.shared.users) = Some(users);
    }

    /// Takes back every token.
    pub(crate) fn revoke(&self) {
        lock(&self.shared.tokens).clear();
    }

    pub(crate) fn logins(&self) -> u32 {
        self.shared.logins.load(Ordering::SeqCst)
    }

    /// What it was asked since this was called last.
    pub(crate) fn seen(&self) -> Vec<Request> {
        std::mem::take(&mut lock(&self.shared.seen))
    }
}

/// One connection, kept open from question to question.
async fn talk(mut stream: TcpStream, shared: Arc<Shared>, mut frozen: watch::Receiver<bool>) -> Option<()> {
    let (reading, mut writing) = stream.split();
    let mut reading = BufReader::new(reading);
    loop {
        let request = request(&mut reading).await?;
        frozen.wait_for(|frozen| !frozen).await.ok()?;
        lock(&shared.seen).push(request.clone());
        let instead = lock(&shared.instead).as_mut().and_then(|instead| instead(&request));
        let answer = if let Some(answer) = instead {
            answer
        } else {
            // A client that is gone is not answered.
            tokio::select! {
                answer = answer(&shared, &request) => answer?,
                _ = reading.fill_buf() => return None,
            }
        };
        tokio::time::sleep(answer.late).await;
        frozen.wait_for(|frozen| !frozen).await.ok()?;
        let mut text = format!("HTTP/1.1 {} X\r\n", answer.status);
        if answer.status != 204 {
            text.push_str(&format!("content-length: {}\r\n", answer.body.len()));
        }
        for (name, value) in &answer.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        writing.write_all(format!("{text}\r\n{}", answer.body).as_bytes()).await.ok()?;
    }
}

async fn request(reading: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Request> {
    let mut line = String::new();
    reading.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request { method, path: path.to_owned(), query: fields(query), ..Request::default() };
    loop {
        line.clear();
        reading.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = request.headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; usize::min(length, 1 << 20)];
    reading.read_exact(&mut body).await.ok()?;
    if request.headers.get("content-type").is_some_and(|kind| kind == "application/x-www-form-urlencoded") {
        request.form = fields(std::str::from_utf8(&body).ok()?);
    }
    Some(request)
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect()
}

fn decode(coded: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = coded.bytes();
    while let Some(byte) = rest.next() {
        let mut digits = || [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
        bytes.push(match byte {
            b'%' => u8::from_str_radix(&String::from_utf8_lossy(&digits()), 16).unwrap_or(b'?'),
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The server's own answer; nothing where it has ended meanwhile.
async fn answer(shared: &Shared, request: &Request) -> Option<Answer> {
    let page = |body: &str| Answer::of(200, body).with("content-type", "text/html; charset=utf-8");
    if request.logs_in() && request.path.starts_with("/nacos/v1/auth/") {
        return Some(login(shared, request));
    }
    if !admits(shared, request) {
        let body = format!(
            "{{\"timestamp\":\"2026-01-01T00:00:00.000+00:00\",\"status\":403,\"error\":\"Forbidden\",\
             \"message\":\"unknown user!\",\"path\":\"{}\"}}",
            request.path
        );
        return Some(Answer::of(403, &body).with("content-type", "application/json;charset=UTF-8"));
    }
    if request.path == "/nacos/v1/cs/configs/listener" {
        return listen(shared, request).await;
    }
    if request.path != "/nacos/v1/cs/configs" {
        return Some(Answer::of(404, ""));
    }
    let field = |name| request.field(name).to_owned();
    let name = (field("tenant"), field("group"), field("dataId"));
    match &*request.method {
        "GET" => {
            let documents = shared.documents.borrow();
            let Some((content, kind)) = documents.get(&name) else {
                return Some(Answer::of(404, "config data not exist"));
            };
            let kind = if kind.as_deref() == Some("json") { "application/json" } else { "text/plain" };
            let answer = Answer::of(200, content).with("content-md5", &digest(content));
            Some(answer.with("content-type", &format!("{kind};charset=UTF-8")))
        }
        "DELETE" => {
            shared.documents.send_modify(|documents| drop(documents.remove(&name)));
            Some(page("true"))
        }
        "POST" => {
            let kind = Some(field("type")).filter(|kind| !kind.is_empty());
            shared.documents.send_modify(|documents| drop(documents.insert(name, (field("content"), kind))));
            Some(page("true"))
        }
        _ => Some(Answer::of(405, "")),
    }
}

/// What the digest is; the library has its own.
pub(crate) fn digest(content: &str) -> String {
    format!("{:x}", md5::compute(content))
}

fn login(shared: &Shared, request: &Request) -> Answer {
    let Some(users) = lock(&shared.users).clone() else {
        return Answer::of(200, r#"{"accessToken":"AUTH_DISABLED","tokenTtl":3600,"globalAdmin":true}"#);
    };
    if (request.field("username"), request.field("password")) != (users.name, &users.password) {
        return Answer::of(403, "unknown user!");
    }
    let number = shared.logins.fetch_add(1, Ordering::SeqCst);
    let (token, seconds) = (format!("key-of-login-{number}"), users.ttl.as_secs());
    let body = format!(
        "{{\"accessToken\":\"{token}\",\"tokenTtl\":{seconds},\"globalAdmin\":false,\"username\":\"{}\"}}",
        users.name
    );
    lock(&shared.tokens).insert(token, Instant::now() + users.ttl);
    Answer::of(200, &body).with("content-type", "application/json")
}

fn admits(shared: &Shared, request: &Request) -> bool {
    let Some(users) = lock(&shared.users).clone() else { return true };
    let header = request.headers.get("authorization").filter(|_| users.headers);
    let token = header.map_or(request.field("accessToken"), |value| value.trim_start_matches("Bearer "));
    lock(&shared.tokens).get(token).is_some_and(|until| *until > Instant::now())
}

/// Compares digests, and answers when one is another, or after the time that is asked for: 10 s at least.
async fn listen(shared: &Shared, request: &Request) -> Option<Answer> {
    let html = |answer: Answer| answer.with("content-type", "text/html; charset=utf-8");
    let lines = request.field("Listening-Configs");
    let mut asked = Vec::new();
    for line in lines.split_inclusive('\u{1}') {
        let Some(line) = line.strip_suffix('\u{1}') else { return Some(html(Answer::of(204, ""))) };
        let fields: Vec<_> = line.split('\u{2}').map(str::to_owned).collect();
        let [data, group, digest, tenant @ ..] = &*fields else { return Some(Answer::of(400, "")) };
        let tenant = tenant.first().cloned().unwrap_or_default();
        asked.push(((tenant, group.clone(), data.clone()), digest.clone()));
    }
    let changed = |documents: &Documents| {
        let is = |name: &Name| documents.get(name).map_or_else(String::new, |(content, _)| digest(content));
        let changed = asked.iter().filter(|(name, known)| is(name) != *known);
        let line = |((tenant, group, data), _): &(Name, String)| {
            let tenant = if tenant.is_empty() { String::new() } else { format!("%02{tenant}") };
            format!("{data}%02{group}{tenant}%01")
        };
        changed.map(line).collect::<String>()
    };
    let hold = request.headers.get("long-pulling-timeout").and_then(|hold| hold.parse().ok()).unwrap_or(0);
    let hold = if request.headers.contains_key("long-pulling-timeout-no-hangup") {
        Duration::ZERO
    } else {
        Duration::from_millis(u64::clamp(hold, 10_000, 120_000) - 500)
    };
    let mut documents = shared.documents.subscribe();
    let mut told = String::new();
    let news = documents.wait_for(|documents| {
        told = changed(documents);
        !told.is_empty()
    });
    let body = match tokio::time::timeout(hold, news).await {
        Ok(Ok(_)) => format!("{told}\n"),
        Ok(Err(_)) => return None,
        Err(_) => String::new(),
    };
    Some(html(Answer::of(200, &body)))
}

/// The document of the suite: a table of its keys.
pub(crate) fn document() -> Name {
    (String::new(), "DEFAULT_GROUP".into(), "app.json".into())
}

/// Numbers are written as such.
pub(crate) fn body(keys: &BTreeMap<String, String>) -> String {
    let value =
        |text: &String| text.parse::<u64>().map_or_else(|_| text.clone().into(), serde_json::Value::from);
    let table: serde_json::Map<_, _> = keys.iter().map(|(key, text)| (key.clone(), value(text))).collect();
    serde_json::Value::from(table).to_string()
}

/// The same keys with these changes.
pub(crate) fn changed(keys: &mut BTreeMap<String, String>, changes: &[(&str, Option<&str>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => keys.insert((*key).to_owned(), (*value).to_owned()),
            None => keys.remove(*key),
        };
    }
}

fn keys(text: &str) -> BTreeMap<String, String> {
    let table: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    table.into_iter().map(|(key, value)| (key, text(value))).collect()
}

impl Rig for Fake {
    type Store = NacosStore;

    const NAME: &'static str = "nacos, as recorded";
    const STEP: u64 = 17;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn source(&self, at: SocketAddr) -> Remote<NacosStore> {
        Nacos::new(&format!("http://{at}")).data("app.json")
    }

    fn place(&self, _: &str) -> String {
        "nacos DEFAULT_GROUP/app.json @ md5 ".to_owned()
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        let name = document();
        self.shared.documents.send_modify(|documents| {
            let mut keys = documents.get(&name).map(|(text, _)| keys(text)).unwrap_or_default();
            changed(&mut keys, changes);
            documents.insert(name, (body(&keys), Some("json".to_owned())));
        });
    }

    fn kill(&self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    fn restart(&self) {
        let listener = StdListener::bind(self.address).expect("the port is ours");
        listener.set_nonblocking(true).expect("a socket");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("nacos")
            .enable_all()
            .build()
            .expect("a runtime");
        let (shared, frozen) = (self.shared.clone(), self.frozen.subscribe());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                tokio::spawn(talk(stream, shared.clone(), frozen.clone()));
            }
        });
        *lock(&self.running) = Some(runtime);
    }

    fn freeze(&self) {
        self.frozen.send_replace(true);
    }

    fn thaw(&self) {
        self.frozen.send_replace(false);
    }

    fn keep(&self) {
        lock(&self.older).clone_from(&*self.shared.documents.borrow());
    }

    fn restore(&self) {
        self.shared.documents.send_replace(lock(&self.older).clone());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}
