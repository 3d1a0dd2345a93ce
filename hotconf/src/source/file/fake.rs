//! What tests of this folder share: a directory of their own, and an engine made of a clock.

use crate::source::context::Group;
use crate::source::{BoxFuture, Context, Inbox, Services, WatchFailure, Watching};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::Wake;
use std::time::{Duration, Instant};

/// A directory that is removed with its handle.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("hotconf-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An engine with a clock that is turned by hand, and watches that only the test speaks through.
pub(crate) struct Fake {
    start: Instant,
    now: Mutex<Duration>,
    pub(crate) inboxes: Mutex<Vec<(Vec<PathBuf>, Arc<Inbox>)>>,
    pub(crate) failing: Mutex<Option<WatchFailure>>,
}

impl Fake {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            now: Mutex::default(),
            inboxes: Mutex::default(),
            failing: Mutex::default(),
        })
    }

    pub(crate) fn turn(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
    }
}

impl Services for Arc<Fake> {
    fn now(&self) -> Instant {
        self.start + *self.now.lock().unwrap()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let fake = self.clone();
        // Nobody is woken: the test polls again after it has turned the clock.
        Box::pin(std::future::poll_fn(move |_| {
            if fake.now() >= at { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }))
    }

    fn watch(&self, paths: &[PathBuf], inbox: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>) {
        self.inboxes.lock().unwrap().push((paths.to_vec(), inbox.clone()));
        (Watching(Box::new(())), self.failing.lock().unwrap().clone().into_iter().collect())
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        work();
        Box::pin(std::future::ready(()))
    }

    /// The highest: jitter then gives the longest delay.
    fn random(&self) -> u64 {
        u64::MAX
    }

    fn next_poll(&self, every: Duration) -> Instant {
        let passed = *self.now.lock().unwrap();
        self.start + every * u32::try_from(passed.as_nanos() / every.as_nanos() + 1).unwrap()
    }
}

static SCHEMA: crate::schema::meta::Schema = crate::schema::meta::Schema {
    name: "Any",
    doc: "",
    body: crate::schema::meta::Body::Struct(crate::schema::meta::Group { fields: &[], names: &[] }),
    removed: &[],
    deny_unknown: false,
    len: 0,
    foreign: false,
};

/// A context over `services`, and the warnings that come through it.
pub(crate) fn context(services: Arc<dyn Services>, poll: Duration) -> (Context, Arc<Mutex<Vec<String>>>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let sink = warnings.clone();
    let warn = Arc::new(move |text| sink.lock().unwrap().push(text));
    let token = tokio_util::sync::CancellationToken::new();
    let cx =
        Context::new(services, token, Group::new(), warn, &SCHEMA, poll, crate::format::Limits::default());
    (cx, warnings)
}

/// Wakes a thread that waits on it.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.ring.notify_all();
    }
}

impl Bell {
    /// Waits until it is rung, or for `at_most`.
    pub(crate) fn wait(&self, at_most: Duration) {
        let rung = self.rung.lock().unwrap();
        let (mut rung, _) = self.ring.wait_timeout_while(rung, at_most, |rung| !*rung).unwrap();
        *rung = false;
    }
}
