//! A proxy that does to a TCP connection what networks do: cuts, silence, delays, and bytes that nobody sent.
//!
//! What happens is said for each connection by its number, from 0 on, and for each direction.

use crate::rig::lock;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// What happens to one direction of a connection. Places are counted in bytes of this direction.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fault {
    /// Nothing.
    #[default]
    None,
    /// After so many bytes both ends see an orderly end.
    Cut(u64),
    /// After so many bytes both ends see a reset.
    Reset(u64),
    /// After so many bytes nothing comes any more; what is sent is swallowed.
    Mute(u64),
    /// Every piece comes so much later.
    Delay(Duration),
    /// One byte at a time, with a pause between them.
    Drip(Duration),
    /// The byte at this place comes with one bit turned.
    Flip(u64),
    /// From this place on the last bytes, up to so many, come a second time.
    Repeat(u64, usize),
    /// At this place come these bytes, of nobody's.
    Inject(u64, Arc<[u8]>),
}

/// What happens to a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The connection is reset as soon as it is there.
    pub(crate) refuse: bool,
    /// From the client to the store.
    pub(crate) up: Fault,
    /// From the store to the client.
    pub(crate) down: Fault,
}

impl Plan {
    pub(crate) fn up(fault: Fault) -> Self {
        Self { up: fault, ..Self::default() }
    }

    pub(crate) fn down(fault: Fault) -> Self {
        Self { down: fault, ..Self::default() }
    }

    pub(crate) fn refuse() -> Self {
        Self { refuse: true, ..Self::default() }
    }
}

#[derive(Default)]
struct State {
    plans: Mutex<HashMap<usize, Plan>>,
    /// What happens to connections that have no plan of their own.
    others: Mutex<Plan>,
    severed: Mutex<CancellationToken>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    up: AtomicU64,
    down: AtomicU64,
}

/// A proxy before a store; gone, with all its connections, when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

impl Proxy {
    pub(crate) fn before(store: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let (address, state) = (listener.local_addr().expect("bound"), Arc::new(State::default()));
        let shared = state.clone();
        runtime.spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("accepts");
                let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
                let plan = lock(&shared.plans).get(&number).cloned();
                let plan = plan.unwrap_or_else(|| lock(&shared.others).clone());
                tokio::spawn(carry(client, store, plan, shared.clone()));
            }
        });
        Self { address, state, runtime: Some(runtime) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens to the connection with this number, counted from 0.
    pub(crate) fn plan(&self, connection: usize, plan: Plan) {
        lock(&self.state.plans).insert(connection, plan);
    }

    /// What happens to connections, from the next on, that have no plan of their own.
    pub(crate) fn others(&self, plan: Plan) {
        *lock(&self.state.others) = plan;
    }

    /// Resets every connection that is open.
    pub(crate) fn sever(&self) {
        std::mem::take(&mut *lock(&self.state.severed)).cancel();
    }

    /// How many connections were there so far.
    pub(crate) fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// How many are there now.
    pub(crate) fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// How many bytes came from clients, and how many from the store.
    pub(crate) fn carried(&self) -> (u64, u64) {
        (self.state.up.load(Ordering::SeqCst), self.state.down.load(Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

/// How a direction came to its end.
enum End {
    Closed,
    Reset,
}

/// Counts a connection while it lives.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn carry(mut client: TcpStream, store: SocketAddr, plan: Plan, state: Arc<State>) {
    state.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(&state.open);
    let severed = lock(&state.severed).clone();
    if plan.refuse {
        return reset(&client);
    }
    let Ok(mut server) = TcpStream::connect(store).await else { return reset(&client) };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    let end = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = severed.cancelled() => End::Reset,
            end = pump(from_client, to_server, &plan.up, &state.up) => end,
            end = pump(from_server, to_client, &plan.down, &state.down) => end,
        }
    };
    if let End::Reset = end {
        reset(&client);
        reset(&server);
    }
}

/// Makes closing this socket a reset.
fn reset(stream: &TcpStream) {
    // Fails where the other end has closed it already.
    let _ = stream.set_zero_linger();
}

async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, fault: &Fault, carried: &AtomicU64) -> End {
    let mut piece = vec![0; 16 << 10];
    let mut at = 0;
    loop {
        let bytes = match from.read(&mut piece).await {
            Ok(0) => return End::Closed,
            Err(_) => return End::Reset,
            Ok(length) => &mut piece[..length],
        };
        let end = at + bytes.len() as u64;
        // Where in this piece a place lies that is counted from the beginning.
        let within = |place: u64| usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
        carried.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        let sent = match fault {
            Fault::Cut(place) | Fault::Reset(place) if end >= *place => {
                let sent = to.write_all(&bytes[..within(*place)]).await;
                if matches!(fault, Fault::Reset(_)) || sent.is_err() {
                    // What was sent shall arrive first: a reset takes with it what is under way.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    return End::Reset;
                }
                return End::Closed;
            }
            Fault::Mute(place) => to.write_all(&bytes[..within(*place).min(bytes.len())]).await,
            Fault::Delay(delay) => {
                tokio::time::sleep(*delay).await;
                to.write_all(bytes).await
            }
            Fault::Drip(pause) => {
                let mut sent = Ok(());
                for byte in &*bytes {
                    tokio::time::sleep(*pause).await;
                    sent = to.write_all(&[*byte]).await;
                    if sent.is_err() {
                        break;
                    }
                }
                sent
            }
            Fault::Flip(place) => {
                if (at..end).contains(place) {
                    bytes[within(*place)] ^= 1;
                }
                to.write_all(bytes).await
            }
            Fault::Repeat(place, most) if (at..end).contains(place) => {
                let (before, after) = bytes.split_at(within(*place) + 1);
                let again = &before[before.len().saturating_sub(*most)..];
                to.write_all(&[before, again, after].concat()).await
            }
            Fault::Inject(place, strange) if (at..end).contains(place) => {
                let (before, after) = bytes.split_at(within(*place));
                to.write_all(&[before, strange, after].concat()).await
            }
            _ => to.write_all(bytes).await,
        };
        if sent.is_err() {
            return End::Reset;
        }
        at = end;
    }
}
