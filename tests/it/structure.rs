//! The shape of the code, read from its text: who may know whom, and how long a file may grow.
//!
//! What lives here reads source files and runs nothing of them. The stage order is the one in
//! `hotconf/src/lib.rs`; a test that fails names file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The stages from left to right. A stage imports from those to its left; the stages in one row do
/// not know each other, except in the first, whose parts are the words that all others share.
const STAGES: &[&[&str]] = &[
    &["blocking", "error", "named", "origin", "race", "secret", "sync", "units"],
    &["value"],
    &["format", "schema"],
    &["grey"],
    &["source", "layer", "diff"],
    &["load"],
    &["publish"],
    &["subscribe"],
    &["control"],
    &["observe"],
    &["engine"],
    &["builder", "hot", "view", "private"],
];

/// The one file, or the folder of that name, in which each third-party crate may be named, below `hotconf/src`.
const ONE_PLACE: &[(&str, &str)] = &[
    ("notify", "engine/watcher.rs"),
    ("arc_swap", "publish/cell.rs"),
    ("toml", "format/toml.rs"),
    ("granit_parser", "format/yaml.rs"),
    ("clap", "source/clap.rs"),
    ("semver", "grey/test.rs"),
    ("chacha20poly1305", "source/remote/cache/seal.rs"),
    ("tracing", "observe/trace.rs"),
    ("bytes", "source/remote/etcd.rs"),
    ("h2", "source/remote/etcd.rs"),
    ("hyper", "source/remote/net.rs"),
    ("ring", "source/remote/nats/credentials.rs"),
    ("rustls_native_certs", "source/remote/net.rs"),
    ("rustls_pki_types", "source/remote/net.rs"),
    ("socket2", "source/remote/net.rs"),
    ("tokio_rustls", "source/remote/net.rs"),
];

/// What stands at the top of the repository, besides dotfiles and cargo's `target`.
const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "DESIGN.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "examples",
    "hotconf",
    "hotconf-derive",
    "tests",
];

#[test]
fn stages_import_only_from_their_left() {
    let mut wrong = Vec::new();
    // Tests may set up what lies to their right.
    for file in runtime().into_iter().filter(|file| !file.is_tests()) {
        let module = file.module();
        let Some(own) = rank(&module[0]) else {
            if module[0] != "lib" {
                wrong.push(format!("{}: `{}` is no stage", file.name, module[0]));
            }
            continue;
        };
        if own + 1 == STAGES.len() {
            continue;
        }
        for (line, target) in file.imports() {
            let allowed =
                target == module[0] || rank(&target).is_some_and(|other| other < own || other + own == 0);
            if !allowed {
                wrong.push(format!("{}:{line}: `{}` may not know `{target}`", file.name, module[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "imports run one way:\n{}", wrong.join("\n"));
}

#[test]
fn each_third_party_crate_is_named_in_one_place() {
    let mut wrong = Vec::new();
    for file in runtime() {
        for (name, place) in ONE_PLACE {
            let folder = place.replace(".rs", "/");
            if file.name != *place && !file.name.starts_with(&folder) {
                wrong.extend(file.names_crate(name).map(|line| format!("{}:{line}: `{name}`", file.name)));
            }
        }
    }
    assert!(wrong.is_empty(), "named outside their place:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_derives_root_names_proc_macro() {
    for file in sources("hotconf-derive/src") {
        let lines: Vec<_> = file.names_crate("proc_macro").collect();
        assert!(file.name == "lib.rs" || lines.is_empty(), "{} names proc_macro in {lines:?}", file.name);
    }
}

/// No test can see a lock that nobody holds: what a read runs is looked at instead.
#[test]
fn what_a_read_runs_names_no_lock() {
    for file in runtime() {
        if ["publish/cell.rs", "publish/reader.rs", "publish/live.rs"].contains(&&*file.name) {
            let text = blanked(file.before_tests());
            for lock in ["Mutex", "RwLock", "Condvar", "OnceLock", "lock("] {
                assert!(!text.contains(lock), "{} names `{lock}`", file.name);
            }
        }
    }
}

/// A clock that is set must move no deadline: the wall clock dates versions, and is held against a file's times.
#[test]
fn the_wall_clock_is_read_only_to_date_versions_and_files() {
    const READERS: [&str; 8] = [
        "engine/bench.rs",
        "engine/clock.rs", // overlays have a time
        "engine/install.rs",
        "engine/first.rs",
        "publish/snapshot.rs",
        "source/file/clockwork.rs", // a test, in a file of its own
        "source/file/piece.rs",
        "source/remote/cache/keeper.rs",
    ];
    for file in runtime().into_iter().filter(|file| !file.is_tests()) {
        let reads = file.before_tests().contains("SystemTime::now()");
        assert!(!reads || READERS.contains(&&*file.name), "{} reads the wall clock", file.name);
    }
}

#[test]
fn every_file_says_first_what_it_holds() {
    for file in all() {
        assert!(file.text.starts_with("//!"), "{} does not begin with `//!`", file.name);
    }
}

#[test]
fn no_file_is_longer_than_500_lines_tests_apart() {
    let folders = ["hotconf/src", "hotconf-derive/src", "examples", "benches"];
    for file in folders.into_iter().flat_map(sources).filter(|file| !file.is_tests()) {
        let lines = file.before_tests().lines().count();
        assert!(lines <= 500, "{} has {lines} lines; split it", file.name);
    }
}

#[test]
fn an_example_is_under_80_lines_and_the_probe_at_most_150() {
    for file in sources("examples") {
        let most = if file.name == "probe.rs" { 150 } else { 79 };
        let lines = file.text.lines().count();
        assert!(lines <= most, "examples/{} has {lines} lines", file.name);
    }
}

#[test]
fn the_top_level_holds_the_agreed_names_and_no_other() {
    let found: BTreeSet<String> = fs::read_dir(root())
        .expect("the repository can be read")
        .map(|entry| entry.expect("an entry can be read").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let agreed: BTreeSet<String> = TOP_LEVEL.iter().map(ToString::to_string).collect();
    assert_eq!(found, agreed);
}

/// Where a stage stands; `None` for a name that is no stage.
fn rank(stage: &str) -> Option<usize> {
    STAGES.iter().position(|row| row.contains(&stage))
}

/// One source file: its text, and the same text with comments, strings and tests blanked out.
struct Source {
    /// Relative to the folder that was asked for, with `/`.
    name: String,
    text: String,
    code: String,
}

impl Source {
    fn read(folder: &Path, path: &Path) -> Self {
        let name = path.strip_prefix(folder).expect("found in this folder");
        let name = name.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(path).expect("a source file is text");
        let mut file = Self { name, text, code: String::new() };
        file.code = blanked(file.before_tests());
        file
    }

    /// The text above the test module at the foot.
    fn before_tests(&self) -> &str {
        let foot = self.text.match_indices("#[cfg(test)]").find(|(at, mark)| {
            let next = self.text[at + mark.len()..].trim_start();
            next.starts_with("mod ") || next.starts_with("pub(crate) mod ")
        });
        foot.map_or(&self.text, |(at, _)| &self.text[..at])
    }

    /// The module path: `source/file/read.rs` is `source, file, read`; a `mod.rs` is its folder.
    fn module(&self) -> Vec<String> {
        let path = self.name.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(ToString::to_string).collect()
    }

    /// A file of tests alone, beside what it tests.
    fn is_tests(&self) -> bool {
        self.name.ends_with("/tests.rs")
    }

    /// Every name that follows the crate's root in a path, with its line: `crate::value::Tree`,
    /// `use crate::{error, value}`, and `super` where it climbs to the root.
    fn imports(&self) -> Vec<(usize, String)> {
        let climb = "super::".repeat(self.module().len());
        // Inside a module within the file one `super` more is needed; such files are read by `crate::` alone.
        let has_inner =
            self.words("mod ").any(|at| self.code[at..].lines().next().is_some_and(|l| l.ends_with('{')));
        let starts = if has_inner { vec!["crate::"] } else { vec!["crate::", climb.as_str()] };
        let mut found = Vec::new();
        for start in starts {
            for at in self.words(start) {
                let rest = self.code[at + start.len()..].trim_start();
                let names = rest.strip_prefix('{').map_or_else(|| vec![word(rest)], heads);
                found.extend(names.into_iter().map(|name| (self.line(at), name.to_string())));
            }
        }
        found
    }

    /// The lines that name a crate: `name::…` or `use name;`, not `other::name::…` nor a module `name`.
    fn names_crate<'a>(&'a self, name: &'a str) -> impl Iterator<Item = usize> + 'a {
        let own_module = self.words("mod ").any(|at| word(&self.code[at + 4..]) == name);
        self.words(name).filter_map(move |at| {
            let (before, after) = (self.code[..at].trim_end(), &self.code[at + name.len()..]);
            let of_another = before.strip_suffix("::").is_some_and(|b| b.ends_with(is_name));
            let imported = before.ends_with("use") && (after.starts_with(';') || after.starts_with(" as"));
            let path = after.starts_with("::") && !own_module;
            (!of_another && (imported || path)).then(|| self.line(at))
        })
    }

    /// Where `what` stands in the code with no letter before it, nor after it if it ends in one.
    fn words<'a>(&'a self, what: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(what).map(|(at, _)| at).filter(move |at| {
            let open = what.ends_with(is_name) && self.code[at + what.len()..].starts_with(is_name);
            !self.code[..*at].ends_with(is_name) && !self.code[..*at].ends_with("super::") && !open
        })
    }

    fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifier at the start of `text`.
fn word(text: &str) -> &str {
    text.split(|c| !is_name(c)).next().unwrap_or_default()
}

/// The first identifiers of the parts of a `{…}` list, after its opening brace.
fn heads(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut heads) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.push(word(list[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The code with comments and the insides of strings replaced by spaces; line breaks stay.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hidden = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if raw_quotes(rest).is_some() && !out.ends_with(is_name) => {
                let end = format!("\"{}", "#".repeat(raw_quotes(rest).unwrap_or_default()));
                let body = rest.find('"').map_or(rest.len(), |quote| quote + 1);
                rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
            }
            '"' => quoted(rest),
            '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => {
                let skipped = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                let escaped = usize::from(rest[1..].starts_with('\\'));
                rest[skipped + escaped..].find('\'').map_or(rest.len(), |at| skipped + escaped + at + 1)
            }
            _ => 0,
        };
        if hidden == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..hidden].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[hidden..];
        }
    }
    out
}

/// The number of `#` of a raw string that starts here.
fn raw_quotes(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of the string that starts here, quotes and escapes included.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn runtime() -> Vec<Source> {
    sources("hotconf/src")
}

fn all() -> Vec<Source> {
    let folders = ["hotconf/src", "hotconf-derive/src", "examples", "benches", "tests/it"];
    folders.into_iter().flat_map(sources).collect()
}

/// Every `.rs` file below `folder`, in the order of names; none where there is no such folder.
fn sources(folder: &str) -> Vec<Source> {
    let folder = root().join(folder);
    let (mut found, mut open) = (Vec::new(), vec![folder.clone()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| Source::read(&folder, path)).collect()
}

#[test]
fn the_reading_of_imports_sees_what_the_compiler_sees() {
    let text = "//! crate::hot\nuse crate::{error::{Error, Problem}, value};\nfn f() -> crate::diff::Moved {}\n\
        const S: &str = \"crate::view\"; let c = '\"'; use super::super::engine::E; use super::tape;\n";
    let name = "source/file.rs".to_string();
    let file = Source { name, text: text.to_string(), code: blanked(text) };
    let names: Vec<_> = file.imports().into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["2 error", "2 value", "3 diff", "4 engine"]);
}

#[test]
fn the_reading_of_crates_tells_a_crate_from_a_module() {
    let names = |text: &str| {
        let file = Source { name: String::new(), text: String::new(), code: blanked(text) };
        file.names_crate("toml").collect::<Vec<_>>()
    };
    assert_eq!(names("use toml::de;\nuse toml;\nlet a = ::toml::x();"), [1, 2, 3]);
    assert_eq!(names("use super::toml::parse; let toml = 1; my_toml::x(); // toml::y"), [0_usize; 0]);
    assert_eq!(names("mod toml;\nfn f() { toml::parse() }"), [0_usize; 0]);
}
