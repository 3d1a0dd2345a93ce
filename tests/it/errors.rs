//! What errors say: every problem in one pass, each with its place and its remedy, and no secret.

use crate::support::Dir;
use hotconf::{Args, Env, Error, File, Hot, HotConf, Inline, ProblemKind, Secret, SourceExt};
use std::collections::HashMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Job {
    #[hotconf(range = "1..=10_000")]
    retries: u32,
    #[hotconf(alias = "n", default = 1.0)]
    factor: f64,
    timeout: Option<Duration>,
    #[hotconf(default)]
    weights: HashMap<String, f64>,
    password: Option<Secret<String>>,
}

fn refused(text: &str) -> Error {
    Hot::<Job>::builder().source(Inline::toml("job.toml", text)).read().expect_err(text)
}

fn told(error: &Error) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_mistyped_key_explains_the_setting_that_is_missing() {
    let error = refused("retires = 3\n");
    assert_eq!(
        told(&error),
        ["`retries`: required, and no source sets it; `retires` at job.toml:1:1 is unknown: is it meant?"]
    );
    assert_eq!(error.warnings().len(), 1);
    assert_eq!(error.warnings()[0].kind(), ProblemKind::Unknown);
    let report = format!("{error:?}");
    assert!(report.starts_with("1 problem in"), "{report}");
    assert!(report.contains("\n  warning: retires: unknown key, did you mean `retries`?"), "{report}");
}

#[test]
fn a_refused_reload_carries_the_warnings_too() {
    let (source, hand) = Inline::channel("job.toml", hotconf::Format::Toml, "retries = 3");
    let config = Hot::<Job>::builder().source(source).blocking_start().expect("it is valid");
    hand.set("retires = 4");
    let error = config.blocking_reload().expect_err("`retries` is missing");
    assert!(error.to_string().contains("`retires` at job.toml:1:1 is unknown: is it meant?"), "{error}");
    assert_eq!(error.warnings().len(), 1);
}

#[test]
fn a_variable_that_means_nothing_is_told_with_the_refusal() {
    let env = Env::from_iter("JOB", [("JOB_RETIRES", "3")]);
    let error = Hot::<Job>::builder().source(env).read().expect_err("`retries` is missing");
    assert!(format!("{error:?}").contains("did you mean JOB_RETRIES?"), "{error:?}");
}

#[test]
fn a_secret_of_a_wrong_type_says_what_was_expected() {
    let error = refused("retries = 3\npassword = 271828\n");
    let message = error.problems()[0].message();
    assert_eq!(message, "expected a string (the value is not shown: secret)");
    assert!(!format!("{error:?}").contains("271828"));
}

#[test]
fn the_report_says_where_and_what_is_hidden_but_not_that_none_is() {
    let error = refused("retries = 3\ntimeout = \"fast\"\nn = \"x\"");
    let report = format!("{error:?}");
    assert!(report.contains("\n      at      job.toml:2:11"), "{report}");
    assert!(report.contains("\n      hides   default 1.0"), "{report}");
    assert!(!report.contains("none"), "{report}");
    let timeout = error.problems().iter().find(|p| p.path() == "timeout").expect("it is told");
    assert!(timeout.hides().is_empty());
    assert!(timeout.excerpt().is_some_and(|line| line.contains("timeout = \"fast\"")));
}
