//! The pool with real threads and with the engine's clock in the test's hand.

use super::{Limits, Workers};
use crate::subscribe::{Job, Pool, Trouble};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

/// Submits a job that says that it began, and then runs until its sender is dropped.
fn hang(pool: &Workers, began: &Sender<()>) -> Sender<()> {
    let (release, released) = channel::<()>();
    let began = began.clone();
    pool.submit(Box::new(move || {
        let _ = began.send(());
        let _ = released.recv();
    }));
    release
}

fn heard(rx: &Receiver<()>) {
    rx.recv_timeout(SOON).expect("the job began");
}

#[test]
fn an_idle_pool_has_no_thread_and_no_deadline() {
    let pool = Workers::new();
    assert_eq!((pool.live_threads(), pool.next_deadline()), (0, None));
}

#[test]
fn one_thread_serves_jobs_in_their_order() {
    let pool = Workers::new();
    let (tx, rx) = channel();
    for n in 0..100 {
        let tx = tx.clone();
        pool.submit(Box::new(move || tx.send(n).expect("the test listens")));
    }
    drop(tx);
    assert!(rx.iter().eq(0..100));
    assert_eq!(pool.live_threads(), 1);
}

#[test]
fn work_that_has_waited_gets_another_thread_up_to_sixteen() {
    let pool = Workers::new();
    let (began, rx) = channel();
    let held: Vec<_> = (0..20).map(|_| hang(&pool, &began)).collect();
    heard(&rx);
    pool.tick(Instant::now());
    let mut now = Instant::now();
    let mut rounds = 0;
    let mut running = 1;
    while pool.live_threads() < 16 {
        let before = pool.live_threads();
        now = now.max(pool.next_deadline().expect("work waits"));
        pool.tick(now);
        // The new ones have to be at work before they count as held up.
        for _ in before..pool.live_threads() {
            heard(&rx);
            running += 1;
        }
        now += Duration::from_millis(10);
        rounds += 1;
    }
    assert_eq!(running, 16);
    assert!(rounds <= 8, "doubling, not one by one: {rounds}");
    pool.tick(now + Duration::from_secs(1));
    assert_eq!(pool.live_threads(), 16);
    drop(held);
    (0..4).for_each(|_| heard(&rx));
}

#[test]
fn a_thread_that_was_idle_for_long_ends() {
    let pool = Workers::with(Limits { idle: Duration::from_millis(5), ..Limits::default() });
    let (tx, rx) = channel();
    pool.submit(Box::new(move || tx.send(()).expect("the test listens")));
    heard(&rx);
    assert!(pool.wait_ended(Instant::now() + SOON));
    assert_eq!(pool.next_deadline(), None);
}

#[test]
fn a_panic_is_reported_and_the_thread_goes_on() {
    let pool = Workers::new();
    let (tx, rx) = channel();
    let told = Mutex::new(tx.clone());
    let report = Arc::new(move |t| told.lock().expect("unpoisoned").send(Some(t)).expect("the test listens"));
    let job = Job { name: "mine".into(), report, run: Box::new(|| panic!("hostile")) };
    assert!(Pool::submit(&*pool, job).is_ok());
    let name = "mine".into();
    let trouble = Trouble::Panicked { name, message: "hostile".to_owned() };
    assert_eq!(rx.recv_timeout(SOON), Ok(Some(trouble)));
    pool.submit(Box::new(move || tx.send(None).expect("the test listens")));
    assert_eq!(rx.recv_timeout(SOON), Ok(None));
    assert_eq!(pool.live_threads(), 1);
}

#[test]
fn a_job_that_runs_for_long_is_reported_once() {
    let pool = Workers::new();
    let (tx, rx) = channel();
    let told = Mutex::new(tx);
    let report = Arc::new(move |t| told.lock().expect("unpoisoned").send(t).expect("the test listens"));
    let (began_in, began) = channel();
    let (release, released) = channel::<()>();
    let run = Box::new(move || {
        let _ = began_in.send(());
        let _ = released.recv();
    });
    assert!(Pool::submit(&*pool, Job { name: "slow".into(), report, run }).is_ok());
    heard(&began);
    let due = pool.next_deadline().expect("it may become late");
    pool.tick(due.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(rx.try_recv().is_err());
    pool.tick(due);
    pool.tick(due + SOON);
    let Ok(Trouble::Late { name, after }) = rx.try_recv() else { panic!("late") };
    assert_eq!((&*name, after), ("slow", Duration::from_secs(5)));
    assert!(rx.try_recv().is_err(), "once");
    assert_eq!(pool.next_deadline(), None);
    drop(release);
}

#[test]
fn shutdown_ends_the_threads_and_refuses_work() {
    let pool = Workers::new();
    let (began, rx) = channel();
    let held = hang(&pool, &began);
    heard(&rx);
    let (tx, unserved) = channel::<()>();
    pool.submit(Box::new(move || tx.send(()).expect("never run")));
    pool.shutdown();
    assert!(unserved.recv().is_err(), "dropped unrun");
    assert!(!pool.wait_ended(Instant::now() + Duration::from_millis(1)));
    drop(held);
    assert!(pool.wait_ended(Instant::now() + SOON));
    let job = Job { name: "late".into(), report: Arc::new(|_| {}), run: Box::new(|| {}) };
    assert!(Pool::submit(&*pool, job).is_err());
    assert_eq!(pool.live_threads(), 0);
}

#[test]
fn shutting_down_from_inside_a_worker_does_not_wait_for_itself() {
    let pool = Workers::new();
    let (inside, (tx, rx)) = (Arc::clone(&pool), channel());
    pool.submit(Box::new(move || {
        inside.shutdown();
        assert!(inside.wait_ended(Instant::now() + SOON));
        tx.send(()).expect("the test listens");
    }));
    heard(&rx);
    assert!(pool.wait_ended(Instant::now() + SOON));
}

#[test]
fn a_thread_whose_job_waits_for_the_end_is_not_waited_for() {
    let pool = Workers::new();
    let (inside, (tx, rx), (done, waits)) = (Arc::clone(&pool), channel(), channel::<()>());
    pool.submit(Box::new(move || {
        let _spared = inside.spare_this_thread();
        tx.send(()).expect("the test listens");
        let _ = waits.recv();
    }));
    heard(&rx);
    pool.shutdown();
    assert!(pool.wait_ended(Instant::now() + SOON), "though it runs");
    drop(done);
}

/// Needs wall time: the engine's timer is what is tested.
#[test]
fn tending_starts_the_second_thread() {
    let pool = Workers::new();
    let stop = tokio_util::sync::CancellationToken::new();
    let (tended, stopped) = (Arc::clone(&pool), stop.clone());
    let engine = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(tended.tend(stopped.cancelled()));
    });
    let (began, rx) = channel();
    let held: Vec<_> = (0..15).map(|_| hang(&pool, &began)).collect();
    (0..15).for_each(|_| heard(&rx));
    drop(held);
    stop.cancel();
    engine.join().expect("the engine ends");
}
