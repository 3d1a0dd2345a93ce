//! Server-sent events: under the suite, and each point of the standard by itself.

mod points;

use crate::http::{body, tag};
use crate::pushed::{HEARTBEAT, Protocol, Pushed, Server};
use hotconf::Sse;
use hotconf::remote::Remote;
use hotconf::remote::sse::SseStore;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

crate::conformance::suite!(over_sse, Some(crate::sse::start()));

pub(crate) fn start() -> Server<Events> {
    Server::start()
}

/// A server of events as the documentation asks for.
pub(crate) struct Events;

impl Protocol for Events {
    type Store = SseStore;

    const NAME: &'static str = "sse";
    const STEP: u64 = 11;

    fn source(at: SocketAddr) -> Remote<SseStore> {
        Sse::new(&format!("http://{at}/app.json")).event("config").idle(Duration::from_millis(400))
    }

    fn place(at: SocketAddr) -> String {
        format!("http://{at}/app.json:")
    }

    async fn talk(mut stream: TcpStream, mut document: Pushed) -> Option<()> {
        let (reading, mut writing) = stream.split();
        let mut lines = BufReader::new(reading).lines();
        let mut known = None;
        loop {
            let line = lines.next_line().await.ok()??;
            if line.is_empty() {
                break;
            }
            if let Some(id) = line.strip_prefix("last-event-id: ") {
                known = Some(id.to_owned());
            }
        }
        document.thawed().await?;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\n";
        writing.write_all(head.as_bytes()).await.ok()?;
        loop {
            let now = document.now();
            let id = tag(&now);
            if known.replace(id.clone()).as_ref() != Some(&id) {
                let mut event = format!("event: config\nid: {id}\n");
                for line in body(&now).replace(',', ",\n").lines() {
                    let _ = writeln!(event, "data: {line}");
                }
                document.thawed().await?;
                writing.write_all(format!("{event}\n").as_bytes()).await.ok()?;
            }
            tokio::select! {
                changed = document.changed() => changed?,
                () = tokio::time::sleep(HEARTBEAT) => {
                    document.thawed().await?;
                    writing.write_all(b":\n").await.ok()?;
                }
                // A client says nothing more; it may only go.
                _ = lines.next_line() => return None,
            }
        }
    }
}
