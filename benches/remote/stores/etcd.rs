//! etcd: written by its way for JSON; the watch is HTTP/2 on a socket, of which nothing is decoded.

use super::Bench;
use super::line::Line;
use crate::servers::http::base64;
use crate::servers::process::Process;
use crate::servers::{command, free, or_left_out};
use bytes::Bytes;
use hotconf::remote::Remote;
use hotconf::remote::etcd::EtcdStore;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::Command;
use std::task::Poll;

pub(crate) struct Etcd {
    address: SocketAddr,
    process: Process,
    writer: Option<Line>,
}

impl Bench for Etcd {
    type Store = EtcdStore;

    const NAME: &'static str = "etcd";
    const ROOT: &'static str = "/";

    fn start() -> Option<Self> {
        let etcd = or_left_out("etcd", command("etcd", "etcd"))?;
        let [address, peer] = free();
        let (client, peer) = (format!("http://{address}"), format!("http://{peer}"));
        let begin = move |_: &Path| {
            let mut command = Command::new(&etcd);
            command
                .args(["--data-dir", "data", "--unsafe-no-fsync", "--log-level", "warn"])
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &format!("default={peer}")])
                .args(["--heartbeat-interval", "20", "--election-timeout", "200"]);
            command
        };
        let ready = move || write(&mut None, address, "/warm", "0").is_ok();
        Some(Self { address, process: Process::start("etcd", begin, ready), writer: None })
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> &Process {
        &self.process
    }

    fn source(at: SocketAddr, prefix: &str) -> Remote<EtcdStore> {
        hotconf::Etcd::new([format!("http://{at}")]).prefix(prefix)
    }

    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()> {
        write(&mut self.writer, self.address, key, value)
    }

    fn close(&mut self) {
        self.writer = None;
    }

    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let stream = tokio::net::TcpStream::from_std(stream)?;
            let (mut requests, mut connection) =
                h2::client::handshake(stream).await.map_err(io::Error::other)?;
            let request = http::Request::post("http://bench/etcdserverpb.Watch/Watch")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .expect("a request");
            let (response, mut said) = requests.send_request(request, false).map_err(io::Error::other)?;
            // `WatchRequest { create_request: { key: "/bench/", range_end: "/bench0" } }`, in its frame.
            let create = b"\x0a\x12\x0a\x07/bench/\x12\x07/bench0";
            let mut message = vec![0, 0, 0, 0, 20];
            message.extend(create);
            said.send_data(Bytes::from(message), false).map_err(io::Error::other)?;
            let watching = async move {
                let mut body = response.await.expect("headers").into_body();
                while let Some(Ok(piece)) = body.data().await {
                    told();
                    let _ = body.flow_control().release_capacity(piece.len());
                }
            };
            let mut watching = pin!(watching);
            poll_fn(|cx| {
                let _ = Pin::new(&mut connection).poll(cx);
                if watching.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                Pin::new(&mut connection).poll(cx).map(drop)
            })
            .await;
            Ok(())
        })
    }

    fn watches(&mut self) -> Option<u64> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let line = text.lines().find(|line| line.starts_with("etcd_debugging_mvcc_watcher_total "))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

fn write(writer: &mut Option<Line>, at: SocketAddr, key: &str, value: &str) -> io::Result<()> {
    let writer = match writer {
        Some(writer) => writer,
        none => none.insert(Line::open(at)?),
    };
    let body = format!(r#"{{"key":"{}","value":"{}"}}"#, base64(key.as_bytes()), base64(value.as_bytes()));
    writer.http("POST /v3/kv/put", "", &body, "").map(drop)
}
