//! The probe, driven from outside as a program: what it says on its standard output, and how it ends.
//!
//! Wall time throughout: the kernel's events and signals are what is tested. Each wait is for a line,
//! and gives up after ten seconds; only what must *not* come is waited for by the clock.

use crate::support::{Dir, replace};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const QUIET: Duration = Duration::from_millis(300);

/// The example, which stands beside the directory of this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let name = format!("probe{}", std::env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(name);
    assert!(binary.exists(), "{}: `cargo test` builds it", binary.display());
    binary
}

/// A running probe and its lines.
struct Probe {
    child: Child,
    lines: Receiver<Value>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Probe {
    fn run(files: &[&Path], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .args(files)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the probe runs");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                let line = line.expect("text");
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// A probe that follows `file` and is ready.
    fn following(file: &Path) -> Self {
        let probe = Self::run(&[file], &[]);
        probe.expect("ready");
        probe
    }

    fn expect(&self, event: &str) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {event} came"));
        assert_eq!(line["ev"], event, "{line}");
        line
    }

    /// The next line is a change to `port`; its paths are these.
    fn changed(&self, port: u16, paths: &[&str]) {
        let line = self.expect("change");
        assert_eq!(line["config"]["server"]["port"], port, "{line}");
        let told = line["paths"].as_array().expect("a list");
        assert_eq!(told.iter().filter_map(Value::as_str).collect::<Vec<_>>(), paths);
    }

    fn rejected(&self) -> String {
        self.expect("rejected")["error"].as_str().expect("a text").to_owned()
    }

    fn is_quiet(&self, time: Duration) {
        match self.lines.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => {}
            other => panic!("nothing was to be said: {other:?}"),
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it by SIGTERM, and checks how it ends.
    fn stops(mut self) {
        let start = Instant::now();
        self.terminate();
        let mut last = Value::Null;
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            last = line;
        }
        assert_eq!(last["ev"], "stopped", "{last}");
        assert!(self.child.wait().expect("an end").success());
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        assert_eq!(self.stderr(), "");
    }

    /// The error that it ends with at the start.
    fn refuses(mut self) -> String {
        let error = self.expect("error")["error"].as_str().expect("a text").to_owned();
        assert_eq!(self.lines.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "it is the last");
        assert_eq!(self.child.wait().expect("an end").code(), Some(1));
        assert_eq!(self.stderr(), "");
        error
    }

    fn stderr(&mut self) -> String {
        let pipe = self.child.stderr.take().expect("a pipe");
        std::io::read_to_string(pipe).expect("text")
    }
}

fn toml(port: impl std::fmt::Display) -> String {
    format!(
        "tags = [\"a\"]\n[server]\nport = {port}\nhost = \"h\"\n\
         [limits]\nmax = 1000\nratio = 0.5\n[feature]\nenabled = true\n"
    )
}

fn app(dir: &Dir) -> PathBuf {
    dir.file("conf/app.toml", &toml(1))
}

/// Does `spoil` to a followed file, expects one refusal that names it and no more, and heals it.
fn spoiled(spoil: impl Fn(&Path)) -> String {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    spoil(&file);
    let error = probe.rejected();
    assert!(error.contains("app.toml"), "{error}");
    // Longer than the content poll: what is told once is not told again.
    probe.is_quiet(Duration::from_millis(2300));
    if file.is_dir() {
        fs::remove_dir(&file).expect("an empty directory");
    }
    replace(&file, &toml(2));
    probe.changed(2, &["server.port"]);
    replace(&file, &toml(3));
    probe.changed(3, &["server.port"]);
    probe.stops();
    error
}

fn run(program: &str, args: &[&str], dir: &Path) {
    let status = Command::new(program).args(args).current_dir(dir).status().expect("a program that is there");
    assert!(status.success(), "{program} {args:?}");
}

#[test]
fn every_change_names_exactly_the_leaves_that_differ() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    replace(&file, &toml(2).replace("[\"a\"]", "[\"a\", \"b\"]").replace("0.5", "0.25"));
    probe.changed(2, &["server.port", "limits.ratio", "tags"]);
    fs::write(
        &file,
        format!("# the same\n{}", toml("0x2").replace("[\"a\"]", "['a', 'b']").replace("0.5", "2.5e-1")),
    )
    .expect("a write");
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_start_that_fails_says_so_once_and_ends() {
    let dir = Dir::new();
    let refuses = |file: &Path| Probe::run(&[file], &[]).refuses();
    for (name, text, says) in [
        ("a.toml", toml("= hunter2"), "a.toml:3:8"),
        ("a.toml", toml("\"x\""), "`server.port` at "),
        ("a.toml", toml(70000), "found 70000"),
        ("a.toml", toml(1).replace("1000", "18446744073709551616"), "`limits.max` at "),
        ("a.toml", toml(1).replace("0.5", "nan"), "`limits.ratio` at "),
        ("a.toml", toml("1\nport = 2"), "first set at 3:1"),
        ("a.json", "[1]".to_owned(), "a.json:1:1"),
        ("a.yaml", "a: 1\n---\nb: 1\n".to_owned(), "a.yaml:2:1"),
        ("a.toml", toml(1) + "\0\0\0", "a.toml:10:1"),
        ("a.toml", format!("tags = {}", "[".repeat(100_000)), "a.toml:1:"),
    ] {
        let file = dir.file(name, &text);
        let error = refuses(&file);
        assert!(error.contains(says) && error.contains(name), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(refuses(&dir.path().join("none.toml")).contains("none.toml: does not exist"));
    symlink("loop.toml", dir.path().join("loop.toml")).expect("a link");
    assert!(refuses(&dir.path().join("loop.toml")).contains("loop of links"));
    run("mkfifo", &["fifo.toml"], dir.path());
    assert!(refuses(&dir.path().join("fifo.toml")).contains("is a FIFO"));
    fs::create_dir(dir.path().join("dir.toml")).expect("a directory");
    assert!(refuses(&dir.path().join("dir.toml")).contains("is a directory"));
    assert!(refuses(Path::new("/dev/zero")).contains("is a device"));
}

#[test]
fn a_required_setting_that_is_missing_names_the_files_and_the_near_key() {
    let dir = Dir::new();
    let file = dir.file("app.toml", &toml(1).replace("port", "prot"));
    let error = Probe::run(&[&file], &[]).refuses();
    assert!(error.contains("`server.port`: required") && error.contains("`server.prot` at "), "{error}");
    assert!(error.contains("app.toml:3:1") && error.contains("looked in "), "{error}");
}

#[test]
fn a_null_for_a_required_setting_has_a_place() {
    let dir = Dir::new();
    let text = "server: {port: ~, host: h}\nlimits: ~\nfeature: {enabled: true}\ntags: []\n";
    let error = Probe::run(&[&dir.file("app.yaml", text)], &[]).refuses();
    assert!(error.contains("app.yaml:1:16: required"), "{error}");
    assert!(error.contains("`limits.max` at ") && error.contains("app.yaml:2:9: required"), "{error}");
}

#[test]
fn a_refused_save_is_told_once_and_the_next_good_one_is_followed() {
    let error = spoiled(|file| fs::write(file, toml(70000)).expect("a write"));
    assert!(error.starts_with("`server.port` at ") && error.contains("app.toml:3:8"), "{error}");
}

#[test]
fn a_file_that_is_gone_is_told_once_and_its_return_is_followed() {
    assert!(spoiled(|file| fs::remove_file(file).expect("a file")).contains("does not exist"));
}

#[test]
fn a_fifo_in_place_of_the_file_is_told_once_and_recovered_from() {
    let error = spoiled(|file| {
        let dir = file.parent().expect("a directory");
        run("mkfifo", &["p"], dir);
        fs::rename(dir.join("p"), file).expect("a rename");
    });
    assert!(error.contains("is a FIFO"), "{error}");
}

#[test]
fn a_directory_in_place_of_the_file_is_told_once_and_recovered_from() {
    let error = spoiled(|file| {
        fs::remove_file(file).expect("a file");
        fs::create_dir(file).expect("a directory");
    });
    assert!(error.contains("is a directory"), "{error}");
}

#[test]
fn a_link_to_a_device_that_all_the_world_writes_to_is_told_once() {
    let error = spoiled(|file| {
        fs::remove_file(file).expect("a file");
        symlink("/dev/null", file).expect("a link");
        let mut device = File::options().write(true).open("/dev/null").expect("the device");
        device.write_all(b"x").expect("a write");
    });
    assert!(error.contains("is a device"), "{error}");
}

#[test]
fn an_emptied_file_is_told_once_and_the_last_good_one_stays() {
    assert!(spoiled(|file| fs::write(file, " \n").expect("a write")).contains("is empty"));
}

#[test]
fn a_broken_save_put_back_to_the_old_bytes_is_no_change_and_ends_no_following() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    for _ in 0..3 {
        replace(&file, "port = = 1");
        probe.rejected();
        replace(&file, &toml(1));
        probe.is_quiet(QUIET);
    }
    replace(&file, &toml(2));
    probe.changed(2, &["server.port"]);
    probe.stops();
}

#[test]
fn an_archive_that_sets_the_times_of_the_directory_is_followed_at_once() {
    let dir = Dir::new();
    let file = app(&dir);
    let from = dir.file("new/conf/app.toml", &toml(2));
    run("tar", &["cf", "new.tar", "-C", "new", "conf"], dir.path());
    assert!(from.exists());
    let probe = Probe::following(&file);
    let start = Instant::now();
    run("tar", &["xf", "new.tar"], dir.path());
    probe.changed(2, &["server.port"]);
    // The hold on a file that is never closed would be two seconds.
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    probe.stops();
}

#[test]
fn constant_saves_in_place_do_not_starve_the_reader() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    let (mut last, mut n) = (Instant::now(), 1);
    let end = last + Duration::from_secs(3);
    let mut longest = Duration::ZERO;
    while Instant::now() < end {
        n += 1;
        fs::write(&file, toml(n)).expect("a write");
        // The pace of the writer is the case: a save every five milliseconds.
        if let Ok(line) = probe.lines.recv_timeout(Duration::from_millis(5)) {
            assert_eq!(line["ev"], "change", "{line}");
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    }
    // 300 ms by design; the rest is for a machine that has other things to do.
    assert!(longest < Duration::from_millis(1200), "{longest:?}");
    while probe.expect("change")["config"]["server"]["port"] != n {}
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_writer_that_pauses_in_the_middle_is_waited_for() {
    let dir = Dir::new();
    let file = dir.file("app.toml", &toml(1));
    let probe = Probe::following(&file);
    let start = "tags = []\nfeature.enabled = true\nserver = {port = 7, host = \"h\"}\nlimits.ratio = 1\nlimits.max = 10";
    let mut writer = File::create(&file).expect("a file");
    writer.write_all(start.as_bytes()).expect("a write");
    probe.is_quiet(Duration::from_millis(1200));
    writer.write_all(b"00000\n").expect("a write");
    drop(writer);
    assert_eq!(probe.expect("change")["config"]["limits"]["max"], 1_000_000);
    probe.stops();
}

#[test]
fn two_files_saved_together_are_one_change() {
    let dir = Dir::new();
    let (lower, upper) = (app(&dir), dir.file("conf/upper.YAML", "server: {host: h1}\n"));
    let probe = Probe::run(&[&lower, &upper], &[]);
    probe.expect("ready");
    for n in 2..6 {
        replace(&lower, &toml(n));
        replace(&upper, &format!("server: {{host: h{n}}}\n"));
        probe.changed(n, &["server.port", "server.host"]);
    }
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_mounted_volume_that_is_swapped_comes_in_one_generation() {
    let dir = Dir::new();
    let write = |n: u16| {
        dir.file(&format!("..{n}/app.toml"), &toml(n));
        dir.file(&format!("..{n}/host.toml"), &format!("server.host = \"h{n}\""));
        symlink(format!("..{n}"), dir.path().join("..data_tmp")).expect("a link");
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).expect("a rename");
    };
    write(1);
    let files = ["app.toml", "host.toml"].map(|name| {
        let path = dir.path().join(name);
        symlink(Path::new("..data").join(name), &path).expect("a link");
        path
    });
    let probe = Probe::run(&[&files[0], &files[1]], &[]);
    probe.expect("ready");
    for n in 2..8 {
        write(n);
        fs::remove_dir_all(dir.path().join(format!("..{}", n - 1))).expect("the old one");
        probe.changed(n, &["server.port", "server.host"]);
    }
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn the_environment_stands_above_the_files_in_both_spellings() {
    let dir = Dir::new();
    let file = app(&dir);
    for name in ["HOTCONF_SERVER_PORT", "HOTCONF_SERVER__PORT"] {
        let probe = Probe::run(&[&file], &[(name, "5")]);
        assert_eq!(probe.expect("ready")["config"]["server"]["port"], 5);
        replace(&file, &toml(9));
        probe.is_quiet(QUIET);
        probe.stops();
    }
    let both = [("HOTCONF_SERVER_PORT", "5"), ("HOTCONF_SERVER__PORT", "6")];
    assert!(Probe::run(&[&file], &both).refuses().contains("both mean it and differ"));
}

#[test]
fn an_unknown_key_is_warned_of_once_with_the_near_name() {
    let dir = Dir::new();
    let text = |port: u16| toml(port).replace("[feature]", "[feature]\nenabld = 'hunter2'");
    let file = dir.file("app.toml", &text(1));
    let probe = Probe::following(&file);
    let warning = probe.expect("warning")["warning"].to_string();
    assert!(warning.contains("did you mean `feature.enabled`?") && !warning.contains("hunter2"), "{warning}");
    replace(&file, &text(2));
    probe.changed(2, &["server.port"]);
    probe.is_quiet(QUIET);
    probe.stops();
}

#[test]
fn a_signal_stops_it_in_the_midst_of_a_start_a_storm_and_a_fifo() {
    let dir = Dir::new();
    let file = app(&dir);
    for n in 0..4 {
        let probe = Probe::following(&file);
        for port in 0..20 {
            fs::write(&file, toml(n * 20 + port)).expect("a write");
        }
        probe.stops();
    }
    let probe = Probe::following(&file);
    run("mkfifo", &["p"], dir.path());
    fs::rename(dir.path().join("p"), &file).expect("a rename");
    probe.stops();
}

#[test]
fn a_reader_that_goes_away_ends_it_without_a_panic() {
    let dir = Dir::new();
    let file = app(&dir);
    let mut child = Command::new(binary())
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the probe runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("the first line");
    drop(out);
    replace(&file, &toml(2));
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    let said = std::io::read_to_string(child.stderr.take().expect("a pipe")).expect("text");
    assert!(!said.contains("panic"), "{said}");
}

#[test]
fn five_hundred_reloads_leave_descriptors_and_memory_as_they_were() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    let proc = PathBuf::from(format!("/proc/{}", probe.child.id()));
    if !proc.exists() {
        return;
    }
    let measure = || {
        let status = fs::read_to_string(proc.join("status")).expect("its status");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
        let kib: usize = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        (fs::read_dir(proc.join("fd")).expect("its descriptors").count(), kib)
    };
    let save = |n: u16| {
        if n.is_multiple_of(2) {
            replace(&file, &toml(n));
        } else {
            fs::write(&file, toml(n)).expect("a write");
        }
        probe.changed(n, &["server.port"]);
    };
    (100..200).for_each(save);
    let before = measure();
    (1000..1500).for_each(save);
    let after = measure();
    assert!(after.0 <= before.0 && after.1 <= before.1 + 4096, "{before:?} {after:?}");
    probe.stops();
}

#[test]
fn permission_put_back_by_chmod_alone_is_noticed() {
    let dir = Dir::new();
    let file = app(&dir);
    let probe = Probe::following(&file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o0)).expect("a change of mode");
    if File::open(&file).is_ok() {
        eprintln!("the superuser reads everything: this case is left out");
        return;
    }
    assert!(probe.rejected().contains("permission denied"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a change of mode");
    fs::write(&file, toml(2)).expect("a write");
    probe.changed(2, &["server.port"]);
    probe.stops();
}
