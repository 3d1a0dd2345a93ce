//! Whether an overlay holds on an instance at an instant, why, and until when.
//!
//! An overlay has rules: the first whose labels all pass decides, by its share. A ramp lets the share grow evenly
//! from nothing; who is in at an instant stays in. A window bounds it all in time.

use super::bucket::{BUCKETS, bucket};
use super::instance::Instance;
use super::moment::Moment;
use super::test::Test;
use std::sync::Arc;

/// Which instances an overlay is for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scope {
    /// Its name, by which its share is drawn too.
    pub(super) name: Arc<str>,
    pub(super) salt: Box<str>,
    pub(super) off: bool,
    pub(super) from: Option<Moment>,
    pub(super) until: Option<Moment>,
    /// There is one at least.
    pub(super) rules: Vec<Rule>,
}

/// The first rule whose labels all pass decides.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Rule {
    pub(super) labels: Vec<(Box<str>, Test)>,
    pub(super) share: Option<Share>,
}

/// A part of the instances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    /// How many of the buckets.
    pub(super) weight: u32,
    pub(super) ramp: Option<Ramp>,
}

/// How a share comes to its weight: evenly from nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ramp {
    pub(super) from: Moment,
    /// Milliseconds.
    pub(super) over: i64,
}

/// Whether an overlay holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) holds: bool,
    /// The instant at which that changes by itself; none where it does not.
    pub(crate) flips: Option<Moment>,
}

impl Outcome {
    const NEVER: Self = Self { holds: false, flips: None };
}

impl Scope {
    /// What its name is.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether it holds on `here` at `now`. Allocates nothing.
    pub(crate) fn outcome(&self, here: &Instance, now: Moment) -> Outcome {
        if self.off {
            return Outcome::NEVER;
        }
        let Some(rule) = self.rules.iter().find(|rule| rule.takes(here)) else { return Outcome::NEVER };
        let Some(joins) = self.joins(rule.share, here) else { return Outcome::NEVER };
        let begins = self.from.map_or(joins, |from| from.max(joins));
        match self.until {
            Some(until) if now >= until || begins >= until => Outcome::NEVER,
            _ if now < begins => Outcome { holds: false, flips: Some(begins) },
            until => Outcome { holds: true, flips: until },
        }
    }

    /// From when on the instance is in the share; none where it never is.
    fn joins(&self, share: Option<Share>, here: &Instance) -> Option<Moment> {
        let Some(Share { weight, ramp }) = share else { return Some(Moment::EVER) };
        // All of them are all, whether or not they have an identity, but not before their time.
        let place = match here.id() {
            Some(id) => bucket(&self.salt, &self.name, id),
            None if weight == BUCKETS => BUCKETS - 1,
            None => return None,
        };
        (place < weight).then(|| ramp.map_or(Moment::EVER, |ramp| ramp.reaches(place, weight)))
    }

    /// Why it holds or does not, as a sentence: `rule 2 decides: bucket 4711 is within 10 % of 100 000`.
    pub(crate) fn why(&self, here: &Instance, now: Moment) -> String {
        if self.off {
            return "it is off".to_owned();
        }
        let Some((number, rule)) = self.rules.iter().enumerate().find(|(_, rule)| rule.takes(here)) else {
            let missed: Vec<String> = self.rules.iter().filter_map(|rule| rule.misses(here)).collect();
            return missed.join("; ");
        };
        let mut parts = Vec::new();
        if self.rules.len() > 1 {
            parts.push(format!("rule {} decides", number + 1));
        }
        if !rule.labels.is_empty() {
            let labels = rule.labels.iter().map(|(name, _)| match here.get(name) {
                Some(value) => format!("label `{name}` is {value:?}"),
                None => format!("there is no label `{name}`"),
            });
            parts.extend(labels);
        }
        if let Some(share) = rule.share {
            parts.push(self.why_share(share, here, now));
        }
        for (bound, word, passed) in [(self.from, "from", true), (self.until, "until", false)] {
            let Some(bound) = bound else { continue };
            let place = if (now >= bound) == passed { "within" } else { "outside of" };
            parts.push(format!("it is {now}, {place} its window {word} {bound}"));
        }
        if parts.is_empty() { "it asks for nothing".to_owned() } else { parts.join(", ") }
    }

    fn why_share(&self, share: Share, here: &Instance, now: Moment) -> String {
        let percent = percent(share.weight);
        let Some(place) = here.bucket(&self.salt, &self.name) else {
            return match self.joins(Some(share), here) {
                Some(_) => format!("{percent} % are all"),
                None => {
                    format!("an instance without an identity is in no share, and this is one of {percent} %")
                }
            };
        };
        match (place < share.weight, share.ramp) {
            (false, _) => format!("bucket {place} is not within {percent} % of {BUCKETS}"),
            (true, None) => format!("bucket {place} is within {percent} % of {BUCKETS}"),
            (true, Some(ramp)) => {
                let at = ramp.reaches(place, share.weight);
                let word = if now >= at { "reached" } else { "will reach" };
                format!("its ramp to {percent} % {word} bucket {place} at {at}")
            }
        }
    }
}

impl Rule {
    fn takes(&self, here: &Instance) -> bool {
        self.labels.iter().all(|(name, test)| test.passes(here.get(name)))
    }

    /// The first label that does not pass.
    fn misses(&self, here: &Instance) -> Option<String> {
        let (name, test) = self.labels.iter().find(|(name, test)| !test.passes(here.get(name)))?;
        Some(match here.get(name) {
            Some(found) => format!("label `{name}` is {found:?}, expected {test}"),
            None => format!("there is no label `{name}`, expected {test}"),
        })
    }
}

impl Ramp {
    /// The first instant at which it is above `place`, which is below `weight`.
    ///
    /// `place < weight × elapsed / over`, in integers.
    fn reaches(self, place: u32, weight: u32) -> Moment {
        let elapsed = i128::from(place) * i128::from(self.over) / i128::from(weight) + 1;
        // A place below the weight is reached within the ramp.
        self.from.plus(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }
}

/// A weight in per cent, without zeros that say nothing.
fn percent(weight: u32) -> String {
    let text = format!("{}.{:03}", weight / 1000, weight % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(percent: u32) -> Share {
        Share { weight: percent * 1000, ramp: None }
    }

    fn scope(rules: Vec<Rule>) -> Scope {
        Scope { name: "canary".into(), salt: "".into(), off: false, from: None, until: None, rules }
    }

    fn of(labels: &[(&str, Test)], share: Option<Share>) -> Rule {
        Rule { labels: labels.iter().map(|(name, test)| ((*name).into(), test.clone())).collect(), share }
    }

    fn holds(scope: &Scope, here: &Instance, now: i64) -> bool {
        scope.outcome(here, Moment(now)).holds
    }

    fn eq(value: &str) -> Test {
        Test::Eq(value.into())
    }

    #[test]
    fn labels_of_a_rule_must_all_pass_and_the_first_rule_that_takes_an_instance_decides() {
        let eu = of(&[("zone", eq("eu")), ("tier", eq("web"))], Some(share(0)));
        let all = of(&[("tier", eq("web"))], None);
        let scope = scope(vec![eu, all]);
        let here = |zone: &str, tier: &str| Instance::of("x").label("zone", zone).label("tier", tier);
        assert!(!holds(&scope, &here("eu", "web"), 0), "the first decides, and its share is empty");
        assert!(holds(&scope, &here("us", "web"), 0));
        assert!(!holds(&scope, &here("eu", "db"), 0));
        assert_eq!(
            scope.why(&here("eu", "db"), Moment(0)),
            "label `tier` is \"db\", expected \"web\"; label `tier` is \"db\", expected \"web\""
        );
    }

    #[test]
    fn raising_a_share_only_adds_and_lowering_it_takes_the_last_ones() {
        let ids: Vec<Instance> = (0..2_000).map(|n| Instance::of(format!("pod-{n}"))).collect();
        let mut before = vec![false; ids.len()];
        for percent in 0..=100 {
            let scope = scope(vec![of(&[], Some(share(percent)))]);
            let now: Vec<bool> = ids.iter().map(|id| holds(&scope, id, 0)).collect();
            assert!(before.iter().zip(&now).all(|(before, now)| !before || *now), "{percent}");
            before = now;
        }
        assert!(before.iter().all(|is| *is), "100 % are all");
    }

    #[test]
    fn who_has_no_identity_is_in_no_share_but_in_all() {
        let nobody = Instance::anonymous();
        assert!(!holds(&scope(vec![of(&[], Some(share(99)))]), &nobody, 0));
        assert!(holds(&scope(vec![of(&[], Some(share(100)))]), &nobody, 0));
        assert!(holds(&scope(vec![of(&[], None)]), &nobody, 0));
    }

    #[test]
    fn a_ramp_names_the_instant_at_which_this_instance_flips() {
        let ramp = Ramp { from: Moment(1_000), over: 3_600_000 };
        let scope = scope(vec![of(&[], Some(Share { weight: 50_000, ramp: Some(ramp) }))]);
        let (mut inside, mut flips) = (0, Vec::new());
        for n in 0..1_000 {
            let here = Instance::of(format!("pod-{n}"));
            let begin = scope.outcome(&here, Moment(0));
            assert!(!begin.holds);
            let Some(flip) = begin.flips else { continue };
            assert!(!scope.outcome(&here, Moment(flip.0 - 1)).holds);
            assert_eq!(scope.outcome(&here, flip), Outcome { holds: true, flips: None });
            assert!(flip.0 <= 3_601_000, "the whole share is in when the ramp is through");
            inside += 1;
            flips.push(flip.0);
        }
        assert!((400..600).contains(&inside));
        flips.sort_unstable();
        assert!(flips[inside / 2].abs_diff(1_801_000) < 300_000, "evenly: {}", flips[inside / 2]);
    }

    #[test]
    fn a_window_opens_and_closes() {
        let mut scope = scope(vec![of(&[], None)]);
        (scope.from, scope.until) = (Some(Moment(10)), Some(Moment(20)));
        let at = |now| scope.outcome(&Instance::anonymous(), Moment(now));
        assert_eq!(at(9), Outcome { holds: false, flips: Some(Moment(10)) });
        assert_eq!(at(10), Outcome { holds: true, flips: Some(Moment(20)) });
        assert_eq!(at(20), Outcome::NEVER);
    }

    #[test]
    fn a_rule_that_is_off_holds_nowhere() {
        let mut scope = scope(vec![of(&[], None)]);
        scope.off = true;
        assert_eq!(scope.outcome(&Instance::of("x"), Moment(0)), Outcome::NEVER);
        assert_eq!(scope.why(&Instance::of("x"), Moment(0)), "it is off");
    }
}
