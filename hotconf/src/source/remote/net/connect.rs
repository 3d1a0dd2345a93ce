//! From a name to an open TCP connection: all addresses are tried, the next while the last still hangs.

use super::endpoint::Endpoint;
use super::explain::explain;
use super::token::elsewhere;
use crate::source::{BoxFuture, Context, SourceError};
use socket2::{SockRef, TcpKeepalive};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;

/// An address that has not answered for so long does not hold up the next (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// A peer that is gone without a word is noticed after about 30 + 3 × 10 s, where nothing else asks it.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));

/// A connection to the host and port of `endpoint`.
pub(super) async fn connect(endpoint: &Endpoint, cx: &Context) -> Result<TcpStream, SourceError> {
    let failed = |why: String| SourceError::down(format!("cannot connect to {endpoint}: {why}"));
    let addresses = resolve(endpoint, cx).await.map_err(failed)?;
    let stream = first(addresses, cx).await.map_err(|tried| {
        let tried: Vec<_> =
            tried.iter().map(|(address, error)| format!("{address}: {}", explain(error))).collect();
        failed(tried.join("; "))
    })?;
    let socket = SockRef::from(&stream);
    // Neither is needed for a connection to work: some systems and sandboxes refuse them.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_keepalive(&KEEPALIVE);
    Ok(stream)
}

async fn resolve(endpoint: &Endpoint, cx: &Context) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = (endpoint.host().to_owned(), endpoint.port());
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    // On a worker of ours: the runtime's own would hold up the end of the engine while a resolver hangs.
    let named = host.clone();
    let found = elsewhere(cx, move || (named.as_str(), port).to_socket_addrs().map(Vec::from_iter)).await;
    match found.unwrap_or_else(|| Err(io::Error::other("the look-up was cut short"))) {
        Ok(found) if found.is_empty() => Err(format!("`{host}` has no address")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("`{host}` cannot be looked up: {}", explain(&error))),
    }
}

/// The first address to answer; all errors where none does.
async fn first(addresses: Vec<SocketAddr>, cx: &Context) -> Result<TcpStream, Vec<(SocketAddr, io::Error)>> {
    let mut next = addresses.into_iter();
    let mut open: Vec<BoxFuture<'_, (SocketAddr, io::Result<TcpStream>)>> = Vec::new();
    let mut failed = Vec::new();
    loop {
        if let Some(address) = next.next() {
            open.push(Box::pin(async move { (address, TcpStream::connect(address).await) }));
        } else if open.is_empty() {
            return Err(failed);
        }
        let mut patience = (next.len() > 0).then(|| cx.sleep(STAGGER));
        let answer = poll_fn(|task| {
            for at in 0..open.len() {
                if let Poll::Ready(answer) = open[at].as_mut().poll(task) {
                    drop(open.swap_remove(at));
                    return Poll::Ready(Some(answer));
                }
            }
            match &mut patience {
                Some(patience) => patience.as_mut().poll(task).map(|()| None),
                None => Poll::Pending,
            }
        });
        match answer.await {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((address, Err(error))) => failed.push((address, error)),
            None => {}
        }
    }
}
