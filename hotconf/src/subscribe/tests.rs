//! Hostile subscribers against a registry with real workers.

use super::registry::Registry;
use super::{Calls, Change, Hub, Pool, Subscription, Trouble};
use crate::engine::workers::Workers;
use crate::publish::{Core, snapshot_for_test};
use crate::schema::Select;
use crate::sync::lock;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

type Root = Vec<u32>;

/// One element, as a leaf.
#[derive(Clone, Copy)]
struct Leaf(u32);

impl Select<Root, u32> for Leaf {
    type Ref<'r> = &'r u32;

    fn __get(&self, root: &Root) -> u32 {
        root[self.0 as usize]
    }
    fn __find<'r>(&self, root: &'r Root) -> &'r u32 {
        &root[self.0 as usize]
    }
    fn __same(&self, a: &Root, b: &Root) -> bool {
        a[self.0 as usize] == b[self.0 as usize]
    }
    fn __numbers(&self) -> Range<u32> {
        self.0..self.0 + 1
    }
}

/// Some elements, as a section.
#[derive(Clone)]
struct Part(Range<u32>);

impl Part {
    fn of<'a>(&self, root: &'a Root) -> &'a [u32] {
        &root[self.0.start as usize..self.0.end as usize]
    }
}

impl Select<Root, Vec<u32>> for Part {
    type Ref<'r> = &'r [u32];

    fn __get(&self, root: &Root) -> Vec<u32> {
        self.of(root).to_vec()
    }
    fn __find<'r>(&self, root: &'r Root) -> &'r [u32] {
        self.of(root)
    }
    fn __same(&self, a: &Root, b: &Root) -> bool {
        self.of(a) == self.of(b)
    }
    fn __numbers(&self) -> Range<u32> {
        self.0.clone()
    }
}

/// A configuration of some numbers, its workers, and what was reported.
struct World {
    core: Arc<Core<Root>>,
    registry: Arc<Registry<Root>>,
    workers: Arc<Workers>,
    token: CancellationToken,
    troubles: Mutex<Receiver<Trouble>>,
    /// One installer at a time.
    installing: Mutex<()>,
}

impl World {
    fn new(leaves: u32) -> Arc<Self> {
        let workers = Workers::new();
        let (tx, troubles) = channel();
        let tx = Mutex::new(tx);
        let token = CancellationToken::new();
        let report = Arc::new(move |t| say(&lock(&tx), t));
        let hub = Hub::new(workers.clone() as Arc<dyn Pool>, report, token.clone(), Calls::new());
        Arc::new(Self {
            core: Core::new(snapshot_for_test(vec![0; leaves as usize], 1)),
            registry: Arc::new(Registry::new(leaves, hub)),
            workers,
            token,
            troubles: Mutex::new(troubles),
            installing: Mutex::new(()),
        })
    }

    /// Installs and tells, as the engine does.
    fn set(&self, changes: &[(u32, u32)]) {
        let _one = lock(&self.installing);
        let before = self.core.cell.snapshot();
        let mut value = before.to_vec();
        for (at, to) in changes {
            value[*at as usize] = *to;
        }
        let moved: Vec<u32> =
            (0..).zip(before.iter().zip(&value)).filter(|(_, (a, b))| a != b).map(|(n, _)| n).collect();
        let after = snapshot_for_test(value, before.version() + 1);
        self.core.cell.swap(after.clone());
        self.registry.tell(&before, &after, &moved);
    }

    fn on_change(&self, leaf: u32, f: impl FnMut(&Change<Root, u32>) + Send + 'static) -> Subscription {
        self.registry.on_change(&self.core, Leaf(leaf), f)
    }

    /// Hears of old and new.
    fn hear(&self, leaf: u32) -> (Subscription, Receiver<(u32, u32)>) {
        let (tx, rx) = channel();
        (self.on_change(leaf, move |c| say(&tx, (*c.old(), *c.new()))), rx)
    }

    fn idle(&self) {
        assert!(self.registry.wait_idle(Instant::now() + SOON));
    }

    fn trouble(&self) -> Trouble {
        lock(&self.troubles).recv_timeout(SOON).expect("it is reported")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.registry.close_all();
        self.workers.shutdown();
    }
}

fn next<V>(rx: &Receiver<V>) -> V {
    rx.recv_timeout(SOON).expect("it is told")
}

fn say<V>(tx: &Sender<V>, value: V) {
    // Who listened may be gone.
    let _ = tx.send(value);
}

/// Says that it is there, and then waits to be let go.
fn gate() -> (impl FnMut() + Send + 'static, Receiver<()>, Sender<()>) {
    let ((came, comes), (go, goes)) = (channel(), channel());
    let wait = move || {
        let _ = came.send(());
        let _ = goes.recv();
    };
    (wait, comes, go)
}

#[test]
fn only_those_are_told_whose_field_moved_and_once_a_version() {
    let world = World::new(10);
    let (_a, leaf) = world.hear(3);
    let (_b, other) = world.hear(4);
    let (tx, section) = channel();
    let _c =
        world.registry.on_change(&world.core, Part(2..6), move |c| say(&tx, (c.version(), c.new().clone())));
    let (tx, whole) = channel();
    let _d = world.registry.on_change(&world.core, Part(0..10), move |c| say(&tx, c.version()));
    world.set(&[(2, 1), (3, 7), (5, 1)]);
    assert_eq!(next(&leaf), (0, 7));
    assert_eq!(next(&section), (2, vec![1, 7, 0, 1]));
    assert_eq!(next(&whole), 2);
    world.set(&[(9, 1)]);
    assert_eq!(next(&whole), 3);
    world.set(&[(4, 1)]);
    assert_eq!(next(&other), (0, 1));
    assert_eq!(next(&section).0, 4);
    assert_eq!(next(&whole), 4);
    world.idle();
    assert!(leaf.try_recv().is_err() && section.try_recv().is_err() && whole.try_recv().is_err());
    assert_eq!(world.registry.calls(), 7);
}

#[test]
fn ranges_registered_in_any_order_find_their_leaves() {
    let ranges = [0..8, 0..1, 2..6, 3..4, 2..4, 4..6, 5..6, 7..8, 0..2, 1..2];
    for turn in 0..ranges.len() {
        let world = World::new(8);
        let mut watches: Vec<_> = (0..ranges.len())
            .map(|i| ranges[(i + turn) % ranges.len()].clone())
            .map(|r| (r.clone(), world.registry.watch(&world.core, Part(r))))
            .collect();
        for leaf in 0..8 {
            world.set(&[(leaf, 1)]);
            for (range, watch) in &mut watches {
                let told = watch.blocking_next_timeout(Duration::ZERO).expect("a plain thread");
                assert_eq!(told.is_some(), range.contains(&leaf), "{range:?} of leaf {leaf}, turn {turn}");
            }
        }
    }
}

#[test]
fn a_slow_callback_is_given_the_fold() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let (tx, rx) = channel();
    let _keep = world.on_change(0, move |c| {
        wait();
        say(&tx, (*c.old(), *c.new(), c.before().version(), c.version()));
    });
    world.set(&[(0, 1)]);
    next(&comes);
    (2..=5).for_each(|n| world.set(&[(0, n)]));
    drop(go);
    assert_eq!(next(&rx), (0, 1, 1, 2));
    assert_eq!(next(&rx), (1, 5, 2, 6));
    world.idle();
    assert!(rx.try_recv().is_err());
}

#[test]
fn there_and_back_while_a_callback_runs_is_no_change() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let (tx, rx) = channel();
    let _keep = world.on_change(0, move |c| {
        wait();
        say(&tx, *c.new());
    });
    world.set(&[(0, 1)]);
    next(&comes);
    world.set(&[(0, 2)]);
    world.set(&[(0, 1)]);
    drop(go);
    assert_eq!(next(&rx), 1);
    world.set(&[(0, 3)]);
    assert_eq!(next(&rx), 3);
}

#[test]
fn a_panic_is_reported_and_the_callback_stays_subscribed() {
    let world = World::new(1);
    let (tx, rx) = channel();
    let _keep = world.on_change(0, move |c| {
        say(&tx, *c.new());
        assert!(*c.new() != 1, "hostile");
    });
    world.set(&[(0, 1)]);
    let Trouble::Panicked { message, name } = world.trouble() else { panic!("a panic") };
    assert!(message.contains("hostile") && name.starts_with("on_change"), "{name}: {message}");
    world.set(&[(0, 2)]);
    assert_eq!((next(&rx), next(&rx)), (1, 2));
}

#[test]
fn a_hanging_callback_is_reported_after_five_seconds_and_delays_nobody() {
    let world = World::new(2);
    let (mut wait, comes, go) = gate();
    let _hang = world.on_change(0, move |_| wait());
    world.set(&[(0, 1)]);
    next(&comes);
    let (_keep, rx) = world.hear(1);
    world.set(&[(1, 5)]);
    world.workers.tick(Instant::now() + Duration::from_millis(10));
    assert_eq!(next(&rx), (0, 5));
    world.workers.tick(Instant::now() + Duration::from_secs(5));
    assert!(matches!(world.trouble(), Trouble::Late { .. }));
    drop(go);
}

#[test]
fn no_call_starts_after_the_drop() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let (tx, rx) = channel();
    let keep = world.on_change(0, move |c| {
        say(&tx, *c.new());
        wait();
    });
    world.set(&[(0, 1)]);
    next(&comes);
    world.set(&[(0, 2)]);
    // Returns although the callback runs.
    drop(keep);
    drop(go);
    world.idle();
    world.set(&[(0, 3)]);
    assert!(rx.iter().eq([1]), "the closure, and with it the sender, is gone");
}

#[test]
fn closing_waits_for_the_call_that_runs() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let done = Arc::new(AtomicUsize::new(0));
    let seen = done.clone();
    let keep = world.on_change(0, move |_| {
        wait();
        done.store(1, Ordering::SeqCst);
    });
    world.set(&[(0, 1)]);
    next(&comes);
    let closer = std::thread::spawn(move || {
        keep.blocking_close().expect("a plain thread");
        seen.load(Ordering::SeqCst)
    });
    drop(go);
    assert_eq!(closer.join().expect("it returns"), 1);
}

#[test]
fn closing_can_be_awaited() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let keep = world.on_change(0, move |_| wait());
    world.set(&[(0, 1)]);
    next(&comes);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let closing = std::thread::spawn(move || runtime.block_on(keep.close()));
    drop(go);
    closing.join().expect("it returns");
}

#[test]
fn blocking_close_in_a_task_is_an_error_only_where_it_would_wait() {
    let world = World::new(1);
    let (mut wait, comes, go) = gate();
    let (idle, busy) = (world.on_change(0, |_| {}), world.on_change(0, move |_| wait()));
    world.set(&[(0, 1)]);
    next(&comes);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    world.workers.tick(Instant::now() + Duration::from_millis(10));
    runtime.block_on(async {
        assert!(busy.blocking_close().is_err_and(|e| e.is_usage()));
        drop(go);
        world.idle();
        assert!(idle.blocking_close().is_ok());
    });
}

#[test]
fn a_callback_may_close_itself() {
    let world = World::new(1);
    let own = Arc::new(Mutex::new(None::<Subscription>));
    let (tx, rx) = channel();
    let mine = own.clone();
    let keep = world.on_change(0, move |c| {
        let keep = lock(&mine).take();
        say(&tx, *c.new());
        keep.expect("put there before").blocking_close().expect("does not wait");
    });
    *lock(&own) = Some(keep);
    world.set(&[(0, 1)]);
    assert_eq!(next(&rx), 1);
    world.set(&[(0, 2)]);
    assert!(rx.recv_timeout(SOON).is_err(), "the closure was dropped");
}

#[test]
fn two_callbacks_may_close_each_other() {
    let world = World::new(2);
    let slots: [Arc<Mutex<Option<Subscription>>>; 2] = Default::default();
    let both = Arc::new(std::sync::Barrier::new(2));
    let (tx, rx) = channel();
    for i in 0..2 {
        let (other, both, tx) = (slots[1 - i].clone(), both.clone(), tx.clone());
        let keep = world.on_change(u32::try_from(i).expect("small"), move |_| {
            both.wait();
            let other = lock(&other).take();
            other.expect("put there before").blocking_close().expect("does not hang");
            say(&tx, ());
        });
        *lock(&slots[i]) = Some(keep);
    }
    world.set(&[(0, 1), (1, 1)]);
    // The second of them has to wait for a thread.
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(1));
        world.workers.tick(Instant::now() + Duration::from_millis(10));
    }
    next(&rx);
    next(&rx);
}

#[test]
fn a_callback_may_subscribe_drop_others_and_change_the_configuration() {
    let world = World::new(3);
    let (victim, unheard) = world.hear(1);
    let victim = Mutex::new(Some(victim));
    let inside = Arc::downgrade(&world);
    let (tx, rx) = channel();
    let mut kept = Vec::new();
    let _keep = world.on_change(0, move |_| {
        let world = inside.upgrade().expect("the test holds it");
        drop(lock(&victim).take());
        let tx = tx.clone();
        kept.push(world.on_change(2, move |c| say(&tx, *c.new())));
        // Told while telling: the new subscriber, on this very thread.
        world.set(&[(2, 9), (1, 9)]);
    });
    world.set(&[(0, 1)]);
    world.workers.tick(Instant::now() + Duration::from_millis(10));
    assert_eq!(next(&rx), 9);
    assert!(unheard.try_recv().is_err());
}

#[test]
fn what_is_captured_goes_with_the_subscription_and_its_panic_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("hostile drop");
        }
    }
    let world = World::new(1);
    let bomb = Bomb;
    let keep = world.on_change(0, move |_| {
        let _captured = &bomb;
    });
    drop(keep);
    assert!(matches!(world.trouble(), Trouble::Panicked { message, .. } if message == "hostile drop"));
    for bomb in [Bomb, Bomb] {
        world
            .on_change(0, move |_| {
                let _captured = &bomb;
            })
            .detach();
    }
    world.registry.close_all();
    world.idle();
    assert!(matches!(world.trouble(), Trouble::Panicked { .. }));
    assert!(matches!(world.trouble(), Trouble::Panicked { .. }));
}

#[test]
fn cancelling_a_token_ends_exactly_that_subscription() {
    let world = World::new(1);
    let (ended, gone) = world.hear(0);
    let (kept, rx) = world.hear(0);
    let (token, same) = (ended.token(), ended.token());
    assert!(!kept.token().is_cancelled());
    token.cancel();
    assert!(same.is_cancelled() && ended.is_closed() && !kept.is_closed() && !world.token.is_cancelled());
    world.set(&[(0, 1)]);
    assert_eq!(next(&rx), (0, 1));
    assert!(gone.recv().is_err(), "its closure is dropped");
    // The call that told us may still be on its way out, and a subscription is closed only after it.
    world.idle();
    world.token.cancel();
    assert!(kept.is_closed());
    let (late, _) = world.hear(0);
    assert!(late.token().is_cancelled() && late.is_closed());
}

#[test]
fn stopping_from_inside_a_callback_waits_for_all_but_that_one() {
    let world = World::new(1);
    let inside = Arc::downgrade(&world);
    let (tx, rx) = channel();
    let keep = world.on_change(0, move |_| {
        let world = inside.upgrade().expect("the test holds it");
        world.registry.close_all();
        let mut calm = std::pin::pin!(world.registry.calm());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(calm.as_mut().poll(&mut cx).is_ready(), "the calling one does not count");
        say(&tx, world.registry.wait_idle(Instant::now() + SOON));
    });
    world.set(&[(0, 1)]);
    assert!(next(&rx));
    world.idle();
    assert!(keep.is_closed());
}

#[test]
fn bind_calls_here_and_now_and_leaves_no_gap() {
    for _ in 0..50 {
        let world = World::new(1);
        let other = world.clone();
        let writer = std::thread::spawn(move || (1..=50).for_each(|n| other.set(&[(0, n)])));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let _keep = world.registry.bind(&world.core, Leaf(0), move |n| lock(&sink).push(*n));
        assert!(!lock(&seen).is_empty(), "called before it returns");
        writer.join().expect("the writer ends");
        let until = Instant::now() + SOON;
        while lock(&seen).last() != Some(&50) {
            assert!(Instant::now() < until, "the final state is delivered");
            std::thread::yield_now();
        }
        assert!(lock(&seen).is_sorted_by(|a, b| a < b), "never doubled, never backwards: {:?}", lock(&seen));
    }
}

#[test]
fn a_panic_in_the_first_call_of_bind_is_the_callers() {
    let world = World::new(1);
    let bind = std::panic::AssertUnwindSafe(|| {
        world.registry.bind(&world.core, Leaf(0), |_| panic!("mine")).detach();
    });
    assert!(std::panic::catch_unwind(bind).is_err());
    world.set(&[(0, 1)]);
    world.idle();
    assert_eq!(world.registry.calls(), 0);
}

#[test]
fn a_watch_gives_the_latest_then_ends_and_stays_readable() {
    let world = World::new(2);
    let mut watch = world.registry.watch(&world.core, Leaf(0));
    assert_eq!(watch.current(), 0);
    world.set(&[(0, 1)]);
    world.set(&[(0, 2)]);
    let mut fork = watch.clone();
    assert_eq!(watch.current(), 2, "readable before it is taken");
    assert_eq!(watch.blocking_next().expect("a plain thread"), Some(2));
    assert_eq!(watch.blocking_next_timeout(Duration::from_millis(1)).expect("a plain thread"), None);
    assert!(!watch.is_ended());
    world.set(&[(1, 1)]);
    world.set(&[(0, 3)]);
    world.registry.close_all();
    assert_eq!(fork.blocking_next().expect("a plain thread"), Some(3));
    assert_eq!(watch.blocking_next().expect("a plain thread"), Some(3));
    assert_eq!(watch.blocking_next().expect("a plain thread"), None);
    assert!(watch.is_ended() && watch.current() == 3);
    assert_eq!(world.registry.watch(&world.core, Leaf(0)).blocking_next().expect("a plain thread"), None);
}

#[test]
fn a_watch_through_a_closure_tells_only_what_differs() {
    let world = World::new(2);
    let mut watch = world.registry.watch_with(&world.core, |root| root[0] / 10);
    world.set(&[(0, 5)]);
    world.set(&[(1, 5)]);
    assert_eq!(watch.blocking_next_timeout(Duration::ZERO).expect("a plain thread"), None);
    world.set(&[(0, 15)]);
    assert_eq!(watch.blocking_next().expect("a plain thread"), Some(1));
    world.set(&[(0, 25)]);
    world.set(&[(0, 19)]);
    assert_eq!(watch.blocking_next_timeout(Duration::ZERO).expect("a plain thread"), None);
}

#[test]
fn a_watch_whose_closure_panics_loses_nothing() {
    let world = World::new(1);
    let armed = Arc::new(AtomicUsize::new(0));
    let trap = armed.clone();
    let mut watch = world.registry.watch_with(&world.core, move |root| {
        assert_eq!(trap.load(Ordering::SeqCst), 0, "hostile");
        root[0]
    });
    world.set(&[(0, 1)]);
    armed.store(1, Ordering::SeqCst);
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| watch.blocking_next()));
    assert!(asked.is_err());
    armed.store(0, Ordering::SeqCst);
    assert_eq!(watch.blocking_next().expect("a plain thread"), Some(1));
}

#[test]
fn a_watch_is_awaited_and_refuses_to_block_a_task() {
    let world = World::new(1);
    let mut watch = world.registry.watch(&world.core, Leaf(0));
    let other = world.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let seen = runtime.block_on(async move {
        assert!(watch.blocking_next().is_err_and(|e| e.is_usage()));
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(value) = watch.next().await {
                seen.push(value);
            }
            seen
        });
        let writer = std::thread::spawn(move || {
            (1..=1000).for_each(|n| other.set(&[(0, n)]));
            other.registry.close_all();
        });
        let seen = task.await.expect("the task ends");
        writer.join().expect("the writer ends");
        seen
    });
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.last(), Some(&1000));
}

#[test]
fn dropping_a_watch_or_a_subscription_leaves_nothing_behind() {
    let world = World::new(2);
    for _ in 0..1_000 {
        let watch = world.registry.watch(&world.core, Leaf(0));
        let clone = watch.clone();
        drop((watch, clone, world.hear(0), world.hear(1)));
    }
    assert_eq!(world.registry.listeners(), 0);
    let before = Arc::strong_count(&world.registry);
    let _watch = world.registry.watch(&world.core, Leaf(0));
    assert_eq!(Arc::strong_count(&world.registry), before, "a watch keeps nothing alive");
}
