//! Updating a value gives what loading it anew gives, and touches only what moved.

use crate::support::{Small, by_hand};
use hotconf::{Format, Hot, HotConf, Inline, InlineHandle, Secret};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(check = not_thirteen)]
struct All {
    #[hotconf(default = 1, range = 0..=6)]
    number: u8,
    #[hotconf(default = "5s", alias = "pause")]
    wait: Duration,
    maybe: Option<u16>,
    #[hotconf(default = "s")]
    secret: Secret<String>,
    #[hotconf(default)]
    list: Vec<u8>,
    #[hotconf(default)]
    table: HashMap<String, Vec<u8>>,
    plain: Option<Plain>,
    #[hotconf(nested)]
    inner: Inner,
    #[hotconf(nested)]
    option: Option<Inner>,
    #[hotconf(nested)]
    inners: Vec<Inner>,
    #[hotconf(nested)]
    entries: BTreeMap<String, Inner>,
    #[hotconf(nested)]
    kind: Kind,
    #[hotconf(nested)]
    kinds: Vec<Kind>,
    #[hotconf(nested)]
    by_name: HashMap<String, Kind>,
    #[hotconf(nested)]
    maybe_kind: Option<Box<Kind>>,
    #[hotconf(nested, default = Inner { a: 6, b: None })]
    given: Inner,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Plain {
    x: i8,
    #[serde(default)]
    y: Option<String>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(check = Inner::fits)]
struct Inner {
    #[hotconf(default = 2)]
    a: u8,
    b: Option<u8>,
}

impl Inner {
    fn fits(&self) -> Result<(), &'static str> {
        if self.b == Some(self.a) { Err("`a` and `b` are equal") } else { Ok(()) }
    }
}

fn not_thirteen(all: &All) -> Result<(), String> {
    if all.list.len() > 2 && all.number == 3 { Err("too much".into()) } else { Ok(()) }
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Kind {
    None,
    Some {
        #[hotconf(default = 1)]
        n: u8,
        #[hotconf(nested)]
        inner: Option<Inner>,
    },
    New(Newtype),
    Other {
        n: String,
    },
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Newtype {
    #[hotconf(default = 0)]
    n: u32,
    #[hotconf(nested)]
    map: HashMap<String, Inner>,
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn inner(&mut self) -> String {
        let mut text = String::new();
        if self.roll(2) == 0 {
            let _ = write!(text, "a = {}, ", self.roll(5));
        }
        if self.roll(3) == 0 {
            let _ = write!(text, "b = {}, ", self.roll(40));
        }
        format!("{{ {} }}", text.trim_end_matches(", "))
    }

    fn kind(&mut self) -> String {
        match self.roll(5) {
            0 => "{ type = 'none' }".into(),
            1 => format!("{{ type = 'some', n = {} }}", self.roll(3)),
            2 => format!("{{ type = 'some', inner = {} }}", self.inner()),
            3 => format!("{{ type = 'new', n = {}, map = {{ a = {} }} }}", self.roll(3), self.inner()),
            _ => format!("{{ n = '{}', type = 'other' }}", self.roll(3)),
        }
    }

    fn lines(&mut self, kind: &mut dyn FnMut(&mut Self) -> String) -> Vec<String> {
        (0..self.roll(4)).map(|_| kind(self)).collect()
    }

    fn named(&mut self, kind: &mut dyn FnMut(&mut Self) -> String) -> String {
        let mut text: Vec<String> = Vec::new();
        for name in ["a", "b", "c d"] {
            if self.roll(2) == 0 {
                text.push(format!("'{name}' = {}", kind(self)));
            }
        }
        format!("{{ {} }}", text.join(", "))
    }

    /// A document; now and then one that is refused.
    fn document(&mut self) -> String {
        let mut lines = vec![format!("kind = {}", self.kind())];
        let mut add = |dice: &mut Self, line: &mut dyn FnMut(&mut Self) -> String| {
            if dice.roll(2) == 0 {
                lines.push(line(dice));
            }
        };
        add(self, &mut |d| format!("number = {}", d.roll(8)));
        add(self, &mut |d| format!("{} = '{}s'", if d.roll(2) == 0 { "wait" } else { "pause" }, d.roll(3)));
        add(self, &mut |d| format!("maybe = {}", d.roll(3)));
        add(self, &mut |d| format!("secret = '{}'", d.roll(3)));
        add(self, &mut |d| format!("list = {:?}", (0..d.roll(4)).collect::<Vec<_>>()));
        add(self, &mut |d| format!("table = {}", d.named(&mut |d| format!("[{}]", d.roll(3)))));
        add(self, &mut |d| format!("plain = {{ x = {} }}", d.roll(3)));
        add(self, &mut |d| format!("inner = {}", d.inner()));
        add(self, &mut |d| format!("option = {}", d.inner()));
        add(self, &mut |d| format!("inners = [{}]", d.lines(&mut Self::inner).join(", ")));
        add(self, &mut |d| format!("entries = {}", d.named(&mut Self::inner)));
        add(self, &mut |d| format!("kinds = [{}]", d.lines(&mut Self::kind).join(", ")));
        add(self, &mut |d| format!("by_name = {}", d.named(&mut Self::kind)));
        add(self, &mut |d| format!("maybe_kind = {}", d.kind()));
        add(self, &mut |d| format!("given = {}", d.inner()));
        lines.join("\n")
    }
}

fn live<T: HotConf>(text: &str) -> (Hot<T>, InlineHandle) {
    let (source, handle) = Inline::channel("app.toml", Format::Toml, text);
    let config = Hot::builder().source(source).blocking_start().unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    (config, handle)
}

#[test]
fn an_update_gives_what_a_fresh_load_gives() {
    let (config, handle) = live::<All>("kind.type = 'none'");
    let heard = Arc::new(Mutex::new(BTreeMap::<&str, All>::new()));
    let keep = heard.clone();
    let _all = config.on_change(All::FIELDS, move |change| {
        keep.lock().unwrap().insert("all", change.new().clone());
    });
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..400 {
        let text = dice.document();
        let fresh = Hot::<All>::builder().source(Inline::toml("app.toml", &text)).read();
        let before = config.snapshot();
        handle.set(&text);
        let settled = config.blocking_reload();
        match (fresh, settled) {
            (Ok(fresh), Ok(_)) => {
                accepted += 1;
                assert_eq!(*config.load(), *fresh, "round {round}:\n{text}");
                assert_eq!(
                    config.snapshot().fingerprint(),
                    fresh.snapshot().fingerprint(),
                    "round {round}:\n{text}"
                );
                assert_eq!(before.version() == config.version(), *before == *fresh, "round {round}:\n{text}");
            }
            (Err(fresh), Err(settled)) => {
                refused += 1;
                let lines = |error: &hotconf::Error| {
                    let mut lines: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
                    lines.sort();
                    lines
                };
                // An update need not look again at what has not moved; what it finds a load finds too.
                let (fresh, settled) = (lines(&fresh), lines(&settled));
                assert_eq!(settled, fresh, "round {round}:\n{text}");
                assert_eq!(config.version(), before.version());
            }
            (fresh, settled) => {
                panic!("round {round}: fresh {:?}, live {:?}\n{text}", fresh.map(|_| ()), settled.map(|_| ()))
            }
        }
    }
    assert!(accepted > 150 && refused > 30, "{accepted} accepted, {refused} refused");
}

fn thousand(changed: usize) -> String {
    let mut text = String::from("kind.type = 'none'\n");
    for i in 0..1000 {
        let _ = writeln!(text, "[entries.e{i}]\na = {}\nb = {}", if i == changed { 9 } else { 1 }, 100);
    }
    text
}

#[test]
fn of_a_thousand_entries_only_the_changed_one_is_decoded() {
    let (config, handle) = live::<All>(&thousand(5000));
    let before = config.status().counters.decoded;
    handle.set(thousand(500));
    config.blocking_reload().unwrap();
    assert_eq!(config.load().entries["e500"].a, 9);
    let decoded = config.status().counters.decoded - before;
    assert_eq!(decoded, 1, "one leaf of one entry moved");
}

#[test]
fn what_has_not_moved_is_not_decoded() {
    let (config, handle) = live::<All>("kind = { type = 'some', n = 1 }\ninner.a = 5\nlist = [1]\nmaybe = 1");
    let decode = |text: &str| {
        let before = config.status().counters.decoded;
        handle.set(text);
        config.blocking_reload().unwrap();
        config.status().counters.decoded - before
    };
    let same = "# moved about\n\nmaybe = 1\nlist = [ 1 ]\n[inner]\na = 5\n[kind]\nn = 1\ntype = 'some'";
    assert_eq!(decode(same), 0, "the same values in another order");
    assert_eq!(decode(&same.replace("n = 1", "n = 2")), 1);
    assert_eq!(decode(&same.replace("n = 1", "n = 2").replace("a = 5", "a = 6")), 1);
}

#[test]
fn tokens_of_every_kind_hear_of_their_own_field_alone() {
    let (config, handle) = live::<All>("kind = { type = 'some', n = 1 }\nentries.a.a = 1\ntable.x = [1]");
    let heard = Arc::new(Mutex::new(Vec::<String>::new()));
    macro_rules! listen {
        ($($name:literal: $token:expr),* $(,)?) => {
            [$({
                let heard = heard.clone();
                config.on_change($token, move |change| {
                    let line = format!("{}: {:?} -> {:?}", $name, change.old(), change.new());
                    heard.lock().unwrap().push(line);
                })
            }),*]
        };
    }
    let _keep = listen![
        "number": All::FIELDS.number,
        "inner": All::FIELDS.inner,
        "inner.b": All::FIELDS.inner.b,
        "option.a": All::FIELDS.option.a,
        "option": All::FIELDS.option,
        "entry a": All::FIELDS.entries.key("a"),
        "entry z": All::FIELDS.entries.key("z"),
        "table x": All::FIELDS.table.key("x"),
        "table y": All::FIELDS.table.key("y"),
        "kind.some.n": All::FIELDS.kind.some.n,
        "kind.new.n": All::FIELDS.kind.new.n,
        "kind.other.n": All::FIELDS.kind.other.n,
        "maybe_kind.some.inner.b": All::FIELDS.maybe_kind.some.inner.b,
    ];
    let base = "kind = { type = 'some', n = 1 }\nentries.a.a = 1\ntable.x = [1]";
    let tell = |text: &str| {
        handle.set(text);
        config.blocking_reload().unwrap();
        // The last to be told is told by a worker: wait until none has anything left.
        std::thread::sleep(Duration::from_millis(60));
        let mut lines = std::mem::take(&mut *heard.lock().unwrap());
        lines.sort();
        lines
    };
    assert_eq!(tell(&format!("{base}\nnumber = 2")), ["number: 1 -> 2"]);
    assert_eq!(
        tell(&format!("{base}\nnumber = 2\ninner.b = 4")),
        ["inner.b: None -> Some(4)", "inner: Inner { a: 2, b: None } -> Inner { a: 2, b: Some(4) }",]
    );
    let base = &format!("{base}\nnumber = 2\ninner.b = 4");
    assert_eq!(
        tell(&format!("{base}\noption = {{}}")),
        ["option.a: None -> Some(2)", "option: None -> Some(Inner { a: 2, b: None })",]
    );
    let base = &format!("{base}\noption = {{}}");
    assert_eq!(
        tell(&base.replace("table.x = [1]", "table = { x = [1], y = [] }")),
        ["table y: None -> Some([])"]
    );
    assert_eq!(
        tell(&base.replace("entries.a.a = 1", "entries.z = {}")),
        [
            "entry a: Some(Inner { a: 1, b: None }) -> None",
            "entry z: None -> Some(Inner { a: 2, b: None })",
            "table y: Some([]) -> None",
        ]
    );
    let base = &base.replace("entries.a.a = 1", "entries.z = {}");
    assert_eq!(
        tell(&base.replace("type = 'some', n = 1", "type = 'new', n = 1")),
        ["kind.new.n: None -> Some(1)", "kind.some.n: Some(1) -> None"]
    );
    let base = &base.replace("type = 'some', n = 1", "type = 'other', n = '1'");
    assert_eq!(tell(base), ["kind.new.n: Some(1) -> None", "kind.other.n: None -> Some(\"1\")"]);
    assert_eq!(
        tell(&format!("{base}\nmaybe_kind = {{ type = 'some', inner.b = 1 }}")),
        ["maybe_kind.some.inner.b: None -> Some(Some(1))"]
    );
}

#[test]
fn every_way_to_follow_takes_every_kind_of_token() {
    let (config, handle) = live::<All>("kind = { type = 'some', n = 1 }");
    let number = config.live(All::FIELDS.number);
    let partial = config.live(All::FIELDS.kind.some.n);
    let view = config.view(All::FIELDS.inner);
    let maybe = config.view(All::FIELDS.option);
    let mut entry = config.watch(All::FIELDS.entries.key("a"));
    let mut whole = config.watch(All::FIELDS);
    handle
        .set("number = 4\nkind = { type = 'none' }\ninner.a = 9\noption = { a = 2 }\nentries.a = { a = 3 }");
    config.blocking_reload().unwrap();
    assert_eq!((number.get(), partial.get()), (4, None));
    assert_eq!((view.load().a, maybe.load().is_some()), (9, true));
    let second = Duration::from_secs(5);
    assert_eq!(entry.blocking_next_timeout(second).unwrap().map(|e| e.map(|i| i.a)), Some(Some(3)));
    assert_eq!(whole.blocking_next_timeout(second).unwrap().map(|all| all.number), Some(4));
    assert_eq!(config.origin(All::FIELDS.entries.key("a")).to_string(), "app.toml:5:19");
    assert_eq!(config.origin(All::FIELDS.option).to_string(), "app.toml:4:16");
    assert_eq!(config.explain_field(All::FIELDS.number)[0].value(), "4");
    assert_eq!(config.explain_field(All::FIELDS.inner).len(), 2);
    assert_eq!(config.explain_field(All::FIELDS.entries.key("a"))[0].path(), "entries.a.a");
}

#[test]
fn a_null_and_a_missing_key_are_two_things_where_an_option_has_a_default() {
    #[derive(Clone, Debug, HotConf)]
    struct App {
        #[hotconf(default = 1)]
        workers: Option<u8>,
        #[hotconf(default = 2)]
        plain: u8,
    }
    let (source, handle) = Inline::channel("app.json", Format::Json, "{}");
    let config = Hot::<App>::builder().source(source).blocking_start().unwrap();
    for (text, expected) in [
        (r#"{"workers": null, "plain": null}"#, (None, 2)),
        (r#"{"workers": 3, "plain": 3}"#, (Some(3), 3)),
        (r#"{"workers": null}"#, (None, 2)),
        ("{}", (Some(1), 2)),
    ] {
        handle.set(text);
        config.blocking_reload().unwrap();
        assert_eq!((config.load().workers, config.load().plain), expected, "{text}");
    }
}

#[test]
fn only_what_moved_is_decoded() {
    let (config, handle) = by_hand::<Small>("n = 1\nother = 1");
    let before = config.status().counters.decoded;
    handle.set("n = 2\nother = 1");
    config.blocking_reload().expect("good");
    assert_eq!(config.status().counters.decoded, before + 1);
}
