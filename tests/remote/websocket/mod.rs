//! A WebSocket: under the suite, and each point of the protocol by itself. The other end is tungstenite's.

mod points;
mod tls;

use crate::http::body;
use crate::pushed::{HEARTBEAT, Protocol, Pushed, Server};
use futures_util::{SinkExt, StreamExt};
use hotconf::WebSocket;
use hotconf::remote::Remote;
use hotconf::remote::websocket::WebSocketStore;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

crate::conformance::suite!(over_websocket, Some(crate::websocket::start()));

pub(crate) fn start() -> Server<Messages> {
    Server::start()
}

/// A server of messages as the documentation asks for.
pub(crate) struct Messages;

impl Protocol for Messages {
    type Store = WebSocketStore;

    const NAME: &'static str = "websocket";
    const STEP: u64 = 11;

    fn source(at: SocketAddr) -> Remote<WebSocketStore> {
        WebSocket::new(&format!("ws://{at}/app.json"))
            .ping(HEARTBEAT * 2)
            .hello("all")
            .resume(|last| String::from_utf8_lossy(last).into_owned())
    }

    fn place(at: SocketAddr) -> String {
        format!("ws://{at}/app.json:")
    }

    async fn talk(stream: TcpStream, mut document: Pushed) -> Option<()> {
        let mut socket = accept_async(stream).await.ok()?;
        // What the client has is the document itself, or nothing yet.
        let mut known = socket.next().await?.ok()?.into_text().ok()?.to_string();
        loop {
            let now = body(&document.now());
            if known != now {
                document.thawed().await?;
                socket.send(Message::text(now.clone())).await.ok()?;
                known = now;
            }
            tokio::select! {
                changed = document.changed() => changed?,
                // Answers pings.
                heard = socket.next() => {
                    heard?.ok()?;
                    document.thawed().await?;
                    socket.flush().await.ok()?;
                }
            }
        }
    }
}
