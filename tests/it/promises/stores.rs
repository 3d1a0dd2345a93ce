//! 8. Secret, of the remote stores: neither what we show to a server, nor a secret that it holds, is shown by us.
//!
//! The servers here are the worst that there can be: what they hear they say again, as their words for what is wrong.

use crate::support::Dir;
use hotconf::remote::{Backoff, Remote, Store, Token, Transport};
use hotconf::{Consul, Etcd, Hot, HotConf, Http, Nacos, Nats, Redis, Secret, SourceExt, Vault, ZooKeeper};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const CANARY: &str = "kEsTrEl-9b41";

#[derive(Clone, Debug, HotConf)]
struct App {
    #[hotconf(default = 1)]
    n: u32,
    password: Option<Secret<u16>>,
}

/// What a server does with what it has heard on a connection; `turn` counts all that it was asked.
type Manners = fn(heard: &[u8], turn: usize) -> Option<Vec<u8>>;

/// A server of these manners, until the process ends. It says `greeting` first.
fn serve(greeting: &'static str, manners: Manners) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let turn = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let turn = turn.clone();
            thread::spawn(move || answer(stream, greeting, manners, &turn));
        }
    });
    address
}

fn answer(mut stream: TcpStream, greeting: &str, manners: Manners, turn: &AtomicUsize) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let _ = stream.write_all(greeting.as_bytes());
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..length]);
        if let Some(said) = manners(&heard, turn.load(Ordering::Relaxed)) {
            turn.fetch_add(1, Ordering::Relaxed);
            heard.clear();
            if stream.write_all(&said).is_err() {
                return;
            }
        }
    }
}

/// What was heard in one line, as a server repeats it.
fn flat(heard: &[u8]) -> String {
    String::from_utf8_lossy(heard).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Says again every byte.
#[expect(clippy::unnecessary_wraps, reason = "some manners wait for more")]
fn parrot(heard: &[u8], _: usize) -> Option<Vec<u8>> {
    Some(heard.to_vec())
}

/// Refuses, errs, sends on and lies over HTTP, each time with all that was asked.
fn web(heard: &[u8], turn: usize) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(heard).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let lower = head.to_ascii_lowercase();
    let length = lower.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
    if body.len() < length.unwrap_or(0) {
        return None;
    }
    let said = flat(heard).replace(['"', '\\'], "'");
    let login = head.contains("login");
    let (status, kind, body) = match turn % 8 {
        0 | 3 if login => (
            "200 OK",
            "application/json",
            format!(
                "{{\"accessToken\": \"{CANARY}\", \"tokenTtl\": 18000, \
                 \"auth\": {{\"client_token\": \"{CANARY}\", \"lease_duration\": 60, \"renewable\": true}}}}"
            ),
        ),
        0 => ("403 Forbidden", "text/plain", format!("rpc error: ACL not found: {said}")),
        1 => (
            "401 Unauthorized",
            "application/json",
            format!("{{\"errors\": [\"no: {said}\"], \"message\": \"{said}\"}}"),
        ),
        2 => ("500 Trouble", "text/plain", said),
        3 => ("400 Bad", "application/json", format!("{{\"errors\": [\"{said}\"]}}")),
        4 => ("200 OK", "text/html", format!("<html>{said}</html>")),
        5 => ("200 OK", "application/json", format!("{{\"password\": {said}")),
        6 => ("302 Found", "text/plain", said),
        _ => ("200 OK", "application/toml", format!("n = 2\npassword = \"{CANARY}\"\nn = '{CANARY}")),
    };
    let length = body.len();
    let headers = format!(
        "content-type: {kind}\r\nlocation: /elsewhere?token={CANARY}\r\nx-consul-index: 7\r\nretry-after: 0\r\n"
    );
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes())
}

/// Holds a secret that does not fit its field, as each of the stores over HTTP says it.
fn holder(heard: &[u8], _: usize) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(heard).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let fields = format!("\"password\": \"{CANARY}\", \"n\": 2");
    let (kind, body) = if head.contains("/v1/kv/") {
        // The value is the canary in base64.
        let value = "a0VzVHJFbC05YjQx";
        let pair = format!("{{\"Key\": \"shop/password\", \"Value\": \"{value}\", \"ModifyIndex\": 7}}");
        ("application/json", format!("[{pair}]"))
    } else if head.contains("/v1/secret/data/") {
        let metadata = "\"metadata\": {\"version\": 1, \"created_time\": \"x\", \"deletion_time\": \"\"}";
        ("application/json", format!("{{\"data\": {{\"data\": {{{fields}}}, {metadata}}}}}"))
    } else if head.contains("listener") || head.contains("login") || head.contains("lookup-self") {
        ("application/json", "{}".to_owned())
    } else {
        ("application/toml", format!("n = 2\npassword = \"{CANARY}\""))
    };
    let length = body.len();
    let headers = format!("content-length: {length}\r\ncontent-type: {kind}\r\nx-consul-index: 7\r\n");
    Some(format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").into_bytes())
}

#[expect(clippy::unnecessary_wraps, reason = "some manners wait for more")]
fn resp(heard: &[u8], turn: usize) -> Option<Vec<u8>> {
    let said = flat(heard);
    let begin = match turn % 5 {
        0 => "-WRONGPASS no such user or password:",
        1 => "-ERR unknown command 'HELLO', with args beginning with:",
        2 => "-ERR Client sent AUTH, but no:",
        3 => "-NOAUTH",
        _ => "-WHAT",
    };
    Some(format!("{begin} {said}\r\n").into_bytes())
}

#[expect(clippy::unnecessary_wraps, reason = "some manners wait for more")]
fn nats(heard: &[u8], turn: usize) -> Option<Vec<u8>> {
    let said = flat(heard).replace('\'', "");
    let begin = match turn % 4 {
        0 => "Authorization Violation",
        1 => "Unknown Protocol Operation",
        2 => "Authentication Expired",
        _ => "Permissions Violation for Publish to",
    };
    Some(format!("-ERR '{begin} {said}'\r\n").into_bytes())
}

const GREETING: &str = "INFO {\"server_id\":\"x\",\"nonce\":\"abc\",\"max_payload\":1048576}\r\n";

/// An etcd that says again what it hears: the password at a login, and then the token that it gave.
fn etcd() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    listener.set_nonblocking(true).expect("a setting");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it is open");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(calls(stream));
            }
        });
    });
    address
}

async fn calls(stream: tokio::net::TcpStream) {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut answer))) = connection.accept().await {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let token =
            request.headers().get("authorization").map(|it| it.as_bytes().to_vec()).unwrap_or_default();
        let path = request.uri().path().to_owned();
        tokio::spawn(async move {
            let mut body = request.into_body();
            let mut heard = token;
            while let Some(Ok(piece)) = body.data().await {
                heard.extend_from_slice(&piece);
                if !path.contains("Authenticate") {
                    break;
                }
            }
            let head = http::Response::builder().header("content-type", "application/grpc");
            if path.contains("Authenticate") && !turn.is_multiple_of(3) {
                let length = u8::try_from(CANARY.len()).expect("it is short");
                let mut granted = vec![0, 0, 0, 0, 2 + length, 0x12, length];
                granted.extend_from_slice(CANARY.as_bytes());
                let head = head.body(()).expect("a head");
                let Ok(mut sending) = answer.send_response(head, false) else { return };
                let _ = sending.send_data(granted.into(), false);
                let mut end = http::HeaderMap::new();
                end.insert("grpc-status", http::HeaderValue::from_static("0"));
                let _ = sending.send_trailers(end);
                return;
            }
            let begin = if turn.is_multiple_of(2) { "etcdserver: permission denied: " } else { "what is " };
            let mut said = String::new();
            for byte in [begin.as_bytes(), &heard].concat() {
                let _ = match byte {
                    b' '..=b'~' if byte != b'%' => write!(said, "{}", char::from(byte)),
                    _ => write!(said, "%{byte:02X}"),
                };
            }
            let code = if turn.is_multiple_of(2) { "7" } else { "2" };
            let head = head.header("grpc-status", code).header("grpc-message", said);
            let _ = answer.send_response(head.body(()).expect("a head"), true);
        });
    }
}

/// A store, quick to give up.
fn brisk<S: Store>(store: Remote<S>) -> Remote<S> {
    let ms = Duration::from_millis;
    let backoff = Backoff { first: ms(5), longest: ms(50), denied: ms(50), ..Backoff::default() };
    store.deadline(ms(700)).backoff(backoff)
}

/// All that is said of a store and its configuration, in whatever way.
fn told<S: Store>(make: &dyn Fn() -> Remote<S>) -> String {
    let mut said = String::new();
    let mut tell = |what: &dyn std::fmt::Debug| {
        let _ = writeln!(said, "{what:?} {what:#?}");
    };
    let source = brisk(make());
    tell(&source);
    tell(&hotconf::Source::describe(&source));
    let required = Hot::<App>::builder().source(source).startup_deadline(Duration::from_millis(300));
    match required.blocking_start() {
        Ok(config) => tell(&config.status()),
        Err(error) => tell(&(error.to_string(), error)),
    }
    match Hot::<App>::builder().source(brisk(make()).optional()).blocking_start() {
        Ok(config) => {
            let mut events = config.events();
            let end = Instant::now() + Duration::from_secs(1);
            while let Some(rest) = end.checked_duration_since(Instant::now()) {
                if let Ok(Some(Some(event))) = events.blocking_next_timeout(rest) {
                    tell(&(event.to_string(), event));
                }
                tell(&config.status());
            }
            tell(&config.explain_path("password").map(|it| it.to_string()));
            tell(&config);
        }
        Err(error) => tell(&(error.to_string(), error)),
    }
    said
}

/// Tells of one store.
type Job<'a> = Box<dyn Fn() -> String + Send + Sync + 'a>;

/// Where the servers are.
#[derive(Clone, Copy)]
struct Servers {
    web: SocketAddr,
    etcd: SocketAddr,
    redis: SocketAddr,
    nats: SocketAddr,
    zookeeper: SocketAddr,
}

impl Servers {
    fn all(at: SocketAddr) -> Self {
        Self { web: at, etcd: at, redis: at, nats: at, zookeeper: at }
    }

    /// What is said of each store, with each way to say who we are.
    fn told(self, tls: Option<&Transport>, file: &PathBuf) -> Vec<(&'static str, String)> {
        let transport = || tls.cloned().unwrap_or_else(|| Transport::new().no_proxy());
        let s = if tls.is_some() { "s" } else { "" };
        let web = format!("http{s}://{}", self.web);
        let url = format!("{web}/app.toml?token={CANARY}");
        let (etcd, redis) = (format!("http{s}://{}", self.etcd), format!("redis{s}://{}", self.redis));
        let nats = format!("{}://{}", if tls.is_some() { "tls" } else { "nats" }, self.nats);
        let keeper = self.zookeeper.to_string();
        let http = || Http::new(&url).transport(transport()).every(Duration::from_millis(20));
        let vault = || {
            Vault::new(&web).secret("secret", "shop").transport(transport()).every(Duration::from_millis(20))
        };
        let nats = || Nats::new([&nats]).bucket("config").prefix("shop.").transport(transport());
        let redis = || Redis::new(&redis).prefix("shop:").transport(transport());
        let consul = || Consul::new(&web).prefix("shop/").transport(transport());
        let nacos = || Nacos::new(&web).data("shop.toml").transport(transport());
        let etcd = || Etcd::new([&etcd]).prefix("/shop/").transport(transport());
        let keeper = || {
            let keeper = ZooKeeper::new([&keeper]).prefix("/shop/").transport(transport());
            if tls.is_some() { keeper.tls() } else { keeper }
        };
        let failing = || Token::callback(|| Err("the safe is shut".into()));
        let jobs: Vec<(&'static str, Job<'_>)> = vec![
            ("http, bearer", Box::new(|| told(&|| http().bearer(CANARY)))),
            ("http, basic", Box::new(|| told(&|| http().basic("me", CANARY)))),
            ("http, header", Box::new(|| told(&|| http().header("x-key", CANARY)))),
            ("http, a token that is no header", Box::new(|| told(&|| http().bearer(format!("{CANARY}\n"))))),
            ("consul", Box::new(|| told(&|| consul().token(CANARY)))),
            ("consul, file", Box::new(|| told(&|| consul().token(Token::file(file))))),
            ("vault, token", Box::new(|| told(&|| vault().token(CANARY)))),
            ("vault, app role", Box::new(|| told(&|| vault().app_role("role", CANARY)))),
            ("vault, jwt", Box::new(|| told(&|| vault().jwt("jwt", "role", CANARY)))),
            ("nacos", Box::new(|| told(&|| nacos().user("me", CANARY)))),
            ("etcd", Box::new(|| told(&|| etcd().user("me", CANARY)))),
            ("etcd, callback", Box::new(|| told(&|| etcd().user("me", failing())))),
            ("redis, password", Box::new(|| told(&|| redis().password(CANARY)))),
            ("redis, user", Box::new(|| told(&|| redis().user("me", CANARY)))),
            ("nats, user", Box::new(|| told(&|| nats().user("me", CANARY)))),
            ("nats, token", Box::new(|| told(&|| nats().token(CANARY)))),
            ("nats, file", Box::new(|| told(&|| nats().credentials_file(file)))),
            ("zookeeper", Box::new(|| told(&|| keeper().digest("me", CANARY)))),
        ];
        thread::scope(|scope| {
            let jobs: Vec<_> = jobs.iter().map(|(name, job)| (*name, scope.spawn(job))).collect();
            jobs.into_iter().map(|(name, job)| (name, job.join().expect("no panic"))).collect()
        })
    }
}

/// Neither the canary, nor what a header of `me` and it has.
#[track_caller]
fn silent(place: &str, told: Vec<(&'static str, String)>) {
    let mut leaks: Vec<String> = Vec::new();
    for (name, said) in told {
        // It says why: what is silent altogether proves nothing.
        assert!(
            ["Down", "error", "problem"].iter().any(|word| said.contains(word)),
            "{place}, {name}: {said}"
        );
        let shown = said.lines().filter(|line| line.contains(CANARY) || line.contains("a0VzVHJFbC05YjQx"));
        leaks.extend(shown.take(2).map(|line| format!("{place}, {name}: {line}")));
    }
    leaks.extend(super::secret::traced::LEAKS.lock().expect("no panic").drain(..));
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

fn file(dir: &Dir) -> PathBuf {
    dir.file("credentials", &format!("-----BEGIN USER NKEY SEED-----\n{CANARY}\n------END------"))
}

#[test]
fn what_we_show_to_a_server_that_says_it_again_is_found_nowhere() {
    crate::tracing::record();
    let dir = Dir::new();
    let file = file(&dir);
    let servers = Servers {
        web: serve("", web),
        etcd: etcd(),
        redis: serve("", resp),
        nats: serve(GREETING, nats),
        zookeeper: serve("", parrot),
    };
    silent("words", servers.told(None, &file));
    silent("parrot", Servers::all(serve("", parrot)).told(None, &file));
}

#[test]
fn a_secret_that_a_store_holds_and_that_does_not_fit_is_found_nowhere() {
    crate::tracing::record();
    let dir = Dir::new();
    silent("holder", Servers::all(serve("", holder)).told(None, &file(&dir)));
}

#[test]
fn certificates_keys_and_the_password_of_a_proxy_are_found_nowhere() {
    crate::tracing::record();
    let dir = Dir::new();
    let file = file(&dir);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    silent("nobody", Servers::all(nobody).told(None, &file));
    let parrot = serve("", parrot);
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pair = rcgen::KeyPair::generate().expect("a key");
    let authority = authority.self_signed(&pair).expect("a certificate").pem();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    let transports = [
        Transport::new().no_proxy().ca_pem(key.replace('\n', " ")),
        Transport::new()
            .no_proxy()
            .ca_pem(&*authority)
            .client_cert(dir.file("ca", &authority), dir.file("key", &key)),
        Transport::new().ca_pem(&*authority).proxy(&format!("http://me:{CANARY}@{}", serve("", web))),
        Transport::new().ca_pem(&*authority).proxy(&format!("http://me:{CANARY}@{parrot}")),
        Transport::new().proxy(&format!("http://me:{CANARY}/@{parrot}")),
    ];
    for (n, transport) in transports.iter().enumerate() {
        silent(&format!("transport {n}"), Servers::all(parrot).told(Some(transport), &file));
        assert!(!format!("{transport:?} {transport:#?}").contains(CANARY));
    }
}
