//! Reads the list `hotconf.when` of a document: every mistake of it in one pass, each at its place.

use super::bucket::BUCKETS;
use super::moment::Moment;
use super::rule::{Ramp, Rule, Scope, Share};
use super::test::Test;
use crate::error::{Problem, ProblemKind};
use crate::schema::nearest::{did_you_mean, nearest};
use crate::units::parse_duration;
use crate::value::{Document, Kind};

/// Overlays that one document may carry.
const MOST: usize = 64;
/// How deep `not` may be nested.
const DEPTH: usize = 8;

/// An overlay: on which instances, and the table in its document that holds there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overlay {
    pub(crate) scope: Scope,
    /// Node of its table `set`.
    pub(crate) set: u32,
}

/// The overlays of a document, and what is wrong with them. One in which anything is wrong is left out.
pub(crate) fn read(doc: &Document, list: u32) -> (Vec<Overlay>, Vec<Problem>) {
    let mut reader = Reader { doc, path: "hotconf.when".to_owned(), problems: Vec::new() };
    let mut overlays: Vec<Overlay> = Vec::new();
    if doc.kind(list) != Kind::Array {
        reader.wrong(list, "a list of overlays: `[[hotconf.when]]` in TOML");
    } else if doc.count(list) > MOST {
        reader.wrong(list, &format!("at most {MOST} overlays"));
    } else {
        for (number, node) in doc.elements(list).enumerate() {
            let known = reader.problems.len();
            let overlay = reader.within(&format!("[{number}]"), |reader| reader.overlay(node));
            let Some(overlay) = overlay.filter(|_| reader.problems.len() == known) else { continue };
            let name = &overlay.scope.name;
            if overlays.iter().any(|other| other.scope.name == *name) {
                reader.refuse(
                    node,
                    format!("there are two overlays of the name `{name}`; shares are drawn by it"),
                );
                continue;
            }
            overlays.push(overlay);
        }
    }
    (overlays, reader.problems)
}

struct Reader<'d> {
    doc: &'d Document,
    path: String,
    problems: Vec<Problem>,
}

const OVERLAY: [&str; 8] = ["name", "salt", "off", "window", "labels", "share", "ramp", "any"];
const RULE: [&str; 3] = ["labels", "share", "ramp"];
const TESTS: [&str; 7] = ["eq", "in", "prefix", "glob", "semver", "exists", "not"];

impl<'d> Reader<'d> {
    fn overlay(&mut self, node: u32) -> Option<Overlay> {
        let entries = self.table(node, "an overlay: a table with `name`, `set` and what it asks for")?;
        let (mut name, mut salt, mut off, mut set, mut any) = (None, "", false, None, None);
        let (mut from, mut until) = (None, None);
        let mut own = Vec::new();
        for (key, value) in entries {
            let word = self.doc.str(key);
            match word {
                "name" => {
                    name = self.in_key(word, |reader| reader.text(value)).filter(|name| !name.is_empty());
                }
                "salt" => salt = self.in_key(word, |reader| reader.text(value)).unwrap_or_default(),
                "off" => off = self.in_key(word, |reader| reader.boolean(value)).unwrap_or_default(),
                "window" => (from, until) = self.in_key(word, |reader| reader.window(value)),
                "set" => {
                    set =
                        self.in_key(word, |reader| reader.table(value, "a table of settings")).map(|_| value);
                }
                "any" => any = self.in_key(word, |reader| reader.rules(value)),
                "labels" | "share" | "ramp" => own.push((key, value)),
                _ => self.unknown(key, OVERLAY.iter().chain(&["set"]).copied()),
            }
        }
        if let Some(any) = any.as_ref().filter(|_| !own.is_empty()) {
            let _: &Vec<Rule> = any;
            self.refuse(
                node,
                "`any` is a list of rules, and stands instead of a rule of the overlay's own".into(),
            );
        }
        let rules = match any {
            Some(rules) => rules,
            None => vec![self.rule(own)],
        };
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            self.refuse(node, "its window ends before it begins".to_owned());
        }
        for (given, key) in [(name.is_some(), "name"), (set.is_some(), "set")] {
            let said = self.doc.entries(node).any(|(k, _)| self.doc.str(k) == key);
            if !given && !said {
                self.refuse(node, format!("`{key}` is missing"));
            }
        }
        let scope = Scope { name: name?.into(), salt: salt.into(), off, from, until, rules };
        Some(Overlay { scope, set: set? })
    }

    fn rules(&mut self, node: u32) -> Option<Vec<Rule>> {
        if self.doc.kind(node) != Kind::Array || self.doc.count(node) == 0 {
            self.wrong(node, "a list of rules, of which the first that takes an instance decides");
            return None;
        }
        let doc = self.doc;
        let rules = doc.elements(node).enumerate().filter_map(|(number, rule)| {
            self.within(&format!("[{number}]"), |reader| {
                let entries = reader.table(rule, "a rule: a table with `labels`, `share` and `ramp`")?;
                let known = |key: &u32| RULE.contains(&doc.str(*key));
                for (key, _) in entries.iter().filter(|(key, _)| !known(key)) {
                    reader.unknown(*key, RULE);
                }
                Some(reader.rule(entries))
            })
        });
        Some(rules.collect())
    }

    fn rule(&mut self, entries: Vec<(u32, u32)>) -> Rule {
        let (mut labels, mut weight, mut ramp) = (Vec::new(), None, None);
        for (key, value) in entries {
            let word = self.doc.str(key);
            match word {
                "labels" => labels = self.in_key(word, |reader| reader.labels(value)),
                "share" => weight = self.in_key(word, |reader| reader.weight(value)),
                "ramp" => ramp = self.in_key(word, |reader| reader.ramp(value)),
                _ => {}
            }
        }
        // A ramp without a share goes to all.
        let share = weight.or(ramp.map(|_| BUCKETS)).map(|weight| Share { weight, ramp });
        Rule { labels, share }
    }

    fn labels(&mut self, node: u32) -> Vec<(Box<str>, Test)> {
        let Some(entries) = self.table(node, "a table of labels and what they are to be") else {
            return Vec::new();
        };
        let doc = self.doc;
        let test = |(key, value): (u32, u32)| {
            let test = self.in_key(doc.str(key), |reader| reader.test(value, 0))?;
            Some((doc.str(key).into(), test))
        };
        entries.into_iter().filter_map(test).collect()
    }

    /// A value is what the label is to be, a list is one of several, a table asks for more.
    fn test(&mut self, node: u32, depth: usize) -> Option<Test> {
        match self.doc.kind(node) {
            Kind::Array => self.one_of(node),
            Kind::Table => {
                let entries = self.table(node, "")?;
                if entries.is_empty() || depth > DEPTH {
                    self.wrong(node, "one of `eq`, `in`, `prefix`, `glob`, `semver`, `exists`, `not`");
                    return None;
                }
                let doc = self.doc;
                let tests = entries.into_iter().filter_map(|(key, value)| {
                    let word = doc.str(key);
                    if !TESTS.contains(&word) {
                        self.unknown(key, TESTS);
                        return None;
                    }
                    self.in_key(word, |reader| reader.asked(word, value, depth))
                });
                let mut tests: Vec<Test> = tests.collect();
                if tests.len() == 1 { tests.pop() } else { Some(Test::All(tests)) }
            }
            _ => self.scalar(node).map(|value| Test::Eq(value.into())),
        }
    }

    fn asked(&mut self, word: &str, node: u32, depth: usize) -> Option<Test> {
        match word {
            "in" => self.one_of(node),
            "prefix" => self.text(node).map(|prefix| Test::Prefix(prefix.into())),
            "glob" => self.text(node).map(|pattern| Test::Glob(pattern.into())),
            "exists" => self.boolean(node).map(Test::Exists),
            "not" => self.test(node, depth + 1).map(|test| Test::Not(Box::new(test))),
            "semver" => self.semver(node),
            _ => self.scalar(node).map(|value| Test::Eq(value.into())),
        }
    }

    #[cfg(feature = "semver")]
    fn semver(&mut self, node: u32) -> Option<Test> {
        match self.text(node)?.parse() {
            Ok(requirement) => Some(Test::Semver(requirement)),
            Err(reason) => {
                self.refuse(node, format!("expected a requirement such as \">=2.1, <3\": {reason}"));
                None
            }
        }
    }

    #[cfg(not(feature = "semver"))]
    fn semver(&mut self, node: u32) -> Option<Test> {
        self.refuse(
            node,
            "versions are compared with the feature `semver` of hotconf, which is off".to_owned(),
        );
        None
    }

    fn one_of(&mut self, node: u32) -> Option<Test> {
        if self.doc.kind(node) != Kind::Array {
            self.wrong(node, "a list of values");
            return None;
        }
        let doc = self.doc;
        Some(Test::In(doc.elements(node).filter_map(|one| Some(self.scalar(one)?.into())).collect()))
    }

    fn window(&mut self, node: u32) -> (Option<Moment>, Option<Moment>) {
        let (mut from, mut until) = (None, None);
        for (key, value) in self.table(node, "a table with `from`, `until` or both").unwrap_or_default() {
            match self.doc.str(key) {
                "from" => from = self.in_key("from", |reader| reader.moment(value)),
                "until" => until = self.in_key("until", |reader| reader.moment(value)),
                _ => self.unknown(key, ["from", "until"]),
            }
        }
        (from, until)
    }

    fn ramp(&mut self, node: u32) -> Option<Ramp> {
        let (mut from, mut over) = (None, None);
        let known = self.problems.len();
        for (key, value) in self.table(node, "a table with `from` and `over`")? {
            match self.doc.str(key) {
                "from" => from = self.in_key("from", |reader| reader.moment(value)),
                "over" => over = self.in_key("over", |reader| reader.span(value)),
                _ => self.unknown(key, ["from", "over"]),
            }
        }
        if let (Some(from), Some(over)) = (from, over) {
            return Some(Ramp { from, over });
        }
        if self.problems.len() == known {
            self.refuse(
                node,
                "a ramp has both: `from`, when it begins, and `over`, how long it takes".to_owned(),
            );
        }
        None
    }

    /// A share in per cent, as buckets.
    fn weight(&mut self, node: u32) -> Option<u32> {
        const EXPECTED: &str = "a share in per cent: 0 to 100, with at most three decimals";
        let thousands = match self.doc.kind(node) {
            Kind::Int => self.doc.int(node).checked_mul(1000),
            Kind::Float => thousands(self.doc.float(node)),
            _ => None,
        };
        let weight = thousands.and_then(|n| u32::try_from(n).ok()).filter(|weight| *weight <= BUCKETS);
        if weight.is_none() {
            self.wrong(node, EXPECTED);
        }
        weight
    }

    fn moment(&mut self, node: u32) -> Option<Moment> {
        let is_text = matches!(self.doc.kind(node), Kind::Str | Kind::Text | Kind::Datetime);
        let moment = is_text.then(|| Moment::parse(self.doc.str(node))).flatten();
        if moment.is_none() {
            self.wrong(node, "an instant with its offset, such as 2026-12-01T08:00:00Z");
        }
        moment
    }

    /// Milliseconds, one at least.
    fn span(&mut self, node: u32) -> Option<i64> {
        let span =
            parse_duration(self.text(node)?).ok().and_then(|span| i64::try_from(span.as_millis()).ok());
        let span = span.filter(|millis| *millis > 0);
        if span.is_none() {
            self.wrong(node, "a duration such as \"2h\"");
        }
        span
    }

    fn text(&mut self, node: u32) -> Option<&'d str> {
        let is = matches!(self.doc.kind(node), Kind::Str | Kind::Text);
        if !is {
            self.wrong(node, "a string");
        }
        is.then(|| self.doc.str(node))
    }

    fn boolean(&mut self, node: u32) -> Option<bool> {
        let is = self.doc.kind(node) == Kind::Bool;
        if !is {
            self.wrong(node, "true or false");
        }
        is.then(|| self.doc.bool(node))
    }

    /// A label's value: labels are texts, and numbers and truth values are written plainly.
    fn scalar(&mut self, node: u32) -> Option<String> {
        Some(match self.doc.kind(node) {
            Kind::Str | Kind::Text | Kind::Datetime => self.doc.str(node).to_owned(),
            Kind::Bool => self.doc.bool(node).to_string(),
            Kind::Int => self.doc.int(node).to_string(),
            Kind::Uint => self.doc.uint(node).to_string(),
            _ => {
                self.wrong(node, "a string, an integer or a truth value");
                return None;
            }
        })
    }

    fn table(&mut self, node: u32, expected: &str) -> Option<Vec<(u32, u32)>> {
        let is = self.doc.kind(node) == Kind::Table;
        if !is {
            self.wrong(node, expected);
        }
        is.then(|| self.doc.entries(node).collect())
    }

    fn unknown(&mut self, key: u32, known: impl IntoIterator<Item = &'static str>) {
        let word = self.doc.str(key);
        let hint = did_you_mean(nearest(word, known));
        self.in_key(word, |reader| reader.refuse(key, format!("unknown key{hint}")));
    }

    /// The value at `node` is not what is expected. It is not shown: nobody knows what it was meant to be.
    fn wrong(&mut self, node: u32, expected: &str) {
        let found = match self.doc.kind(node) {
            Kind::Null => "null",
            Kind::Array if self.doc.count(node) == 0 => "an empty list",
            Kind::Table if self.doc.count(node) == 0 => "an empty table",
            Kind::Array => "a list",
            Kind::Table => "a table",
            Kind::Bool => "a truth value",
            Kind::Int | Kind::Uint | Kind::Float => "another number",
            _ => "another text",
        };
        self.refuse(node, format!("expected {expected}, found {found}"));
    }

    fn refuse(&mut self, node: u32, message: String) {
        let problem = Problem::new(ProblemKind::Unknown, self.path.clone(), message);
        self.problems.push(problem.at(self.doc.origin(node)));
    }

    fn in_key<R>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> R) -> R {
        self.within(&format!(".{key}"), work)
    }

    fn within<R>(&mut self, part: &str, work: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path.push_str(part);
        let result = work(self);
        self.path.truncate(length);
        result
    }
}

/// A number of per cent with at most three decimals, in thousandths.
fn thousands(percent: f64) -> Option<i64> {
    let exact = percent * 1000.0;
    let rounded = exact.round();
    let fits = (0.0..=f64::from(BUCKETS)).contains(&rounded) && (exact - rounded).abs() < 1e-6;
    // It lies between 0 and 100 000.
    #[allow(clippy::cast_possible_truncation)]
    fits.then_some(rounded as i64)
}

#[cfg(all(test, feature = "toml"))]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::grey::Instance;

    fn read_toml(text: &str) -> (Vec<Overlay>, Vec<String>) {
        let doc = crate::format::parse(Format::Toml, "app.toml", text.as_bytes()).unwrap();
        let at = |node: u32, key: &str| doc.entries(node).find(|&(k, _)| doc.str(k) == key).map(|(_, v)| v);
        let list = at(Document::ROOT, "hotconf").and_then(|table| at(table, "when")).unwrap();
        let (overlays, problems) = read(&doc, list);
        (overlays, problems.iter().map(ToString::to_string).collect())
    }

    fn holds(text: &str, here: &Instance, now: &str) -> bool {
        let (overlays, problems) = read_toml(text);
        assert!(problems.is_empty(), "{problems:?}");
        overlays[0].scope.outcome(here, Moment::parse(now).unwrap()).holds
    }

    #[test]
    fn everything_that_a_rule_may_ask_for_is_read() {
        let text = r#"
            [[hotconf.when]]
            name = "pool"
            salt = "2026"
            window = { from = 2026-12-01T00:00:00Z, until = "2026-12-31T00:00:00Z" }
            any = [
                { labels = { zone = ["eu-1", "eu-2"], tier = { prefix = "w", not = "web-0" }, old = { exists = false } }, share = 100 },
                { labels = { shard = 7, build = { glob = "*-rc?" } } },
            ]
            set = { retries = 5 }
        "#;
        let at = "2026-12-24T00:00:00Z";
        let here = Instance::of("a").label("zone", "eu-2").label("tier", "web-1");
        assert!(holds(text, &here, at));
        assert!(!holds(text, &here.clone().label("old", ""), at));
        assert!(!holds(text, &here.clone().label("tier", "web-0"), at));
        assert!(!holds(text, &here, "2027-01-01T00:00:00Z"));
        assert!(holds(text, &Instance::anonymous().label("shard", "7").label("build", "1-rc2"), at));
    }

    #[test]
    fn every_mistake_is_told_at_its_place() {
        let (overlays, problems) = read_toml(
            r#"
[[hotconf.when]]
name = "a"
share = 101
lables = { zone = "eu" }
set = { x = 1 }
[[hotconf.when]]
labels = { zone = { perfix = "eu" }, host = [[]], x = {} }
window = { from = 2026-12-02T00:00:00Z, until = 2026-12-01T00:00:00Z }
share = 0.0005
[[hotconf.when]]
name = "c"
ramp = { from = "tomorrow" }
any = []
set = 1
[[hotconf.when]]
name = "d"
set = {}
[[hotconf.when]]
name = "d"
set = {}
"#,
        );
        assert_eq!(overlays.len(), 1);
        assert_eq!(
            problems,
            [
                "`hotconf.when[0].lables` at app.toml:5:1: unknown key, did you mean `labels`?",
                "`hotconf.when[0].share` at app.toml:4:9: expected a share in per cent: 0 to 100, with at most three decimals, found another number",
                "`hotconf.when[1].labels.zone.perfix` at app.toml:8:21: unknown key, did you mean `prefix`?",
                "`hotconf.when[1].labels.host` at app.toml:8:46: expected a string, an integer or a truth value, found an empty list",
                "`hotconf.when[1].labels.x` at app.toml:8:55: expected one of `eq`, `in`, `prefix`, `glob`, `semver`, `exists`, `not`, found an empty table",
                "`hotconf.when[1].share` at app.toml:10:9: expected a share in per cent: 0 to 100, with at most three decimals, found another number",
                "`hotconf.when[1]` at app.toml:7:1: its window ends before it begins",
                "`hotconf.when[1]` at app.toml:7:1: `name` is missing",
                "`hotconf.when[1]` at app.toml:7:1: `set` is missing",
                "`hotconf.when[2].any` at app.toml:14:7: expected a list of rules, of which the first that takes an instance decides, found an empty list",
                "`hotconf.when[2].set` at app.toml:15:7: expected a table of settings, found another number",
                "`hotconf.when[2].ramp.from` at app.toml:13:17: expected an instant with its offset, such as 2026-12-01T08:00:00Z, found another text",
                "`hotconf.when` at app.toml:19:1: there are two overlays of the name `d`; shares are drawn by it",
            ]
        );
    }

    #[test]
    fn shares_are_exact_to_a_thousandth_of_a_per_cent() {
        assert_eq!(thousands(12.345), Some(12_345));
        assert_eq!(thousands(0.1 + 0.2), Some(300));
        assert_eq!(thousands(100.0), Some(100_000));
        for wrong in [0.0004, 100.001, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(thousands(wrong), None, "{wrong}");
        }
    }
}
