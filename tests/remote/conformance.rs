//! What every store must hold, whatever happens to its server or to the way there.
//!
//! After every fault: the end state is that of the store, no version went back and none was told twice, and
//! nothing is left. Each claim is a function over a [`Rig`]; [`suite!`] makes the tests of one store.

use crate::proxy::{Fault, Plan, Proxy};
use crate::rig::{App, BELOW, Rig, Watched, brisk, until};
use hotconf::{Hot, SourceState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The tests of one store: a module of this name; the expression makes its rig, or nothing where it is absent.
macro_rules! suite {
    ($name:ident, $rig:expr) => {
        mod $name {
            $crate::conformance::suite!(@ $rig;
                the_first_read_has_every_key,
                a_change_is_applied_once,
                a_deleted_key_falls_back_to_the_layer_below,
                a_transaction_of_many_keys_is_one_version,
                a_killed_store_leaves_all_in_force_and_is_followed_again,
                a_frozen_store_slows_no_read_and_is_stale,
                a_wiped_store_with_older_data_is_believed,
                a_connection_that_ends_at_any_byte_loses_nothing,
                a_recovery_that_ends_at_any_byte_loses_nothing,
                a_connection_that_is_refused_is_tried_again,
                a_connection_that_falls_silent_is_given_up,
                a_slow_connection_is_waited_for,
                bytes_that_nobody_sent_do_not_last,
                many_configurations_share_one_connection,
            );

            #[test]
            fn nothing_is_left_behind() {
                let _alone = $crate::rig::alone();
                if let Some(rig) = $rig {
                    $crate::conformance::nothing_is_left_behind(&rig);
                }
            }

            #[test]
            fn fifty_reconnects_leave_nothing_behind() {
                let _alone = $crate::rig::alone();
                if let Some(rig) = $rig {
                    $crate::conformance::fifty_reconnects_leave_nothing_behind(&rig);
                }
            }
        }
    };
    (@ $rig:expr; $($claim:ident,)*) => {
        $(#[test]
        fn $claim() {
            // Before there is a server: it has descriptors that others may be counting.
            let _beside = $crate::rig::among_others();
            if let Some(rig) = $rig {
                $crate::conformance::$claim(&rig);
            }
        })*
    };
}
pub(crate) use suite;

fn number(rig: &impl Rig, n: u64) {
    rig.change(&[("a", Some(&n.to_string())), ("b", Some(&(n * 7).to_string()))]);
}

fn is(n: u64) -> impl Fn(&App) -> bool {
    move |app| {
        assert_eq!(app.a * 7, app.b, "half a transaction");
        app.a == n
    }
}

/// A configuration that follows the store directly.
fn direct(rig: &impl Rig) -> Watched {
    number(rig, 1);
    let watched = Watched::start(brisk(rig.source(rig.address())));
    watched.until("the first read", is(1));
    watched
}

pub(crate) fn the_first_read_has_every_key(rig: &impl Rig) {
    number(rig, 1);
    rig.put("text", "from the store");
    let watched = Watched::start(brisk(rig.source(rig.address())));
    let app = watched.config.snapshot();
    assert_eq!((app.a, app.b, &*app.text), (1, 7, "from the store"));
    assert_eq!(watched.config.version(), 1);
    assert!(watched.config.status().is_healthy());
    let origin = watched.config.origin(App::FIELDS.text).to_string();
    assert!(origin.contains(&rig.place("text")), "an origin names the place: {origin}");
    watched.end();
}

pub(crate) fn a_change_is_applied_once(rig: &impl Rig) {
    let watched = direct(rig);
    for n in 2..=20 {
        number(rig, n);
        watched.until("the change", is(n));
    }
    until("all are told", || watched.versions() == 19);
    assert_eq!((watched.config.version(), watched.alarms()), (20, 0));
    watched.end();
}

pub(crate) fn a_deleted_key_falls_back_to_the_layer_below(rig: &impl Rig) {
    rig.put("text", "from the store");
    let watched = direct(rig);
    assert_eq!(watched.config.load().text, "from the store");
    rig.delete("text");
    watched.until("the layer below", |app| app.text == BELOW);
    rig.put("text", "back");
    watched.until("the store again", |app| app.text == "back");
    assert_eq!((watched.config.version(), watched.alarms()), (3, 0));
    watched.end();
}

pub(crate) fn a_transaction_of_many_keys_is_one_version(rig: &impl Rig) {
    let watched = direct(rig);
    for n in 2..=10 {
        rig.change(&[
            ("a", Some(&n.to_string())),
            ("b", Some(&(n * 7).to_string())),
            ("text", (n % 2 == 0).then_some("even")),
        ]);
        watched.until("the transaction", is(n));
        assert_eq!(watched.config.load().text, if n % 2 == 0 { "even" } else { BELOW });
    }
    assert_eq!(watched.config.version(), 10);
    watched.end();
}

pub(crate) fn a_killed_store_leaves_all_in_force_and_is_followed_again(rig: &impl Rig) {
    let watched = direct(rig);
    for n in 2..=4 {
        watched.forget();
        rig.kill();
        let status = watched.until_it_is(SourceState::Stale);
        assert!(status.last_failure.is_some() && status.retries > 1, "{status:?}");
        until("it says why", || watched.remote().error.is_some());
        assert_eq!(watched.config.load().a, n - 1);
        rig.restart();
        number(rig, n);
        watched.until("the change", is(n));
        watched.until_it_is(SourceState::Following);
        until("it is told", || watched.alarms() >= 2);
        assert_eq!(watched.alarms(), 2, "down and up, none for a retry: {}", watched.story());
    }
    watched.end();
}

pub(crate) fn a_frozen_store_slows_no_read_and_is_stale(rig: &impl Rig) {
    let watched = direct(rig);
    rig.freeze();
    let mut slowest = Duration::ZERO;
    let end = Instant::now() + crate::rig::PATIENCE;
    while watched.remote().state != SourceState::Stale {
        assert!(Instant::now() < end, "it is not noticed: {:?}", watched.remote());
        let begun = Instant::now();
        assert_eq!(watched.config.load().a, 1);
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_millis(250), "a read took {slowest:?}");
    assert!(!watched.config.status().is_healthy());
    rig.thaw();
    number(rig, 2);
    watched.until("the change", is(2));
    watched.until_it_is(SourceState::Following);
    until("it is told", || watched.alarms() >= 2);
    assert_eq!(watched.alarms(), 2, "{}", watched.story());
    watched.end();
}

pub(crate) fn a_wiped_store_with_older_data_is_believed(rig: &impl Rig) {
    let watched = direct(rig);
    number(rig, 2);
    rig.put("text", "older");
    watched.until("the older data", |app| app.text == "older");
    rig.keep();
    number(rig, 3);
    rig.delete("text");
    watched.until("the newer data", |app| is(3)(app) && app.text == BELOW);
    rig.kill();
    rig.restore();
    rig.restart();
    watched.until("the older data again", |app| is(2)(app) && app.text == "older");
    // Its history goes on from a lower revision, and passes where the lost one was.
    for n in 4..=8 {
        number(rig, n);
        watched.until("a change of the new history", is(n));
    }
    watched.end();
}

/// One run: a configuration that meets `plan` on its first connection, or when it comes back.
fn run(rig: &impl Rig, recovering: bool, plan: Plan, n: &mut u64) {
    let what = format!("{plan:?}, {}", if recovering { "recovering" } else { "at first" });
    let proxy = Proxy::before(rig.address());
    proxy.plan(usize::from(recovering), plan);
    number(rig, *n);
    let watched = Watched::start(brisk(rig.source(proxy.address())));
    watched.until(&what, is(*n));
    if recovering {
        proxy.sever();
        *n += 1;
        number(rig, *n);
        watched.until(&what, is(*n));
    }
    // Twice: the fault may lie in what tells of a change.
    for _ in 0..2 {
        *n += 1;
        number(rig, *n);
        watched.until(&what, is(*n));
    }
    watched.until_it_is(SourceState::Following);
    assert!(watched.alarms() <= 4, "two events for a change of state: {what}{}", watched.story());
    watched.end();
    until("its connection is closed", || proxy.open() == 0);
    *n += 1;
}

/// How many bytes pass in each direction in a run without a fault.
fn lengths(rig: &impl Rig) -> (u64, u64) {
    let proxy = Proxy::before(rig.address());
    number(rig, 1);
    let watched = Watched::start(brisk(rig.source(proxy.address())));
    number(rig, 2);
    watched.until("the change", is(2));
    let lengths = proxy.carried();
    watched.end();
    lengths
}

fn ends<R: Rig>(rig: &R, recovering: bool) {
    rig.put("text", "from the store");
    let (up, down) = lengths(rig);
    let step = usize::try_from(R::STEP).expect("small");
    let (begun, mut runs, mut n) = (Instant::now(), 0, 100);
    for make in [Fault::Cut, Fault::Reset] {
        for place in (0..=up).step_by(step) {
            run(rig, recovering, Plan::up(make(place)), &mut n);
            runs += 1;
        }
        for place in (0..=down).step_by(step) {
            run(rig, recovering, Plan::down(make(place)), &mut n);
            runs += 1;
        }
    }
    println!("{}: {} runs in {:?}", R::NAME, runs, begun.elapsed());
}

pub(crate) fn a_connection_that_ends_at_any_byte_loses_nothing(rig: &impl Rig) {
    ends(rig, false);
}

pub(crate) fn a_recovery_that_ends_at_any_byte_loses_nothing(rig: &impl Rig) {
    ends(rig, true);
}

/// These plans, at first and when recovering.
fn each(rig: &impl Rig, plans: &[Plan]) {
    let mut n = 100;
    for plan in plans {
        run(rig, false, plan.clone(), &mut n);
        run(rig, true, plan.clone(), &mut n);
    }
}

pub(crate) fn a_connection_that_is_refused_is_tried_again(rig: &impl Rig) {
    each(rig, &[Plan::refuse()]);
}

pub(crate) fn a_connection_that_falls_silent_is_given_up(rig: &impl Rig) {
    let places = [0, 1, 20, 60];
    let plans = places.map(|place| [Plan::up(Fault::Mute(place)), Plan::down(Fault::Mute(place))]);
    each(rig, plans.as_flattened());
}

pub(crate) fn a_slow_connection_is_waited_for(rig: &impl Rig) {
    let (delay, pause) = (Duration::from_millis(40), Duration::from_micros(200));
    let plans = [
        Plan { up: Fault::Delay(delay), down: Fault::Delay(delay), ..Plan::default() },
        Plan { up: Fault::Drip(pause), down: Fault::Drip(pause), ..Plan::default() },
    ];
    each(rig, &plans);
}

pub(crate) fn bytes_that_nobody_sent_do_not_last(rig: &impl Rig) {
    let (up, down) = lengths(rig);
    let mut n = 100;
    let junk: Arc<[u8]> = (0..=255).collect::<Vec<u8>>().into();
    let flood: Arc<[u8]> = vec![b'x'; 4 << 20].into();
    let strange = |place, n: &mut u64, turn: &dyn Fn(Fault) -> Plan| {
        let faults = [
            Fault::Repeat(place, 1),
            Fault::Repeat(place, 40),
            Fault::Flip(place),
            Fault::Inject(place, junk.clone()),
            Fault::Inject(place, flood.clone()),
        ];
        for fault in faults {
            lied_to(rig, turn(fault), n);
        }
    };
    // A dozen places in each direction: some lies last until the next full listing.
    let step = |length: u64| usize::try_from(length / 12).expect("small").max(3);
    for place in (0..up).step_by(step(up)) {
        strange(place, &mut n, &Plan::up);
    }
    for place in (0..down).step_by(step(down)) {
        strange(place, &mut n, &Plan::down);
    }
}

/// One run against a way that lies: what is there in the end is what the store says. What is seen on the way may be
/// wrong where the protocol cannot tell, until everything is listed anew.
fn lied_to(rig: &impl Rig, plan: Plan, n: &mut u64) {
    let what = format!("{plan:.0?}");
    let what = &what[..what.len().min(80)];
    let proxy = Proxy::before(rig.address());
    proxy.plan(0, plan);
    let right = |n| move |app: &App| app.a == n && app.b == n * 7;
    number(rig, *n);
    // A first load that was lied to is refused, as any other that is wrong.
    let start = || Watched::try_start(brisk(rig.source(proxy.address())));
    let watched = start().or_else(|_| start()).expect("the second is not lied to");
    watched.until(what, right(*n));
    *n += 1;
    number(rig, *n);
    watched.until(what, right(*n));
    watched.until_it_is(SourceState::Following);
    watched.end();
    until("its connection is closed", || proxy.open() == 0);
    *n += 1;
}

pub(crate) fn many_configurations_share_one_connection<R: Rig>(rig: &R) {
    let proxy = Proxy::before(rig.address());
    number(rig, 1);
    let start = || {
        // For a full listing a question is given up that the server holds, and with HTTP/1.1 its connection too.
        let source = brisk(rig.source(proxy.address())).resync(Duration::ZERO);
        Hot::<App>::builder()
            .source(hotconf::Inline::toml("below", "text = \"\""))
            .source(source)
            .blocking_start()
            .expect("the first load")
    };
    let mut configs: Vec<Hot<App>> = (0..100).map(|_| start()).collect();
    let all = |configs: &[Hot<App>], n| configs.iter().all(|config| config.load().a == n);
    number(rig, 2);
    until("all hear of it", || all(&configs, 2));
    let one = || {
        until("there is one connection", || proxy.open() == 1);
        assert!(R::LISTS_APART || proxy.accepted() == 1, "{} connections", proxy.accepted());
    };
    one();
    // Whoever goes, the others are served; the first to come goes first.
    for n in 3..=100 {
        drop(configs.remove(0));
        if n % 10 == 0 {
            number(rig, n);
            until("those that are left hear of it", || all(&configs, n));
        }
    }
    one();
    assert_eq!(configs.len(), 2);
    for config in configs {
        config.blocking_shutdown(crate::rig::PATIENCE).expect("nothing hangs");
    }
    until("the connection is closed with the last", || proxy.open() == 0);
}

pub(crate) fn nothing_is_left_behind(rig: &impl Rig) {
    number(rig, 1);
    // The first runtime of a process opens what all of them share, and what stays.
    drop(Proxy::before(rig.address()));
    let before = descriptors();
    for round in 0..20 {
        let proxy = Proxy::before(rig.address());
        let watched = Watched::start(brisk(rig.source(proxy.address())));
        if round % 2 == 0 {
            proxy.others(Plan::refuse());
            proxy.sever();
            watched.until_it_is(SourceState::Stale);
        }
        watched.end();
        until("its connection is closed", || proxy.open() == 0);
    }
    until("no thread is left", || threads() == 0);
    until("no descriptor is left", || descriptors() <= before);
}

/// One source that lives through them has no more than before.
pub(crate) fn fifty_reconnects_leave_nothing_behind(rig: &impl Rig) {
    let proxy = Proxy::before(rig.address());
    number(rig, 1);
    let watched = Watched::start(brisk(rig.source(proxy.address())));
    let reconnect = |n| {
        proxy.sever();
        number(rig, n);
        watched.until("the change", is(n));
        watched.until_it_is(SourceState::Following);
    };
    // The first ones open what stays.
    (2..=4).for_each(reconnect);
    until("the lost connections are closed", || proxy.open() <= 1);
    let (before, accepted) = ((descriptors(), threads()), proxy.accepted());
    (5..=54).for_each(reconnect);
    assert!(proxy.accepted() >= accepted + 50, "each was a new connection: {}", proxy.accepted());
    until("no descriptor more", || descriptors() <= before.0);
    until("no thread more", || threads() <= before.1);
    watched.end();
}

/// How many descriptors this process has; 0 where nothing tells.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How many threads of configurations it has.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("hotconf")).count()
}
