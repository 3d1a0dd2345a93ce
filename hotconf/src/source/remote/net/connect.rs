//! From a name to an open TCP connection: all addresses are tried, the next while the last still hangs.

use super::endpoint::Endpoint;
use super::explain::explain;
use crate::source::{BoxFuture, Context, SourceError};
use crate::sync::lock;
use socket2::{SockRef, TcpKeepalive};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// An address that has not answered for so long does not hold up the next (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);
/// A peer that is gone without a word is noticed after about 30 + 3 × 10 s, where nothing else asks it.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));

/// A connection to the host and port of `endpoint`.
pub(super) async fn connect(endpoint: &Endpoint, cx: &Context) -> Result<TcpStream, SourceError> {
    let failed =
        |why: String| SourceError::down(format!("cannot connect to {}: {why}", endpoint.host_and_port()));
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
    match look_up(&host, port, cx).await {
        Ok(found) if found.is_empty() => Err(format!("`{host}` has no address")),
        Ok(found) => Ok(found),
        Err(why) => Err(format!("`{host}` cannot be looked up: {why}")),
    }
}

type Found = Result<Vec<SocketAddr>, String>;
type UnderWay = BTreeMap<(String, u16), watch::Receiver<Option<Found>>>;

/// Asks the system, once at a time for each name: a resolver that hangs holds one worker up, and not one more
/// with each attempt. (The runtime's own look-up would hold up the end of the engine.)
async fn look_up(host: &str, port: u16, cx: &Context) -> Found {
    static UNDER_WAY: Mutex<UnderWay> = Mutex::new(BTreeMap::new());
    let name = (host.to_owned(), port);
    let (mut asked, work) = {
        let mut under_way = lock(&UNDER_WAY);
        if let Some(asked) = under_way.get(&name).filter(|asked| asked.has_changed().is_ok()) {
            (asked.clone(), None)
        } else {
            let (answer, asked) = watch::channel(None);
            under_way.insert(name.clone(), asked.clone());
            let work = move || {
                let found = (name.0.as_str(), name.1).to_socket_addrs();
                lock(&UNDER_WAY).remove(&name);
                answer.send_replace(Some(found.map(Vec::from_iter).map_err(|error| explain(&error))));
            };
            (asked, Some(work))
        }
    };
    if let Some(work) = work {
        // It goes on where this future is dropped: others may wait for it too.
        cx.services().offload(Box::new(work)).await;
    }
    let found = asked.wait_for(Option::is_some).await;
    found.ok().and_then(|found| found.clone()).unwrap_or_else(|| Err("it was cut short".to_owned()))
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
