//! etcd: from a put to the new version being readable, beside a bare watch over the same transport; what one
//! key of a thousand costs; what a hundred configurations and an idle one cost; and how soon it is back.
//!
//! `tests/servers/fetch etcd && cargo bench --bench remote`, on Linux. It says so where there is no etcd.

mod common;

use bytes::Bytes;
use common::shapes::Fifty;
use common::{human, spread};
use hotconf::{Etcd, Hot, HotConf, Live};
use std::future::{Future, poll_fn};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

const PORT: u16 = 23_479;

#[derive(Clone, Debug, HotConf)]
struct App {
    n: u64,
}

/// An etcd of its own, in a folder that goes with it.
struct Server {
    program: PathBuf,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Server {
    fn found() -> Option<PathBuf> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let fetched = std::env::var_os("TEST_SERVERS").map_or_else(|| target.join("servers"), PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::iter::once(fetched.join("etcd/bin"))
            .chain(std::env::split_paths(&path))
            .map(|folder| folder.join("etcd"));
        places.find(|program| program.is_file())
    }

    fn start(&mut self) {
        let (client, peer) = (format!("http://127.0.0.1:{PORT}"), format!("http://127.0.0.1:{}", PORT + 1));
        let child = Command::new(&self.program)
            .arg("--data-dir")
            .arg(self.folder.path())
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}"), "--unsafe-no-fsync"])
            .args(["--heartbeat-interval", "20", "--election-timeout", "200", "--max-txn-ops", "2000"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("etcd starts"));
        while Writer::open().and_then(|mut writer| writer.put(&[("/warm", "0")])).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).expect("it is ours");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes through etcd's own way for JSON, on one connection.
struct Writer(BufReader<TcpStream>);

impl Writer {
    fn open() -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", PORT))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// One transaction.
    fn put(&mut self, pairs: &[(&str, &str)]) -> std::io::Result<()> {
        let all = pairs.iter().map(|(key, value)| {
            format!(r#"{{"requestPut":{{"key":"{}","value":"{}"}}}}"#, base64(key), base64(value))
        });
        let body = format!(r#"{{"success":[{}]}}"#, all.collect::<Vec<_>>().join(","));
        self.post("/v3/kv/txn", &body).map(drop)
    }

    fn post(&mut self, path: &str, body: &str) -> std::io::Result<String> {
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        self.0.get_mut().write_all((head + body).as_bytes())?;
        let (mut length, mut status, mut line) = (0, String::new(), String::new());
        while self.0.read_line(&mut line)? > 2 {
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if status.contains(" 200 ") { Ok(answer) } else { Err(std::io::Error::other(status + &answer)) }
    }
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            out.push(if at <= chunk.len() { char::from(LETTERS[bits >> (18 - 6 * at) & 63]) } else { '=' });
        }
    }
    out
}

/// The limit: HTTP/2 on a socket, and the time at which the bytes of an event come in. Nothing is decoded.
fn bare(writer: &mut Writer, rounds: u64) -> Vec<f64> {
    let (told, heard) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", PORT)).await.expect("connected");
            stream.set_nodelay(true).expect("a socket");
            let (mut requests, mut connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            let request = http::Request::post(format!("http://localhost:{PORT}/etcdserverpb.Watch/Watch"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .expect("a request");
            let (response, mut said) = requests.send_request(request, false).expect("sent");
            // `WatchRequest { create_request: { key: "/bench/", range_end: "/bench0" } }`, in its frame.
            let create = b"\x0a\x12\x0a\x07/bench/\x12\x07/bench0";
            let mut message = vec![0, 0, 0, 0, 20];
            message.extend(create);
            said.send_data(Bytes::from(message), false).expect("sent");
            let watching = async move {
                let mut body = response.await.expect("headers").into_body();
                while let Some(Ok(piece)) = body.data().await {
                    let at = Instant::now();
                    let _ = body.flow_control().release_capacity(piece.len());
                    if told.send(at).is_err() {
                        break;
                    }
                }
            };
            let (mut watching, mut stopped) = (pin!(watching), pin!(stopped));
            poll_fn(|cx| {
                let _ = Pin::new(&mut connection).poll(cx);
                if watching.as_mut().poll(cx).is_ready() || stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                Pin::new(&mut connection).poll(cx).map(drop)
            })
            .await;
        });
    });
    heard.recv().expect("the watch is created");
    let times = (1..=rounds).map(|n| {
        std::thread::sleep(Duration::from_millis(1));
        let begun = Instant::now();
        writer.put(&[("/bench/n", &n.to_string())]).expect("written");
        (heard.recv().expect("told") - begun).as_secs_f64() * 1e9
    });
    let times = times.collect();
    drop(stop);
    thread.join().expect("ended");
    times
}

/// Takes the time when a watch is woken: on the thread that swaps, right behind the swap.
struct Seen {
    live: Live<u64>,
    told: Mutex<mpsc::Sender<(Instant, u64)>>,
}

impl Wake for Seen {
    fn wake(self: Arc<Self>) {
        let seen = (Instant::now(), self.live.get());
        let _ = self.told.lock().expect("sane").send(seen);
    }
}

fn follow<T: HotConf>() -> Hot<T> {
    let source = Etcd::new([format!("http://127.0.0.1:{PORT}")]).prefix("/bench/");
    Hot::builder().source(source).blocking_start().expect("the first load")
}

/// hotconf: until the version can be read.
fn ours(writer: &mut Writer, rounds: u64) -> Vec<f64> {
    writer.put(&[("/bench/n", "0")]).expect("written");
    let config: Hot<App> = follow();
    let (told, heard) = mpsc::channel();
    let seen = Arc::new(Seen { live: config.live(App::FIELDS.n), told: Mutex::new(told) });
    let waker = Waker::from(seen);
    let mut watch = config.watch(App::FIELDS.n);
    // Past what follows a start.
    std::thread::sleep(Duration::from_millis(50));
    let times = (1..=rounds).map(|n| {
        std::thread::sleep(Duration::from_millis(1));
        while pin!(watch.next()).poll(&mut Context::from_waker(&waker)).is_ready() {}
        let begun = Instant::now();
        writer.put(&[("/bench/n", &n.to_string())]).expect("written");
        let (at, found) = heard.recv().expect("told");
        assert_eq!(found, n, "what is read then is the new version");
        (at - begun).as_secs_f64() * 1e9
    });
    let times = times.collect();
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    times
}

fn latency(writer: &mut Writer) {
    let (mut limit, mut visible, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..15 {
        let (theirs, own) = (bare(writer, 60), ours(writer, 60));
        ratios.push(spread(&own).1 / spread(&theirs).1);
        limit.extend(theirs);
        visible.extend(own);
    }
    println!("\nput of one key, p50 of {} puts", limit.len());
    let row = |name: &str, times: &[f64], ratio: f64| {
        let (low, mid, high) = spread(times);
        println!("  {name:<44} {:>12} ({} to {})  {ratio:>6.2}x", human(mid), human(low), human(high));
    };
    row("bare watch over h2: bytes are there", &limit, 1.0);
    row("hotconf: version readable", &visible, spread(&ratios).1);
}

/// The leaves of a value as keys and texts.
fn leaves(path: &str, value: &serde_json::Value, out: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(table) => {
            table.iter().for_each(|(key, value)| leaves(&format!("{path}/{key}"), value, out));
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => out.push((path.to_owned(), text.clone())),
        other => out.push((path.to_owned(), other.to_string())),
    }
}

fn one_of_a_thousand(writer: &mut Writer) {
    let mut all = Vec::new();
    leaves("/bench", &serde_json::to_value(Fifty::sample(1)).expect("JSON"), &mut all);
    let pairs: Vec<_> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    writer.put(&pairs).expect("written");
    let config: Hot<Fifty> = follow();
    let before = config.status().counters;
    let version = config.version();
    let (key, _) = pairs.iter().find(|(key, _)| key.ends_with("/limit")).expect("a number");
    writer.put(&[(key, "77")]).expect("written");
    while config.version() == version {
        std::thread::sleep(Duration::from_millis(1));
    }
    let after = config.status().counters;
    println!(
        "\none of {} keys: {} decoded, {} documents parsed, {} version",
        pairs.len(),
        after.decoded - before.decoded,
        after.parses - before.parses,
        config.version() - version
    );
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    let begun = writer.post(
        "/v3/kv/deleterange",
        &format!(r#"{{"key":"{}","range_end":"{}"}}"#, base64("/bench/"), base64("/bench0")),
    );
    begun.expect("removed");
}

/// A number of etcd's own.
fn metric(name: &str) -> u64 {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).expect("connected");
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answered");
    let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Connections to the server that are open.
fn connections() -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let (to, open) = (format!(":{PORT:04X}"), "01");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[2].ends_with(&to) && row[3] == open).count()
}

fn a_hundred(writer: &mut Writer) {
    writer.put(&[("/bench/n", "1")]).expect("written");
    std::thread::sleep(Duration::from_millis(200));
    let watches = "etcd_debugging_mvcc_watcher_total";
    let before = (connections(), metric(watches));
    let configs: Vec<Hot<App>> = (0..100).map(|_| follow()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let after = (connections(), metric(watches));
    println!("\n100 configurations: {} connections, {} watches", after.0 - before.0, after.1 - before.1);
    for config in configs {
        config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
    }
}

/// How often threads other than this one gave up the processor to wait.
fn waits() -> u64 {
    let own = std::process::id().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux").flatten();
    let waits = tasks.filter(|task| task.file_name().to_string_lossy() != own).filter_map(|task| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        line.rsplit('\t').next()?.trim().parse::<u64>().ok()
    });
    waits.sum()
}

fn idle(writer: &mut Writer) {
    writer.put(&[("/bench/n", "1")]).expect("written");
    let config: Hot<App> = follow();
    std::thread::sleep(Duration::from_secs(12));
    let before = waits();
    std::thread::sleep(Duration::from_secs(100));
    println!("\nidle for 100 s: {} wake-ups", waits() - before);
    config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
}

fn back(server: &mut Server, writer: &mut Writer) {
    writer.put(&[("/bench/n", "1")]).expect("written");
    println!("\nfrom the store being back to a new value being readable");
    let mut n = 1;
    for (outage, rounds) in [(1, 9), (4, 5)] {
        let times: Vec<_> = (0..rounds)
            .map(|_| {
                n += 1;
                // A new one each time: a store that flaps is left alone for longer and longer.
                let config: Hot<App> = follow();
                let begun = Instant::now();
                server.kill();
                std::thread::sleep(Duration::from_secs(outage));
                server.start();
                *writer = Writer::open().expect("it is back");
                let (out, begun) = (begun.elapsed(), Instant::now());
                writer.put(&[("/bench/n", &n.to_string())]).expect("written");
                while config.load().n != n {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let back = begun.elapsed();
                config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
                (out.as_secs_f64() * 1e9, back.as_secs_f64() * 1e9)
            })
            .collect();
        let (outages, times): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        let (low, mid, high) = spread(&times);
        println!(
            "  after an outage of {:<8} {:>12} ({} to {})",
            human(spread(&outages).1),
            human(mid),
            human(low),
            human(high)
        );
    }
}

fn main() {
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let Some(program) = Server::found() else {
        println!("no etcd: `tests/servers/fetch etcd`");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server { program, folder, child: None };
    server.start();
    let mut writer = Writer::open().expect("it answers");
    let only: Vec<_> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    if wanted("latency") {
        latency(&mut writer);
    }
    if wanted("one") {
        one_of_a_thousand(&mut writer);
    }
    if wanted("hundred") {
        a_hundred(&mut writer);
    }
    if wanted("back") {
        back(&mut server, &mut writer);
    }
    if wanted("idle") {
        idle(&mut writer);
    }
}
