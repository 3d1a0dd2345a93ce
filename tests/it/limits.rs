//! Limits of a document, through the public API: size, depth, and keys after aliases. Each is held in every
//! format, says its number, costs little, and the next good document is followed.

use crate::support::{Dir, applied, rejected, replace, until, wait_for};
use hotconf::{Event, File, Format, Hot, HotConf, Inline, InlineHandle, SourceState};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, HotConf)]
struct App {
    #[hotconf(default = 1)]
    n: u64,
    #[hotconf(default = "")]
    text: String,
    #[hotconf(default)]
    deep: Vec<Vec<Vec<u64>>>,
    #[hotconf(default)]
    wide: HashMap<String, Vec<u64>>,
}

const FORMATS: [Format; 3] = [Format::Toml, Format::Yaml, Format::Json];

fn live(format: Format) -> (Hot<App>, InlineHandle) {
    let (source, handle) = Inline::channel("app", format, good(format, 1));
    (Hot::builder().source(source).blocking_start().expect("the first load"), handle)
}

fn good(format: Format, n: u64) -> String {
    match format {
        Format::Toml => format!("n = {n}"),
        Format::Yaml => format!("n: {n}"),
        _ => format!("{{\"n\": {n}}}"),
    }
}

/// A document with `value`, which is written alike in all three formats, under `key`.
fn with(format: Format, key: &str, value: &str) -> String {
    match format {
        Format::Toml => format!("{key} = {value}"),
        Format::Yaml => format!("{key}: {value}"),
        _ => format!("{{\"{key}\": {value}}}"),
    }
}

/// Sets `text`, which is refused in bounded time with a message that contains `says`; then all is well again.
fn refused(config: &Hot<App>, handle: &InlineHandle, format: Format, text: String, says: &str) {
    let begun = Instant::now();
    let version = config.version();
    handle.set(text);
    let error = config.blocking_reload().expect_err(says).to_string();
    assert!(error.contains(says) && error.len() < 1000, "{format:?}: {error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{format:?}: {:?}", begun.elapsed());
    assert_eq!(config.version(), version);
    handle.set(good(format, version + 1));
    assert_eq!(config.blocking_reload().expect("good again"), version + 1);
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn a_document_that_is_too_deep_is_refused_in_every_format() {
    for format in FORMATS {
        let (config, handle) = live(format);
        // The root counts as one. The parser of TOML goes no deeper than 80.
        let (most, says) = match format {
            Format::Toml => (80, "at most 80 deep"),
            _ => (127, "at most 128 deep"),
        };
        for depth in [most + 1, 1000, 100_000] {
            refused(&config, &handle, format, with(format, "deep", &nested(depth)), says);
        }
        // What is not too deep is judged by its type: the limit is no stricter than it says.
        handle.set(with(format, "deep", &nested(most)));
        let error = config.blocking_reload().expect_err("lists in lists").to_string();
        assert!(error.contains("expected a whole number"), "{format:?}: {error}");
    }
}

#[test]
fn a_document_of_too_many_keys_is_refused() {
    // In YAML it takes an alias to get there in a moment: see the next test.
    let many = format!("[{}0]", "0,".repeat(1_000_001));
    for format in [Format::Toml, Format::Json] {
        let (config, handle) = live(format);
        refused(&config, &handle, format, with(format, "wide", &many), "at most 1000000 keys");
    }
}

#[test]
fn one_anchor_that_is_used_thousands_of_times_is_refused() {
    let (config, handle) = live(Format::Yaml);
    // No alias within an alias: ten thousand times the same two hundred numbers.
    let one = vec!["7"; 200].join(",");
    let mut text = format!("wide:\n  a: &a [{one}]\n");
    for n in 0..10_000 {
        let _ = writeln!(text, "  b{n}: *a");
    }
    assert!(text.len() < 200_000, "it is small: {}", text.len());
    refused(&config, &handle, Format::Yaml, text, "at most 1000000 keys");
    // And the laughs: each of twenty refers twice to the one before.
    let mut text = "x0: &x0 [1, 1]\n".to_owned();
    for n in 1..30 {
        let _ = writeln!(text, "x{n}: &x{n} [*x{}, *x{}]", n - 1, n - 1);
    }
    refused(&config, &handle, Format::Yaml, text, "at most 1000000 keys");
}

#[test]
fn an_anchor_that_is_used_within_the_limit_is_honoured() {
    let (config, handle) = live(Format::Yaml);
    handle.set("wide:\n  a: &a [1, 2]\n  b: *a\n  c: *a\n");
    config.blocking_reload().expect("three lists");
    assert_eq!(config.load().wide["c"], [1, 2]);
}

#[test]
fn a_string_of_twenty_megabytes_is_refused_and_one_below_the_limit_is_taken() {
    for format in FORMATS {
        let (config, handle) = live(format);
        let text = |bytes: usize| with(format, "text", &format!("\"{}\"", "x".repeat(bytes)));
        refused(&config, &handle, format, text(20_000_000), "at most 16777216 bytes");
        handle.set(text(1_000_000));
        config.blocking_reload().expect("it is within the limit");
        assert_eq!(config.load().text.len(), 1_000_000);
    }
}

/// Kibibytes that are held in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: 0");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[test]
fn a_file_of_a_hundred_megabytes_is_refused_without_being_read_and_recovered_from() {
    crate::support::alone(
        "limits::a_file_of_a_hundred_megabytes_is_refused_without_being_read_and_recovered_from",
        || {
            let dir = Dir::new();
            let path = dir.file("app.toml", "n = 1");
            let grow = |path: &Path| {
                let beside = path.with_extension("tmp~");
                let file = std::fs::File::create(&beside).expect("a file");
                file.set_len(100_000_000).expect("a hole");
                std::fs::rename(beside, path).expect("a rename");
            };
            let config = Hot::<App>::builder().source(File::new(&path)).blocking_start().expect("loaded");
            let mut events = config.events();
            let before = resident();
            grow(&path);
            let told =
                wait_for(&mut events, "refusal", |e| matches!(e, Event::SourceDown(_) | Event::Rejected(_)));
            assert!(
                told.to_string().contains("limit for a document is 16777216")
                    && told.to_string().contains("app.toml"),
                "{told}"
            );
            assert!(resident() < before + 10_000, "{before} KiB, then {} KiB", resident());
            assert_eq!(config.load().n, 1);
            replace(&path, "n = 2");
            assert_eq!(applied(&mut events).version(), 2);
            until("well again", || config.status().is_healthy());
            grow(&path);
            until("down again", || config.status().sources[0].state != SourceState::Following);
            config.blocking_shutdown(Duration::from_secs(5)).expect("calm");
            let start = Hot::<App>::builder().source(File::new(&path)).blocking_start();
            assert!(start.expect_err("too large").to_string().contains("limit for a document is 16777216"));
        },
    );
}

#[test]
fn a_limit_of_the_builder_holds_for_a_change_too() {
    let dir = Dir::new();
    let path = dir.file("app.yaml", "n: 1");
    let config = Hot::<App>::builder()
        .max_depth(3)
        .max_nodes(10)
        .source(File::new(&path))
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    replace(&path, "deep: [[[1]]]");
    assert!(rejected(&mut events).to_string().contains("at most 3 deep"));
    replace(&path, "wide: {a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}");
    assert!(rejected(&mut events).to_string().contains("at most 10 keys"));
    replace(&path, "n: 2");
    assert_eq!(applied(&mut events).version(), 2);
}
