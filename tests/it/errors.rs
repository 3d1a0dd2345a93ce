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
        [
            "`retries`: required, and no source sets it; `retires` at job.toml:1:1 is unknown and looks like it (looked in job.toml)"
        ]
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
    assert!(error.to_string().contains("`retires` at job.toml:1:1 is unknown and looks like it"), "{error}");
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

#[test]
fn a_number_that_cannot_be_read_has_its_key_and_hides_no_other_problem() {
    let error = refused("n = inf\ntimeout = 3\n[weights]\n\"a b\" = 99999999999999999999\n");
    let mut told: Vec<_> = error.problems().iter().map(|p| (p.path(), p.kind())).collect();
    told.sort_by_key(|(path, _)| *path);
    assert_eq!(
        told,
        [
            ("n", ProblemKind::Type),
            ("retries", ProblemKind::Missing),
            ("timeout", ProblemKind::Type),
            ("weights.\"a b\"", ProblemKind::Type),
        ],
        "{error:?}"
    );
}

#[test]
fn a_number_that_cannot_be_read_is_not_missing_besides() {
    let json = Inline::json("job.json", "{\"retries\": 99999999999999999999}");
    let error = Hot::<Job>::builder().source(json).read().expect_err("it is too large");
    assert_eq!(error.problems().len(), 1, "{error:?}");
    let mounted = Inline::yaml("job.yaml", "all: {job: {retries: .inf}}").at("all.job");
    let error = Hot::<Job>::builder().source(mounted).read().expect_err("it is not finite");
    assert_eq!(error.problems().len(), 1, "{error:?}");
    assert_eq!(error.problems()[0].path(), "retries");
}

#[test]
fn an_argument_that_means_nothing_hides_no_type_error() {
    let args = Args::new(["--set", "retries=x", "--set", "nn=1", "--set", "timeout"]);
    let error = Hot::<Job>::builder().source(args).read().expect_err("three are wrong");
    assert_eq!(error.problems().len(), 3, "{error:?}");
}

#[test]
fn a_variable_that_is_refused_hides_no_type_error_and_is_not_missing() {
    let env = Env::from_iter("JOB", [("JOB_RETRIES", "tcp://10.0.0.1:80"), ("JOB_TIMEOUT", "x")]);
    let error = Hot::<Job>::builder().source(env).read().expect_err("both are wrong");
    let mut paths: Vec<_> = error.problems().iter().map(hotconf::Problem::path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["retries", "timeout"], "{error:?}");
}

#[test]
fn a_reload_with_a_bad_number_is_refused_as_a_whole() {
    let (source, hand) = Inline::channel("job.toml", hotconf::Format::Toml, "retries = 3");
    let config = Hot::<Job>::builder().source(source).blocking_start().expect("it is valid");
    hand.set("retries = 4\nn = nan");
    let error = config.blocking_reload().expect_err("it is not a number");
    assert_eq!(
        told(&error),
        ["`n` at job.toml:2:5: expected a finite number, found one that is not or is too large"]
    );
    assert_eq!(config.load().retries, 3);
}

#[test]
fn a_file_that_is_not_there_names_the_remedy() {
    let dir = Dir::new();
    let error =
        Hot::<Job>::builder().source(File::new(dir.path().join("none.toml"))).read().expect_err("none");
    assert!(error.to_string().contains("does not exist; say `.optional()` if it may be missing"), "{error}");
}

#[test]
fn a_file_of_nul_bytes_is_told_as_one_that_was_cut_off() {
    let error = refused("retries = 3\n\0\0\0");
    assert_eq!(
        told(&error),
        ["job.toml:2:1: expected text, found NUL bytes: was the file cut off by a crash?"]
    );
}

#[test]
fn one_slip_is_one_problem() {
    for slip in
        ["password = [[", "password = \"abc", "password = hunter2 hunter3", "[weights\n", "password = {a"]
    {
        let error = refused(&format!("retries = 3\n{slip}\ntimeout = \"1s\"\n[weights]\na = 1.0\nb = 2.0\n"));
        assert_eq!(error.problems().len(), 1, "{slip}: {error:?}");
    }
    let two = refused("retries = = 3\ntimeout = \"1s\"\n[weights]\na = 1.0\nb = x y\n");
    assert_eq!(two.problems().len(), 2, "{two:?}");
}

#[test]
fn a_part_or_a_directory_that_says_nothing_is_warned_of_unless_it_is_optional() {
    let dir = Dir::new();
    let warnings = |source: Box<dyn Fn() -> hotconf::Builder<Plain>>| {
        let loaded = source().read().expect("all have defaults");
        loaded.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let text = || Inline::toml("all.toml", "[other]\nx = 1");
    let at = warnings(Box::new(move || Hot::builder().source(text().at("worker"))));
    assert!(at[0].starts_with("all.toml: `worker` is not in it"), "{at:?}");
    assert!(warnings(Box::new(move || Hot::builder().source(text().at("worker").optional()))).is_empty());
    assert!(warnings(Box::new(move || Hot::builder().source(text().optional().at("worker")))).is_empty());
    let env = || Env::from_iter("X", [("HOME", "/")]);
    assert!(warnings(Box::new(move || Hot::builder().source(env().at("worker")))).is_empty());
    let path = dir.path().to_owned();
    let same = path.clone();
    let empty = warnings(Box::new(move || Hot::builder().source(File::new(&path))));
    assert!(empty[0].contains("is a directory without any file"), "{empty:?}");
    assert!(warnings(Box::new(move || Hot::builder().source(File::new(&same).optional()))).is_empty());
}

#[derive(Clone, Debug, HotConf)]
struct Plain {
    #[hotconf(default)]
    threads: u32,
    #[hotconf(default)]
    deep: Vec<Vec<u32>>,
}

#[test]
fn depth_and_nodes_of_a_document_are_the_builders_to_limit() {
    let build = || Hot::<Plain>::builder().source(Inline::toml("p.toml", "threads = 1\ndeep = [[1, 2]]"));
    let plain = build().max_depth(3).max_nodes(20).read().expect("it is within both");
    assert_eq!((plain.threads, plain.deep.len()), (1, 1));
    assert!(build().max_depth(2).read().expect_err("three").to_string().contains("at most 2 deep"));
    assert!(build().max_nodes(3).read().expect_err("more").to_string().contains("at most 3 keys"));
}

/// The part of the README's shop that its errors are about.
#[derive(Clone, Debug, HotConf)]
struct Shop {
    #[hotconf(nested)]
    http: Http,
}

#[derive(Clone, Debug, HotConf)]
struct Http {
    #[hotconf(default = "5s", range = "1ms..=10m")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
}

#[test]
fn the_error_in_the_readme_is_what_is_printed() {
    let good =
        |retries: u32| format!("# Settings of the shop.\n\n[http]\ntimeout = \"2s\"\nretries = {retries}\n");
    let (source, hand) = Inline::channel("shop.toml", hotconf::Format::Toml, good(1));
    let config =
        Hot::<Shop>::builder().source(source).deny_unknown_keys().blocking_start().expect("it is valid");
    for n in 2..=41 {
        hand.set(good(n));
        config.blocking_reload().expect("it is valid");
    }
    hand.set(good(5).replace("2s", "3h").replace("retries", "retires"));
    let error = config.blocking_reload().expect_err("two mistakes");
    let printed = format!("{error:?}");
    assert!(include_str!("../../README.md").contains(&format!("```text\n{printed}\n```")), "{printed}");
}
