//! What a store must bring to be measured: a server, a source, a writer, and a watch with nothing around it.

pub(crate) mod consul;
pub(crate) mod etcd;
mod line;
pub(crate) mod nats;
pub(crate) mod redis;
pub(crate) mod zookeeper;

use crate::servers::process::Process;
use hotconf::remote::{Remote, Store};
use hotconf::{Hot, HotConf};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where the keys of most parts stand.
pub(crate) const FOLDER: &str = "bench";

/// See [`Bench::watch`].
pub(crate) type Watching = fn(TcpStream, &mut dyn FnMut()) -> io::Result<()>;

pub(crate) trait Bench: Sized {
    type Store: Store;

    const NAME: &'static str;
    /// What stands before every key, and between the parts of one.
    const ROOT: &'static str = "";
    const SEPARATOR: &'static str = "/";
    /// Puts in a round, and between two of them: nobody is still busy with the last one, nor asleep.
    const PUTS: u64 = 40;
    const PAUSE: Duration = Duration::from_millis(1);

    /// Nothing where no server is here, which is said.
    fn start() -> Option<Self>;

    fn address(&self) -> SocketAddr;

    fn process(&self) -> &Process;

    /// The keys below this prefix.
    fn source(at: SocketAddr, prefix: &str) -> Remote<Self::Store>;

    /// Writes one key on a connection that is kept, which is opened anew where there is none.
    fn try_put(&mut self, key: &str, value: &str) -> io::Result<()>;

    /// The connection was lost.
    fn close(&mut self);

    /// A watch of [`FOLDER`] that brings the value, and does nothing with it. Says so when it stands, and at each change;
    /// ends with the stream.
    fn watch(stream: TcpStream, told: &mut dyn FnMut()) -> io::Result<()>;

    /// The same, of one that asks all that is to be asked before a change may be believed to be whole, where that is more.
    const SURE: Option<Watching> = None;

    /// How many watches the server has, where it tells.
    fn watches(&mut self) -> Option<u64>;

    fn key(folder: &str, path: &str) -> String {
        let path = path.replace('/', Self::SEPARATOR);
        [Self::ROOT, folder, Self::SEPARATOR, &path].concat()
    }

    /// Writes one key; waits for a server that is not ready.
    fn put(&mut self, folder: &str, path: &str, value: &str) {
        let (key, end) = (Self::key(folder, path), Instant::now() + Duration::from_secs(60));
        while let Err(error) = self.try_put(&key, value) {
            assert!(Instant::now() < end, "{key} cannot be written: {error}");
            self.close();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Writes many.
    fn fill(&mut self, folder: &str, pairs: &[(String, String)]) {
        for (path, value) in pairs {
            self.put(folder, path, value);
        }
    }

    /// A configuration that follows the store.
    fn follow<T: HotConf>(&self, folder: &str) -> Hot<T> {
        Self::follow_at(self.address(), folder)
    }

    fn follow_at<T: HotConf>(at: SocketAddr, folder: &str) -> Hot<T> {
        let source = Self::source(at, &Self::key(folder, ""));
        Hot::builder().source(source).blocking_start().expect("the first load")
    }
}

/// What most parts configure.
#[derive(Clone, Debug, HotConf)]
pub(crate) struct App {
    pub(crate) n: u64,
}
