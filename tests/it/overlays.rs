//! Overlays of documents: on which instances they hold, when they flip, and that a mistake in one is told everywhere.

use crate::support::{Dir, Small, applied, drain, rejected, replace};
use hotconf::{File, Hot, HotConf, Inline, Instance, SourceExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn loaded(text: &str, here: Instance) -> Result<(u64, u64), String> {
    let read = Hot::<Small>::builder().source(Inline::toml("app.toml", text)).instance(here).read();
    read.map(|loaded| (loaded.n, loaded.other)).map_err(|error| error.to_string())
}

/// An instant so far from now, as a document writes it.
fn moment(from_now: Duration) -> String {
    let since = (SystemTime::now() + from_now).duration_since(UNIX_EPOCH).expect("after 1970");
    // Seconds of this day, so that no calendar is needed: a test that runs over midnight counts on.
    let (days, time) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (mut year, mut rest) = (1970, days);
    let length = |year: u64| 365 + u64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    while rest >= length(year) {
        rest -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if rest < days {
            break;
        }
        rest -= days;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!(
        "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        rest + 1,
        since.subsec_millis()
    )
}

const CANARY: &str = r#"
n = 1
other = 1
[[hotconf.when]]
name = "canary"
share = 10
set = { n = 2 }
[[hotconf.when]]
name = "europe"
labels = { zone = { prefix = "eu-" } }
set = { n = 3, other = 3 }
"#;

#[test]
fn an_overlay_lies_above_its_own_document_and_below_the_next_source() {
    let eu = Instance::of("x").label("zone", "eu-1");
    assert_eq!(loaded(CANARY, eu.clone()), Ok((3, 3)));
    assert_eq!(loaded(CANARY, Instance::anonymous()), Ok((1, 1)));
    let above = Hot::<Small>::builder()
        .source(Inline::toml("app.toml", CANARY))
        .source(Inline::toml("site.toml", "other = 9"))
        .instance(eu)
        .read()
        .unwrap();
    assert_eq!((above.n, above.other), (3, 9));
}

#[test]
fn a_share_takes_its_part_of_the_instances_and_raising_it_loses_none() {
    let members = |percent: u32| -> Vec<usize> {
        let text = CANARY.replace("share = 10", &format!("share = {percent}"));
        let is = |n: &usize| loaded(&text, Instance::of(format!("pod-{n}"))).unwrap().0 == 2;
        (0..200).filter(is).collect()
    };
    let (none, some, more, all) = (members(0), members(10), members(50), members(100));
    assert!(none.is_empty() && (8..=35).contains(&some.len()) && (75..=125).contains(&more.len()));
    assert!(some.iter().all(|member| more.contains(member)));
    assert_eq!(all.len(), 200);
}

#[test]
fn a_mistake_in_an_overlay_is_told_where_it_does_not_hold_too() {
    let wrong = CANARY.replace("set = { n = 2 }", "set = { n = \"many\", othr = 1 }");
    let error = loaded(&wrong, Instance::anonymous()).unwrap_err();
    assert!(error.contains("app.toml:7:13") && error.contains("the overlay `canary` holds"), "{error}");
    let range = CANARY.replace("n = 3", "n = 3000000");
    let error = loaded(&range, Instance::anonymous()).unwrap_err();
    assert!(error.contains("the overlay `europe` holds") && error.contains("3000000"), "{error}");
    let rule = CANARY.replace("share = 10", "share = 101");
    let error = loaded(&rule, Instance::anonymous()).unwrap_err();
    assert!(error.contains("hotconf.when[0].share") && error.contains("app.toml:6:9"), "{error}");
}

#[test]
fn an_unknown_key_in_an_overlay_warns_everywhere() {
    let text = CANARY.replace("n = 3,", "n = 3, othr = 4,");
    let read = Hot::<Small>::builder().source(Inline::toml("app.toml", &text)).read().unwrap();
    let warnings: Vec<String> = read.warnings().iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|warning| warning.contains("othr")), "{warnings:?}");
}

#[test]
fn explain_says_which_overlay_holds_and_why_another_does_not() {
    let here = Instance::anonymous().label("zone", "eu-1");
    let read =
        Hot::<Small>::builder().source(Inline::toml("app.toml", CANARY)).instance(here).read().unwrap();
    let n = read.explain_path("n").unwrap();
    let text = n.to_string();
    assert!(
        text.contains("n = 3   app.toml:11:13   (overlay `europe` holds: label `zone` is \"eu-1\")"),
        "{text}"
    );
    assert!(text.contains("hides 1   app.toml:2:5"), "{text}");
    assert!(
        text.contains(
            "not 2   app.toml:7:13   (overlay `canary` does not hold: an instance without an identity"
        ),
        "{text}"
    );
    assert_eq!(n[0].elsewhere().len(), 1);
}

#[test]
fn overlays_work_in_every_format_and_below_a_mount() {
    let json = r#"{"n": 1, "hotconf": {"when": [{"name": "all", "share": 100, "set": {"n": 7}}]}}"#;
    let read = Hot::<Small>::builder().source(Inline::json("app.json", json)).read().unwrap();
    assert_eq!(read.n, 7);
    let yaml = "n: 1\nhotconf:\n  when:\n    - name: all\n      labels: {zone: eu}\n      set: {n: 8}\n";
    let here = Instance::anonymous().label("zone", "eu");
    let read = Hot::<Small>::builder().source(Inline::yaml("app.yaml", yaml)).instance(here).read().unwrap();
    assert_eq!(read.n, 8);
    let part = format!("[small]\n{}", CANARY.replace("[[hotconf", "[[small.hotconf"));
    let eu = Instance::of("x").label("zone", "eu-1");
    let read = Hot::<Small>::builder()
        .source(Inline::toml("app.toml", &part).at("small"))
        .instance(eu)
        .read()
        .unwrap();
    assert_eq!(read.n, 3);
}

#[derive(Clone, Debug, HotConf)]
struct Outer {
    #[hotconf(nested)]
    small: Small,
}

#[test]
fn an_overlay_of_a_mounted_document_is_mounted_with_it() {
    let eu = Instance::of("x").label("zone", "eu-1");
    let source = Inline::toml("app.toml", CANARY).under("small");
    let read = Hot::<Outer>::builder().source(source).instance(eu).read().unwrap();
    assert_eq!((read.small.n, read.small.other), (3, 3));
}

#[test]
fn turning_a_rule_off_returns_everyone_and_a_broken_one_changes_nothing() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &CANARY.replace("share = 10", "share = 100"));
    let config = Hot::<Small>::builder()
        .source(File::new(&path))
        .instance(Instance::of("a"))
        .blocking_start()
        .unwrap();
    let mut events = config.events();
    assert_eq!(config.load().n, 2);
    replace(&path, &CANARY.replace("share = 10", "share = 1000"));
    let error = rejected(&mut events);
    assert!(error.to_string().contains("0 to 100"), "{error}");
    assert_eq!(config.load().n, 2);
    replace(&path, &CANARY.replace("share = 10", "off = true"));
    assert_eq!(applied(&mut events).changes()[0].path, "n");
    assert_eq!(config.load().n, 1);
}

#[test]
fn a_window_opens_and_closes_by_itself() {
    let (from, until) = (moment(Duration::from_millis(700)), moment(Duration::from_millis(1_700)));
    let text = format!(
        "n = 1\n[[hotconf.when]]\nname = \"sale\"\nwindow = {{ from = \"{from}\", until = \"{until}\" }}\nset = {{ n = 5 }}\n"
    );
    let config = Hot::<Small>::builder().source(Inline::toml("app.toml", &text)).blocking_start().unwrap();
    let mut events = config.events();
    assert_eq!(config.load().n, 1);
    applied(&mut events);
    assert_eq!(config.load().n, 5);
    assert_eq!(config.origin(Small::FIELDS.n).to_string(), "app.toml:5:13");
    applied(&mut events);
    assert_eq!(config.load().n, 1);
    assert!(drain(&mut events, Duration::from_millis(200)).is_empty());
}

#[test]
fn a_ramp_reaches_every_instance_of_its_share_one_by_one() {
    let text = format!(
        "n = 1\n[[hotconf.when]]\nname = \"ramp\"\nramp = {{ from = \"{}\", over = \"1500ms\" }}\nset = {{ n = 5 }}\n",
        moment(Duration::from_millis(300))
    );
    let start = |n: usize| {
        let here = Instance::of(format!("pod-{n}"));
        Hot::<Small>::builder()
            .source(Inline::toml("app.toml", &text))
            .instance(here)
            .blocking_start()
            .unwrap()
    };
    let configs: Vec<Hot<Small>> = (0..8).map(start).collect();
    let mut events: Vec<_> = configs.iter().map(Hot::events).collect();
    assert!(configs.iter().all(|config| config.load().n == 1));
    for events in &mut events {
        applied(events);
    }
    assert!(configs.iter().all(|config| config.load().n == 5));
}
