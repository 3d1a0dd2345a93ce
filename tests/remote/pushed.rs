//! A server that pushes one whole document, by whatever protocol: the [`Rig`] of stores of which each message is
//! the document.
//!
//! It lives in this process, keeps its document across a kill, and can be frozen and set back.

use crate::http::Document;
use crate::rig::{Rig, lock};
use hotconf::remote::{Remote, Store};
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A server says that it lives this often.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(100);

/// How it is pushed.
pub(crate) trait Protocol: 'static {
    type Store: Store;

    const NAME: &'static str;
    const STEP: u64;

    fn source(at: SocketAddr) -> Remote<Self::Store>;

    /// What an origin begins with.
    fn place(at: SocketAddr) -> String;

    /// One connection, until it ends.
    fn talk(stream: TcpStream, document: Pushed) -> impl Future<Output = Option<()>> + Send;
}

/// The document as one connection sees it.
pub(crate) struct Pushed {
    document: watch::Receiver<Document>,
    frozen: watch::Receiver<bool>,
}

impl Pushed {
    /// The document as of now.
    pub(crate) fn now(&mut self) -> Document {
        self.document.borrow_and_update().clone()
    }

    /// Ends when it has changed.
    pub(crate) async fn changed(&mut self) -> Option<()> {
        self.document.changed().await.ok()
    }

    /// Ends when the server is not frozen.
    pub(crate) async fn thawed(&mut self) -> Option<()> {
        self.frozen.wait_for(|frozen| !frozen).await.ok().map(drop)
    }
}

/// The server.
pub(crate) struct Server<P> {
    address: SocketAddr,
    document: watch::Sender<Document>,
    older: Mutex<Document>,
    frozen: watch::Sender<bool>,
    running: Mutex<Option<Runtime>>,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Server<P> {
    pub(crate) fn start() -> Self {
        let [address] = crate::servers::free();
        let server = Self {
            address,
            document: watch::Sender::default(),
            older: Mutex::default(),
            frozen: watch::Sender::new(false),
            running: Mutex::default(),
            protocol: PhantomData,
        };
        server.restart();
        server
    }
}

impl<P: Protocol> Rig for Server<P> {
    type Store = P::Store;

    const NAME: &'static str = P::NAME;
    const STEP: u64 = P::STEP;
    const LISTS_APART: bool = true;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn source(&self, at: SocketAddr) -> Remote<P::Store> {
        P::source(at)
    }

    fn place(&self, _: &str) -> String {
        P::place(self.address)
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        self.document.send_modify(|document| {
            for (key, value) in changes {
                match value {
                    Some(value) => document.insert((*key).to_owned(), (*value).to_owned()),
                    None => document.remove(*key),
                };
            }
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
            .thread_name(P::NAME)
            .enable_all()
            .build()
            .expect("a runtime");
        let (document, frozen) = (self.document.subscribe(), self.frozen.subscribe());
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let pushed = Pushed { document: document.clone(), frozen: frozen.clone() };
                tokio::spawn(P::talk(stream, pushed));
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
        lock(&self.older).clone_from(&*self.document.borrow());
    }

    fn restore(&self) {
        self.document.send_replace(lock(&self.older).clone());
    }
}

impl<P> Drop for Server<P> {
    fn drop(&mut self) {
        if let Some(runtime) = lock(&self.running).take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}
