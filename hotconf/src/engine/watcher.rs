//! One watcher of the file system for all configurations of the process; the only user of `notify`.
//!
//! The rules that hold:
//!
//! 1. `notify` is never called from its own callback, which would wait for itself for ever. The
//!    callback takes [`Routes`] alone, and nobody holds that lock while calling `notify`.
//! 2. Watches are counted: `notify` undoes any number of `watch` calls of a path with one `unwatch`.
//! 3. A watch belongs to an inode, not to a path: two paths of one file share one, and a path behind
//!    which another file stands is watched anew.
//! 4. With the last watch the thread and the descriptor go.

#[cfg(feature = "watch")]
pub(crate) use with_notify::Watcher;

#[cfg(not(feature = "watch"))]
pub(crate) use without::Watcher;

#[cfg(feature = "watch")]
mod with_notify {
    use crate::source::file::resolve::FileId;
    use crate::source::{Hint, Inbox, WatchFailure, Watching};
    use crate::sync::lock;
    use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
    use notify::{ErrorKind, RecursiveMode, Watcher as _};
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    /// Elsewhere no system tells that a writer has closed: a modification then counts as complete.
    const TELLS_CLOSE: bool = cfg!(any(target_os = "linux", target_os = "android"));

    /// How long the end waits for `notify`'s thread, which nobody can join.
    const FAREWELL: Duration = Duration::from_millis(200);

    /// The watcher; cheap while nothing is watched.
    pub(crate) struct Watcher {
        /// Locked while `notify` is called, never by its callback; taken before `routes`.
        arm: Mutex<Option<Armed>>,
        routes: Arc<Mutex<Routes>>,
    }

    struct Armed {
        notify: notify::RecommendedWatcher,
        /// Disconnects when `notify` drops its callback, which is the last that its thread does.
        gone: std::sync::mpsc::Receiver<()>,
    }

    /// Who hears of what.
    #[derive(Default)]
    struct Routes {
        paths: HashMap<PathBuf, Route>,
        /// The path under which `notify` watches a file, for each file watched.
        files: HashMap<FileId, PathBuf>,
        next: u64,
    }

    struct Route {
        id: FileId,
        /// The kernel gave the watch up.
        stale: bool,
        subscribers: Vec<(u64, Arc<Inbox>)>,
    }

    /// What one call of [`Watcher::watch`] holds.
    struct Held {
        watcher: Arc<Watcher>,
        token: u64,
        paths: Vec<PathBuf>,
    }

    impl Drop for Held {
        fn drop(&mut self) {
            self.watcher.release(self.token, &self.paths);
        }
    }

    impl Watcher {
        /// A watcher that has neither thread nor descriptor until something is watched.
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self { arm: Mutex::new(None), routes: Arc::default() })
        }

        /// Watches `paths` until the guard drops; names those that could not be.
        pub(crate) fn watch(
            self: &Arc<Self>,
            paths: &[PathBuf],
            inbox: &Arc<Inbox>,
        ) -> (Watching, Vec<WatchFailure>) {
            let mut arm = lock(&self.arm);
            let mut failures = Vec::new();
            let mut held = Vec::new();
            let token = {
                let mut routes = lock(&self.routes);
                routes.next += 1;
                routes.next
            };
            if arm.is_none() {
                match Armed::new(&self.routes) {
                    Ok(armed) => *arm = Some(armed),
                    Err(error) => {
                        let fail = |path: &PathBuf| failure(path, &error);
                        return (Watching(Box::new(())), paths.iter().map(fail).collect());
                    }
                }
            }
            let armed = arm.as_mut().expect("made just now");
            for path in paths {
                match self.watch_one(armed, path, token, inbox) {
                    Ok(()) => held.push(path.clone()),
                    Err(error) => failures.push(failure(path, &error)),
                }
            }
            if lock(&self.routes).paths.is_empty() {
                close(arm.take());
            }
            drop(arm);
            (Watching(Box::new(Held { watcher: self.clone(), token, paths: held })), failures)
        }

        /// Returns once every event that the kernel had queued at the call was told.
        ///
        /// Each call of `notify` is answered by the thread that tells events. It may answer the first
        /// before it looks at the queue, in the same turn; the second it takes in a later turn.
        pub(crate) fn catch_up(&self) {
            if let Some(armed) = lock(&self.arm).as_mut() {
                for _ in 0..2 {
                    // No such path is watched: all that matters is that an answer comes.
                    let _ = armed.notify.unwatch(Path::new("/\u{0}"));
                }
            }
        }

        /// Whether it has neither thread nor descriptor.
        #[cfg(test)]
        pub(crate) fn is_asleep(&self) -> bool {
            lock(&self.arm).is_none()
        }

        fn watch_one(
            &self,
            armed: &mut Armed,
            path: &Path,
            token: u64,
            inbox: &Arc<Inbox>,
        ) -> notify::Result<()> {
            let id = FileId::of(&std::fs::metadata(path).map_err(notify::Error::io)?);
            let (known, alias) = {
                let mut routes = lock(&self.routes);
                let alias = routes.files.get(&id).is_some_and(|first| first != path);
                match routes.paths.get_mut(path) {
                    Some(route) if route.id == id && !route.stale => {
                        route.subscribers.push((token, inbox.clone()));
                        return Ok(());
                    }
                    Some(route) => {
                        // Set before `notify` is asked: if the watch dies meanwhile, the mark must stay.
                        let old = std::mem::replace(&mut route.id, id);
                        route.stale = false;
                        if routes.files.get(&old).is_some_and(|first| first == path) {
                            routes.files.remove(&old);
                        }
                        (true, alias)
                    }
                    None => {
                        let route = Route { id, stale: false, subscribers: Vec::new() };
                        routes.paths.insert(path.to_owned(), route);
                        (false, alias)
                    }
                }
            };
            if known {
                // Not watched any more, or an alias of another path: then there is nothing to undo.
                let _ = armed.notify.unwatch(path);
            }
            let result = if alias { Ok(()) } else { armed.notify.watch(path, RecursiveMode::NonRecursive) };
            let mut routes = lock(&self.routes);
            match (&result, routes.paths.get_mut(path)) {
                (Ok(()), Some(route)) => route.subscribers.push((token, inbox.clone())),
                (_, Some(route)) if route.subscribers.is_empty() => {
                    routes.paths.remove(path);
                }
                (_, Some(route)) => route.stale = true,
                (_, None) => {}
            }
            if result.is_ok() && !alias {
                routes.files.insert(id, path.to_owned());
            }
            result
        }

        /// Gives back what `token` holds, and the kernel's watches that nobody needs any more.
        fn release(&self, token: u64, paths: &[PathBuf]) {
            let mut arm = lock(&self.arm);
            for path in paths {
                let (unwatch, heir) = {
                    let mut routes = lock(&self.routes);
                    let Some(route) = routes.paths.get_mut(path) else { continue };
                    route.subscribers.retain(|(holder, _)| *holder != token);
                    if !route.subscribers.is_empty() {
                        continue;
                    }
                    let id = route.id;
                    routes.paths.remove(path);
                    if routes.files.get(&id) != Some(path) {
                        continue;
                    }
                    routes.files.remove(&id);
                    let heir = routes.paths.iter().find(|(_, route)| route.id == id);
                    (true, heir.map(|(path, _)| (path.clone(), id)))
                };
                let Some(armed) = arm.as_mut().filter(|_| unwatch) else { continue };
                // The kernel may have dropped it together with the file.
                let _ = armed.notify.unwatch(path);
                if let Some((heir, id)) = heir {
                    let watched = armed.notify.watch(&heir, RecursiveMode::NonRecursive).is_ok();
                    let mut routes = lock(&self.routes);
                    if watched {
                        routes.files.insert(id, heir);
                    } else if let Some(route) = routes.paths.get_mut(&heir) {
                        route.stale = true;
                    }
                }
            }
            if lock(&self.routes).paths.is_empty() {
                close(arm.take());
            }
        }
    }

    /// Ends `notify`'s thread, and waits for it a little, so that who counts threads finds none.
    fn close(armed: Option<Armed>) {
        if let Some(Armed { notify, gone }) = armed {
            drop(notify);
            let _ = gone.recv_timeout(FAREWELL);
        }
    }

    impl Armed {
        fn new(routes: &Arc<Mutex<Routes>>) -> notify::Result<Self> {
            let (alive, gone) = std::sync::mpsc::channel::<()>();
            let routes = routes.clone();
            let handler = move |event: notify::Result<notify::Event>| {
                let _ends_with_the_callback = &alive;
                tell(&routes, &event);
            };
            let notify = notify::RecommendedWatcher::new(handler, notify::Config::default())?;
            Ok(Self { notify, gone })
        }
    }

    /// Runs on `notify`'s thread: routes an event to the inboxes of its paths.
    fn tell(routes: &Mutex<Routes>, event: &notify::Result<notify::Event>) {
        let now = Instant::now();
        let mut told = Vec::new();
        {
            let mut routes = lock(routes);
            match event {
                Ok(event) if !event.need_rescan() => {
                    let Some(hint) = translate(event.kind) else { return };
                    // `Both` has the old name first; it is told apart as well.
                    for path in &event.paths {
                        routes.find(path, hint, &mut told);
                    }
                }
                // The queue ran over, or reading it failed: marks of dead watches may be lost too.
                _ => {
                    for route in routes.paths.values_mut() {
                        route.stale = true;
                        told.extend(route.subscribers.iter().map(|(_, inbox)| (inbox.clone(), Hint::Lost)));
                    }
                }
            }
        }
        // Told after the lock is released: an inbox wakes a task that may come for this lock.
        for (inbox, hint) in told {
            inbox.push(now, hint);
        }
    }

    impl Routes {
        /// Adds to `told` who hears of `path`, as the thing watched or as a child of one.
        fn find(&mut self, path: &Path, hint: fn(PathBuf) -> Hint, told: &mut Vec<(Arc<Inbox>, Hint)>) {
            let gone = matches!(hint(PathBuf::new()), Hint::Gone(_));
            let name = path.file_name();
            for (base, child) in [(Some(path), None), (path.parent(), name)] {
                let Some(id) = base.and_then(|base| self.paths.get(base)).map(|route| route.id) else {
                    continue;
                };
                // Most files have one path, and then this is the only one.
                for (alias, route) in self.paths.iter_mut().filter(|(_, route)| route.id == id) {
                    let spoken_of = child.map_or_else(|| alias.clone(), |name| alias.join(name));
                    route.stale |= gone && child.is_none();
                    let subscribers = route.subscribers.iter();
                    told.extend(subscribers.map(|(_, inbox)| (inbox.clone(), hint(spoken_of.clone()))));
                }
            }
        }
    }

    /// What an event means; `None` for reads, which a reload raises itself.
    fn translate(kind: EventKind) -> Option<fn(PathBuf) -> Hint> {
        Some(match kind {
            EventKind::Create(_) => Hint::Created,
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Hint::Closed,
            // Old and new name were told before, one by one.
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return None,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Hint::Moved,
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => Hint::Gone,
            EventKind::Modify(ModifyKind::Metadata(_)) => Hint::Touched,
            EventKind::Modify(ModifyKind::Data(_)) if TELLS_CLOSE => Hint::Writing,
            EventKind::Modify(_) | EventKind::Any | EventKind::Other => Hint::Closed,
        })
    }

    /// Says in a sentence what failed and what to do.
    fn failure(path: &Path, error: &notify::Error) -> WatchFailure {
        let reason = match &error.kind {
            ErrorKind::MaxFilesWatch => {
                "the watches of this user are used up: raise the sysctl `fs.inotify.max_user_watches`".into()
            }
            ErrorKind::Io(io) if io.raw_os_error() == Some(24) => {
                "the inotify instances of this user are used up: raise the sysctl \
                 `fs.inotify.max_user_instances` (or the limit on open files, `ulimit -n`)"
                    .into()
            }
            ErrorKind::Io(io) => io.to_string(),
            ErrorKind::PathNotFound => "it is not there any more".into(),
            _ => error.to_string(),
        };
        WatchFailure { path: path.to_owned(), reason }
    }
}

#[cfg(not(feature = "watch"))]
mod without {
    use crate::source::{Inbox, WatchFailure, Watching};
    use std::path::PathBuf;
    use std::sync::Arc;

    /// Watches nothing: files are followed by the content poll.
    pub(crate) struct Watcher;

    #[allow(clippy::unused_self)] // called as the watcher is that does watch
    impl Watcher {
        pub(crate) fn new() -> Arc<Self> {
            Arc::new(Self)
        }

        /// There are no events.
        pub(crate) fn catch_up(&self) {}

        /// Fails for no path: that events are off was the program's own choice.
        pub(crate) fn watch(
            self: &Arc<Self>,
            _: &[PathBuf],
            _: &Arc<Inbox>,
        ) -> (Watching, Vec<WatchFailure>) {
            (Watching(Box::new(())), Vec::new())
        }
    }
}

#[cfg(all(test, feature = "watch", target_os = "linux"))]
mod tests {
    // Wall time throughout: what the kernel says is what is tested.
    use super::Watcher;
    use crate::source::file::fake::{Bell, TempDir};
    use crate::source::{Hint, Inbox, Watching};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    fn watch(watcher: &Arc<Watcher>, path: &Path) -> (Watching, Arc<Inbox>) {
        let inbox = Arc::new(Inbox::default());
        let (watching, failures) = watcher.watch(&[path.to_owned()], &inbox);
        assert!(failures.is_empty(), "{failures:?}");
        (watching, inbox)
    }

    /// Waits until `inbox` holds `hint`.
    fn hears(inbox: &Inbox, hint: &Hint) -> bool {
        let (bell, start) = (Arc::new(Bell::default()), Instant::now());
        let waker = Waker::from(bell.clone());
        while start.elapsed() < Duration::from_millis(1500) {
            match inbox.poll_drain(&mut Context::from_waker(&waker)) {
                Poll::Ready(hints) if hints.iter().any(|(_, heard)| heard == hint) => return true,
                Poll::Ready(_) => {}
                Poll::Pending => bell.wait(Duration::from_millis(500)),
            }
        }
        false
    }

    fn file(dir: &TempDir, name: &str) -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, "1").unwrap();
        path
    }

    #[test]
    fn who_leaves_takes_no_watch_from_who_stays() {
        let (watcher, dir) = (Watcher::new(), TempDir::new());
        let (first, _) = watch(&watcher, dir.path());
        let (_second, inbox) = watch(&watcher, dir.path());
        drop(first);
        assert!(hears_a_write(&dir, &inbox));
    }

    fn hears_a_write(dir: &TempDir, inbox: &Inbox) -> bool {
        let path = file(dir, "f");
        hears(inbox, &Hint::Closed(path))
    }

    #[test]
    fn two_names_of_one_file_are_both_told_and_one_outlives_the_other() {
        let (watcher, dir) = (Watcher::new(), TempDir::new());
        let (a, b) = (file(&dir, "a"), dir.path().join("b"));
        std::fs::hard_link(&a, &b).unwrap();
        let (first, heard_a) = watch(&watcher, &a);
        let (_second, heard_b) = watch(&watcher, &b);
        std::fs::write(&a, "2").unwrap();
        assert!(hears(&heard_a, &Hint::Closed(a.clone())));
        assert!(hears(&heard_b, &Hint::Closed(b.clone())));
        drop(first);
        std::fs::write(&a, "3").unwrap();
        assert!(hears(&heard_b, &Hint::Closed(b)));
    }

    #[test]
    fn a_directory_made_anew_is_watched_anew() {
        let (watcher, dir) = (Watcher::new(), TempDir::new());
        let sub = dir.path().join("sub");
        for _ in 0..3 {
            std::fs::create_dir(&sub).unwrap();
            let (_watching, inbox) = watch(&watcher, &sub);
            std::fs::write(sub.join("f"), "1").unwrap();
            assert!(hears(&inbox, &Hint::Closed(sub.join("f"))));
            std::fs::remove_dir_all(&sub).unwrap();
            assert!(hears(&inbox, &Hint::Gone(sub.clone())));
        }
    }

    #[test]
    fn a_read_raises_no_hint() {
        let (watcher, dir) = (Watcher::new(), TempDir::new());
        let path = file(&dir, "f");
        let (_watching, inbox) = watch(&watcher, dir.path());
        std::fs::read(&path).unwrap();
        std::fs::write(dir.path().join("end"), "").unwrap();
        let waker = Waker::from(Arc::new(Bell::default()));
        let mut paths = Vec::new();
        while !paths.iter().any(|path: &PathBuf| path.ends_with("end")) {
            if let Poll::Ready(hints) = inbox.poll_drain(&mut Context::from_waker(&waker)) {
                paths.extend(hints.iter().filter_map(|(_, hint)| hint.path().map(Path::to_owned)));
            }
            std::thread::yield_now();
        }
        assert!(!paths.contains(&path));
    }

    #[test]
    fn with_the_last_watch_the_descriptor_goes() {
        let (watcher, dir) = (Watcher::new(), TempDir::new());
        let (watching, _) = watch(&watcher, dir.path());
        assert!(!watcher.is_asleep());
        drop(watching);
        assert!(watcher.is_asleep());
        assert!(watcher.watch(&[dir.path().join("none")], &Arc::default()).1.len() == 1);
        assert!(watcher.is_asleep());
    }
}
