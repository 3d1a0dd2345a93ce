//! What hotconf costs whoever compiles it: a clean debug build, crate by crate, and the derive on 300 leaves.
//!
//! Times are processor time, user and system, of the compilers: the wall clock says more of how busy the
//! machine is. This program stands between cargo and rustc ([`wrap`]) and notes what each crate took.
//!
//! `cargo bench --bench build`, on Linux, offline: the crates are those of this repository's lock file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Where the wrapped compilers note their crate and its processor time.
const LOG: &str = "HOTCONF_BUILD_LOG";
/// Clock ticks a second in `/proc`, on every Linux that Rust knows.
const TICKS: f64 = 100.0;
const LEAVES: usize = 300;
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    if let Some(log) = std::env::var_os(LOG) {
        return wrap(&PathBuf::from(log));
    }
    if std::env::args().any(|a| a == "--test") {
        return ExitCode::SUCCESS;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let work = Work { root: dir.path().to_owned() };
    work.write();
    clean_builds(&work);
    derives(&work);
    ExitCode::SUCCESS
}

/// Runs the compiler that cargo asked for, and notes the crate and its processor time.
fn wrap(log: &Path) -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let rustc = args.next().expect("cargo names the compiler");
    let args: Vec<_> = args.collect();
    let status = Command::new(rustc).args(&args).status().expect("the compiler runs");
    let name = args.iter().position(|arg| arg == "--crate-name").and_then(|at| args.get(at + 1));
    if let Some(name) = name {
        let line = format!("{} {}\n", name.to_string_lossy(), children());
        let mut log = File::options().append(true).create(true).open(log).expect("the log");
        // One write a line: other compilers write beside this one.
        log.write_all(line.as_bytes()).expect("a line");
    }
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}

/// Processor time of all children that have ended, in ticks.
fn children() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The second field is the program's name, which may hold spaces; `cutime` and `cstime` are the 16th and 17th.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    rest.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// A workspace of small packages that use hotconf, or what it stands on.
struct Work {
    root: PathBuf,
}

impl Work {
    fn write(&self) {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let hotconf = format!("hotconf = {{ path = \"{}\" }}\n", repository.join("hotconf").display());
        let serde = "serde = { version = \"1\", features = [\"derive\"] }\n";
        let toml = "toml = { version = \"1\", default-features = false, features = [\"parse\", \"serde\", \"std\"] }\n";
        let peers = format!(
            "{serde}{toml}arc-swap = \"1\"\nnotify = {{ version = \"8.2\", default-features = false }}\n\
             tokio = {{ version = \"1\", default-features = false, features = [\"rt\", \"sync\", \"time\"] }}\n"
        );
        self.package("whole", &hotconf, "");
        self.package("peers", &peers, "");
        let (ours, theirs) = (flat("hotconf::HotConf"), flat("serde::Deserialize"));
        self.package("flat-hotconf", &hotconf, &ours);
        self.package("flat-serde", &format!("{serde}{toml}"), &theirs);
        let members = "[workspace]\nresolver = \"3\"\nmembers = [\"whole\", \"peers\", \"flat-hotconf\", \"flat-serde\"]\n";
        fs::write(self.root.join("Cargo.toml"), members).expect("written");
        fs::copy(repository.join("Cargo.lock"), self.root.join("Cargo.lock")).expect("copied");
    }

    fn package(&self, name: &str, dependencies: &str, code: &str) {
        let dir = self.root.join(name);
        fs::create_dir_all(dir.join("src")).expect("a directory");
        let head = format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
        fs::write(dir.join("Cargo.toml"), format!("{head}\n[dependencies]\n{dependencies}"))
            .expect("written");
        fs::write(dir.join("src/lib.rs"), code).expect("written");
    }

    /// Runs cargo; returns the seconds of each crate that was compiled, and of all.
    fn cargo(&self, what: &str, package: &str, target: &str) -> (BTreeMap<String, f64>, f64) {
        let log = self.root.join("log");
        let _ = fs::remove_file(&log);
        let before = children();
        let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args([what, "--offline", "--quiet", "-p", package, "--target-dir", target])
            .current_dir(&self.root)
            .env("RUSTC_WRAPPER", std::env::current_exe().expect("this program"))
            .env("CARGO_INCREMENTAL", "0")
            .env(LOG, &log)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "cargo {what} of {package}");
        let all = seconds(children() - before);
        let mut crates = BTreeMap::new();
        for line in fs::read_to_string(&log).expect("crates were compiled").lines() {
            let (name, ticks) = line.rsplit_once(' ').expect("a name and a number");
            *crates.entry(name.to_owned()).or_default() += seconds(ticks.parse().expect("a number"));
        }
        // Cargo asks the compiler about itself, and runs build scripts' compilations under one name.
        crates.retain(|name, _| name != "___");
        (crates, all)
    }
}

#[allow(clippy::cast_precision_loss)] // ticks of a build
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

/// A flat struct of [`LEAVES`] fields.
fn flat(derive: &str) -> String {
    let types = ["u32", "bool", "String", "f64", "u16", "Option<u64>"];
    let mut code = format!("#[derive(Clone, Debug, {derive})]\npub struct Flat {{\n");
    for n in 0..LEAVES {
        let _ = writeln!(code, "    pub field_{n}: {},", types[n % types.len()]);
    }
    let load = if derive.starts_with("serde") {
        "toml::from_str(text).ok()"
    } else {
        "hotconf::Hot::<Flat>::builder().source(hotconf::Inline::toml(\"flat\", text)).read().ok().map(|l| l.into_inner())"
    };
    code + "}\n\npub fn load(text: &str) -> Option<Flat> {\n    " + load + "\n}\n"
}

fn clean_builds(work: &Work) {
    println!("\nclean debug build, processor seconds");
    let (peers, below) = work.cargo("build", "peers", "target-peers");
    println!("  {:<44} {below:>6.1} s", "notify, arc-swap, toml, serde, tokio alone");
    let (crates, all) = work.cargo("build", "whole", "target-whole");
    println!("  {:<44} {all:>6.1} s  {:>6.2}x", "hotconf with its default features", all / below);
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (name, seconds) in crates.iter().filter(|(_, seconds)| *seconds >= 0.1) {
        let note = if peers.contains_key(name) { "" } else { "  not among those" };
        println!("    {name:<42} {seconds:>6.1} s{note}");
    }
}

fn derives(work: &Work) {
    println!(
        "\nthe derive on a flat struct of {LEAVES} leaves, processor seconds of that crate, median of {ROUNDS}"
    );
    for what in ["check", "build"] {
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..=ROUNDS {
            for (package, took) in ["flat-serde", "flat-hotconf"].into_iter().zip(&mut took) {
                let code = work.root.join(package).join("src/lib.rs");
                let text = fs::read_to_string(&code).expect("the code");
                fs::write(&code, format!("{text}// {round}\n")).expect("written");
                let (crates, _) = work.cargo(what, package, &format!("target-{package}"));
                // The first compiles what is below as well, and warms the files.
                if round > 0 {
                    took.push(crates[&package.replace('-', "_")]);
                }
            }
        }
        let [theirs, ours] = took.map(|mut took| {
            took.sort_by(f64::total_cmp);
            took[took.len() / 2]
        });
        println!("  {:<44} {theirs:>6.2} s", format!("cargo {what}: serde's `Deserialize`"));
        println!("  {:<44} {ours:>6.2} s  {:>6.2}x", format!("cargo {what}: `HotConf`"), ours / theirs);
    }
}
