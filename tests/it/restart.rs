//! Fields that apply on restart: what runs stays, what is desired waits, and both pass the checks.

use crate::support::{QUIET, applied, by_hand, drain};
use hotconf::{Event, Events, Format, Hot, HotConf, Inline, InlineHandle};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(check = fits)]
struct App {
    #[hotconf(default = 80, restart)]
    port: u16,
    #[hotconf(default = 1)]
    workers: u16,
    #[hotconf(nested, restart)]
    pool: Pool,
    #[hotconf(nested)]
    listeners: BTreeMap<String, Listener>,
    #[hotconf(nested)]
    list: Vec<Listener>,
    #[hotconf(nested)]
    kind: Kind,
    #[hotconf(nested)]
    maybe: Option<Listener>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Pool {
    #[hotconf(default = 1)]
    min: u8,
    #[hotconf(default = 9)]
    max: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Listener {
    #[hotconf(default = 1, restart)]
    port: u16,
    #[hotconf(default = 1)]
    backlog: u16,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Kind {
    Off,
    On {
        #[hotconf(restart)]
        at: u16,
        #[hotconf(default = 1)]
        n: u16,
    },
    More(Listener),
}

fn fits(app: &App) -> Result<(), String> {
    if app.workers > app.port { Err("more workers than ports".into()) } else { Ok(()) }
}

fn live(text: &str) -> (Hot<App>, InlineHandle, Events) {
    let (source, handle) = Inline::channel("app.toml", Format::Toml, text);
    let config = Hot::builder().source(source).blocking_start().unwrap_or_else(|e| panic!("{e:?}"));
    let events = config.events();
    (config, handle, events)
}

const OFF: &str = "kind.type = 'off'\n";

#[test]
fn a_section_that_applies_on_restart_stays_as_a_whole() {
    let (config, handle, _) = live(&format!("{OFF}pool.min = 2"));
    handle.set(format!("{OFF}pool = {{ min = 3, max = 4 }}\nworkers = 7"));
    config.blocking_reload().unwrap();
    let now = config.snapshot();
    assert_eq!((now.pool.min, now.pool.max, now.workers), (2, 9, 7));
    assert_eq!(config.pending(), ["pool.min", "pool.max"]);
}

#[test]
fn an_entry_keeps_the_first_value_that_it_had() {
    let (config, handle, _) = live(&format!("{OFF}listeners.a.port = 1"));
    let ports = || config.load().listeners.values().map(|l| (l.port, l.backlog)).collect::<Vec<_>>();
    handle.set(format!("{OFF}listeners = {{ a = {{ port = 2 }}, b = {{ port = 3 }} }}"));
    config.blocking_reload().unwrap();
    assert_eq!(ports(), [(1, 1), (3, 1)], "the new entry takes its first value");
    handle.set(format!("{OFF}listeners = {{ a = {{ port = 2 }}, b = {{ port = 4, backlog = 9 }} }}"));
    config.blocking_reload().unwrap();
    assert_eq!(ports(), [(1, 1), (3, 9)], "and keeps it");
    assert_eq!(config.pending(), ["listeners"]);
    handle.set(format!("{OFF}listeners.b = {{ port = 3 }}"));
    config.blocking_reload().unwrap();
    assert_eq!(ports(), [(3, 1)]);
    assert!(config.pending().is_empty(), "{:?}", config.pending());
}

#[test]
fn below_a_list_an_option_and_an_enum_it_stays_too() {
    let text = "kind = { type = 'on', at = 1 }\nlist = [{ port = 1 }]\nmaybe = { port = 1 }";
    let (config, handle, _) = live(text);
    handle.set(text.replace("= 1", "= 2"));
    config.blocking_reload().unwrap();
    let now = config.snapshot();
    assert_eq!(now.kind, Kind::On { at: 1, n: 1 });
    assert_eq!((now.list[0].port, now.maybe.as_ref().map(|l| l.port)), (1, Some(1)));
    assert_eq!(config.pending(), ["list", "kind.at", "maybe.port"]);
    handle.set("kind = { type = 'more', port = 7 }");
    config.blocking_reload().unwrap();
    assert_eq!(config.load().kind, Kind::More(Listener { port: 7, backlog: 1 }), "another variant is new");
    handle.set("kind = { type = 'more', port = 8, backlog = 2 }");
    config.blocking_reload().unwrap();
    assert_eq!(config.load().kind, Kind::More(Listener { port: 7, backlog: 2 }));
}

#[test]
fn where_only_what_would_run_fails_a_check_the_whole_change_waits() {
    let (config, handle, mut events) = live(OFF);
    handle.set(format!("{OFF}port = 1000\nworkers = 500"));
    config.blocking_reload().unwrap();
    let now = config.snapshot();
    assert_eq!(
        (now.port, now.workers, now.version()),
        (80, 1, 1),
        "500 workers do not fit the port that runs"
    );
    assert_eq!(config.pending(), ["port", "workers"]);
    let told = drain(&mut events, Duration::from_millis(200));
    assert!(
        matches!(told.as_slice(), [Event::RestartRequired(r)] if r.paths() == ["port", "workers"]),
        "{told:#?}"
    );
    handle.set(format!("{OFF}port = 10\nworkers = 500"));
    assert!(config.blocking_reload().is_err(), "what is desired fails by itself");
    handle.set(format!("{OFF}port = 1000\nworkers = 50"));
    config.blocking_reload().unwrap();
    assert_eq!((config.load().port, config.load().workers), (80, 50), "what can apply applies");
    assert_eq!(config.pending(), ["port"]);
}

#[derive(Clone, Debug, HotConf)]
struct Server {
    #[hotconf(default = 80, restart)]
    port: u16,
    #[hotconf(default = 1)]
    n: u64,
}

#[test]
fn a_restart_field_keeps_its_running_value_and_is_told_once() {
    let (config, handle) = by_hand::<Server>("port = 80");
    let mut events = config.events();
    handle.set("port = 81");
    config.blocking_reload().expect("good");
    let told = drain(&mut events, QUIET);
    assert!(matches!(told.as_slice(), [Event::RestartRequired(r)] if r.paths() == ["port"]), "{told:#?}");
    assert_eq!((config.load().port, config.version()), (80, 1));
    assert_eq!(config.pending(), ["port"]);
    handle.set("port = 81\nn = 2");
    config.blocking_reload().expect("good");
    let told = drain(&mut events, QUIET);
    assert!(matches!(told.as_slice(), [Event::Applied(a)] if a.paths() == ["n"]), "{told:#?}");
    handle.set("port = 80\nn = 2");
    config.blocking_reload().expect("good");
    assert!(config.pending().is_empty());
    assert!(drain(&mut events, QUIET).is_empty());
}

#[test]
fn while_a_restart_field_waits_the_snapshot_speaks_of_the_value_that_runs() {
    let (config, handle) = by_hand::<Server>("port = 80");
    let before = config.snapshot();
    handle.set("\nport = 81");
    config.blocking_reload().expect("good");
    assert_eq!(config.load().port, 80);
    assert_eq!(config.origin(Server::FIELDS.port).to_string(), "app.toml:1:8");
    assert_eq!(config.snapshot().fingerprint(), before.fingerprint());
    assert!(config.explain().to_string().contains("81   app.toml:2:8   (waits for a restart)"));
    for n in 2..40 {
        handle.set(format!("port = {}\nn = {n}", 80 + n));
        config.blocking_reload().expect("good");
        assert_eq!((config.load().port, config.load().n), (80, n));
        assert_eq!(config.origin(Server::FIELDS.port).to_string(), "app.toml:1:8");
    }
}

#[derive(Clone, Debug, HotConf)]
#[hotconf(check = fits_in)]
struct Room {
    #[hotconf(restart)]
    size: u32,
    used: u32,
}

fn fits_in(room: &Room) -> Result<(), &'static str> {
    if room.used <= room.size { Ok(()) } else { Err("`used` must not be above `size`") }
}

#[test]
fn a_change_that_the_running_restart_fields_do_not_allow_waits_as_a_whole() {
    let (config, handle) = by_hand::<Room>("size = 4\nused = 4");
    let mut events = config.events();
    handle.set("size = 9\nused = 9");
    config.blocking_reload().expect("what is desired is valid");
    assert_eq!((config.load().size, config.load().used, config.version()), (4, 4, 1));
    assert_eq!(config.pending(), ["size", "used"]);
    assert!(matches!(events.try_next(), Some(Event::RestartRequired(_))));
    handle.set("size = 4\nused = 3");
    config.blocking_reload().expect("good");
    let change = applied(&mut events).changes().remove(0);
    assert_eq!((change.old.as_deref(), change.new.as_deref()), (Some("4"), Some("3")));
    assert!(config.pending().is_empty());
}

/// What runs and where it is from, of a text.
fn after(config: &Hot<App>, handle: &InlineHandle, text: &str) -> App {
    handle.set(text);
    config.blocking_reload().unwrap();
    App::clone(&config.load())
}

#[test]
fn a_variant_that_goes_and_returns_has_the_value_that_it_had() {
    let (config, handle, _) = live("kind = { type = 'on', at = 1 }");
    after(&config, &handle, OFF);
    let now = after(&config, &handle, "kind = { type = 'on', at = 2, n = 5 }");
    assert_eq!(now.kind, Kind::On { at: 1, n: 5 }, "as at the start");
    assert_eq!(config.pending(), ["kind.at"]);
    let origin = config.snapshot().explain_path("kind.at").unwrap().to_string();
    assert!(origin.contains("kind.at"), "{origin}");

    let (config, handle, _) = live(OFF);
    after(&config, &handle, "kind = { type = 'on', at = 1 }");
    after(&config, &handle, OFF);
    after(&config, &handle, "kind = { type = 'more', port = 7 }");
    after(&config, &handle, OFF);
    let now = after(&config, &handle, "kind = { type = 'on', at = 2 }");
    assert_eq!(now.kind, Kind::On { at: 1, n: 1 }, "as it was seen first");
    let now = after(&config, &handle, "kind = { type = 'more', port = 8 }");
    assert_eq!(now.kind, Kind::More(Listener { port: 7, backlog: 1 }));
    assert_eq!(config.pending(), ["kind.port"]);
}

#[test]
fn an_optional_section_that_goes_and_returns_has_the_value_that_it_had() {
    let (config, handle, _) = live(OFF);
    let port = |app: &App| app.maybe.as_ref().map(|maybe| (maybe.port, maybe.backlog));
    assert_eq!(
        port(&after(&config, &handle, &format!("{OFF}maybe.port = 3"))),
        Some((3, 1)),
        "its first value"
    );
    assert_eq!(port(&after(&config, &handle, OFF)), None);
    let text = format!("{OFF}maybe = {{ port = 4, backlog = 2 }}");
    assert_eq!(port(&after(&config, &handle, &text)), Some((3, 2)));
    assert_eq!(config.pending(), ["maybe.port"]);
    assert_eq!(config.origin(App::FIELDS.maybe.port).to_string(), "app.toml:2:14", "where what runs was set");
}

#[test]
fn an_entry_that_was_there_at_the_start_has_its_value_though_it_was_away() {
    let (config, handle, _) = live(&format!("{OFF}listeners.a.port = 1"));
    let ports = |app: &App| app.listeners.values().map(|listener| listener.port).collect::<Vec<_>>();
    assert_eq!(ports(&after(&config, &handle, OFF)), [0_u16; 0]);
    assert_eq!(ports(&after(&config, &handle, &format!("{OFF}listeners.a.port = 2"))), [1]);
    // Of one that appeared later the first value stays as long as it is there.
    let both = |b: u16| format!("{OFF}listeners = {{ a = {{ port = 2 }}, b = {{ port = {b} }} }}");
    assert_eq!(ports(&after(&config, &handle, &both(3))), [1, 3]);
    assert_eq!(ports(&after(&config, &handle, &both(4))), [1, 3]);
    after(&config, &handle, OFF);
    assert_eq!(ports(&after(&config, &handle, &both(4))), [1, 4], "removed and added anew, it is another");
}
