//! How files are really saved: each style on the real file system. Wall time: the kernel's events are
//! what is tested.
//!
//! For each style: the saved content comes into force, in one version, never a torn one in between.

use crate::support::{Dir, Pair, applied, drain, follow, pair, replace};
use hotconf::{Event, Events, File, Hot};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const QUIET: Duration = Duration::from_millis(250);

/// Runs a shell script in `dir`; `false` where a program that it needs is not installed.
fn sh(dir: &Path, needs: &str, script: &str) -> bool {
    let there = Command::new("sh").args(["-c", &format!("command -v {needs} >/dev/null")]).status();
    if !there.expect("sh runs").success() {
        eprintln!("{needs} is not installed: this style is left out");
        return false;
    }
    let status = Command::new("sh").arg("-ec").arg(script).current_dir(dir).status().expect("sh runs");
    assert!(status.success(), "{script}");
    true
}

/// Follows `conf/app.toml`, saves three times by `save(dir, file, text)`, and checks what was told.
fn saved_by(save: impl Fn(&Path, &Path, &str) -> bool) {
    let dir = Dir::new();
    let path = dir.file("conf/app.toml", &pair(1));
    dir.file("new.toml", "");
    let (config, mut events) = follow::<Pair>(&path);
    for n in 2..5 {
        if !save(dir.path(), &path, &pair(n)) {
            return;
        }
        in_force(&config, &mut events, n);
    }
    let after = drain(&mut events, QUIET);
    assert!(after.is_empty(), "one version a save, and nothing else: {after:#?}");
    assert_eq!(config.version(), 4);
}

/// Waits until `n` is in force; the only change told on the way is that one, whole.
fn in_force(config: &Hot<Pair>, events: &mut Events, n: u64) {
    let change = applied(events);
    let now = config.load();
    assert_eq!(now.a, n, "{change:?}");
    assert!(now.is_whole());
    assert_eq!(change.paths(), ["a", "b", "check"]);
}

#[test]
fn a_rename_into_place_is_followed() {
    saved_by(|_, path, text| {
        replace(path, text);
        true
    });
}

#[test]
fn a_write_in_place_is_followed() {
    saved_by(|_, path, text| {
        std::fs::write(path, text).expect("a write");
        true
    });
}

#[test]
fn a_write_in_slow_chunks_is_one_change() {
    saved_by(|_, path, text| {
        let mut file = std::fs::File::create(path).expect("a file");
        for chunk in text.as_bytes().chunks(1600) {
            file.write_all(chunk).expect("a write");
            std::thread::sleep(Duration::from_millis(30));
        }
        true
    });
}

#[test]
fn a_copy_over_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "cp", "cp new.toml conf/app.toml")
    });
}

#[test]
fn sed_in_place_is_followed() {
    saved_by(|dir, _, text| {
        let n =
            text.lines().next().expect("a line").trim_start_matches("a = ").parse::<u64>().expect("a number");
        let script = format!(
            "sed -i -e 's/^a = .*/a = {n}/' -e 's/^b = .*/b = {}/' -e 's/^check = .*/check = {}/' conf/app.toml",
            n * 7,
            n * 8
        );
        sh(dir, "sed", &script)
    });
}

#[test]
fn vim_by_rename_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(
            dir,
            "vim",
            "vim -es -u NONE -c 'set backupskip= writebackup backupcopy=no' -c '%d' -c '0r new.toml' -c 'wq' conf/app.toml",
        )
    });
}

#[test]
fn vim_in_place_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(
            dir,
            "vim",
            "vim -es -u NONE -c 'set backupskip= backupcopy=yes' -c '%d' -c '0r new.toml' -c 'wq' conf/app.toml",
        )
    });
}

#[test]
fn rsync_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "rsync", "rsync -I new.toml conf/app.toml")
    });
}

#[test]
fn rsync_in_place_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "rsync", "rsync -I --inplace new.toml conf/app.toml")
    });
}

#[test]
fn install_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "install", "install -m 644 new.toml conf/app.toml")
    });
}

#[test]
fn tar_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::create_dir_all(dir.join("t/conf")).expect("a directory");
        std::fs::write(dir.join("t/conf/app.toml"), text).expect("a write");
        sh(dir, "tar", "tar cf a.tar -C t conf/app.toml && tar xf a.tar")
    });
}

#[test]
fn git_checkout_is_followed() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let prepare = "git init -q . && git config user.email a@b && git config user.name n && git add app.toml && git commit -qm 1";
    if !sh(dir.path(), "git", prepare) {
        return;
    }
    for n in 2..5 {
        std::fs::write(&path, pair(n)).expect("a write");
        sh(dir.path(), "git", &format!("git checkout -qb v{n} && git commit -qam {n}"));
    }
    let (config, mut events) = follow::<Pair>(&path);
    for n in [2, 3, 4] {
        sh(dir.path(), "git", &format!("git checkout -q v{n}"));
        if n < 4 {
            in_force(&config, &mut events, n);
        }
    }
    in_force(&config, &mut events, 4);
}

#[test]
fn truncating_and_appending_is_one_change() {
    saved_by(|_, path, text| {
        drop(std::fs::File::create(path).expect("truncated"));
        for chunk in text.as_bytes().chunks(1600) {
            let mut file = std::fs::OpenOptions::new().append(true).open(path).expect("opened");
            file.write_all(chunk).expect("a write");
        }
        true
    });
}

#[test]
fn removing_and_recreating_is_followed() {
    saved_by(|_, path, text| {
        std::fs::remove_file(path).expect("removed");
        std::thread::sleep(Duration::from_millis(5));
        std::fs::write(path, text).expect("a write");
        true
    });
}

#[test]
fn removing_and_recreating_the_directory_is_followed() {
    saved_by(|_, path, text| {
        let conf = path.parent().expect("a parent");
        std::fs::remove_dir_all(conf).expect("removed");
        std::fs::create_dir(conf).expect("made");
        std::fs::write(path, text).expect("a write");
        true
    });
}

#[test]
fn moving_the_directory_away_editing_and_moving_it_back_is_followed() {
    saved_by(|dir, path, text| {
        let (conf, away) = (path.parent().expect("a parent"), dir.join("away"));
        std::fs::rename(conf, &away).expect("moved away");
        std::fs::write(away.join("app.toml"), text).expect("a write");
        std::fs::rename(&away, conf).expect("moved back");
        true
    });
}

#[test]
fn an_mmap_write_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        let script = r#"python3 - <<'PY'
import mmap, os
new = open("new.toml", "rb").read()
fd = os.open("conf/app.toml", os.O_RDWR)
if os.fstat(fd).st_size != len(new):
    os.ftruncate(fd, len(new))
m = mmap.mmap(fd, len(new))
m[:] = new
m.flush()
m.close()
os.close(fd)
PY"#;
        sh(dir, "python3", script)
    });
}

#[test]
fn an_exchange_of_two_files_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("conf/other"), text).expect("a write");
        let script = r#"python3 - <<'PY'
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.renameat2(-100, b"conf/other", -100, b"conf/app.toml", 2) == 0
PY"#;
        sh(dir, "python3", script)
    });
}

#[test]
fn an_edit_through_a_hard_link_elsewhere_is_found_by_the_content_poll() {
    let dir = Dir::new();
    let path = dir.file("conf/app.toml", &pair(1));
    std::fs::create_dir(dir.path().join("elsewhere")).expect("a directory");
    let link = dir.path().join("elsewhere/link");
    std::fs::hard_link(&path, &link).expect("a hard link");
    let (config, mut events) = follow::<Pair>(&path);
    std::fs::write(&link, pair(2)).expect("a write");
    in_force(&config, &mut events, 2);
}

#[test]
fn a_link_to_a_file_in_another_directory_is_followed_there() {
    let dir = Dir::new();
    let target = dir.file("real/app.toml", &pair(1));
    std::fs::create_dir(dir.path().join("conf")).expect("a directory");
    let link = dir.path().join("conf/app.toml");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let config = Hot::<Pair>::builder()
        .poll(Duration::ZERO)
        .source(File::new(&link))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    std::fs::write(&target, pair(2)).expect("a write");
    in_force(&config, &mut events, 2);
    replace(&target, &pair(3));
    in_force(&config, &mut events, 3);
    // And the link itself, put in place by a rename.
    let other = dir.file("other/app.toml", &pair(4));
    let beside = dir.path().join("conf/.tmp");
    std::os::unix::fs::symlink(&other, &beside).expect("a link");
    std::fs::rename(&beside, &link).expect("renamed");
    in_force(&config, &mut events, 4);
    std::fs::write(&other, pair(5)).expect("a write");
    in_force(&config, &mut events, 5);
}

#[test]
fn a_kubelet_swap_is_followed_for_ever() {
    let dir = Dir::new();
    let volume = dir.path().join("volume");
    let generation = |n: u64| {
        let data = volume.join(format!("..gen{n}"));
        std::fs::create_dir_all(&data).expect("a directory");
        std::fs::write(data.join("app.toml"), pair(n)).expect("a write");
        let tmp = volume.join("..data_tmp");
        std::os::unix::fs::symlink(format!("..gen{n}"), &tmp).expect("a link");
        std::fs::rename(&tmp, volume.join("..data")).expect("swapped");
        if n > 1 {
            std::fs::remove_dir_all(volume.join(format!("..gen{}", n - 1))).expect("removed");
        }
    };
    generation(1);
    std::os::unix::fs::symlink("..data/app.toml", volume.join("app.toml")).expect("a link");
    let config = Hot::<Pair>::builder()
        .poll(Duration::ZERO)
        .source(File::new(volume.join("app.toml")))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    for n in 2..7 {
        generation(n);
        in_force(&config, &mut events, n);
    }
    assert!(drain(&mut events, QUIET).is_empty());
}

#[test]
fn a_release_directory_that_is_swapped_by_a_link_is_followed() {
    let dir = Dir::new();
    for n in 1..4 {
        dir.file(&format!("releases/{n}/app.toml"), &pair(n));
    }
    let current = dir.path().join("current");
    let point = |n: u64| {
        let tmp = dir.path().join("tmp");
        std::os::unix::fs::symlink(format!("releases/{n}"), &tmp).expect("a link");
        std::fs::rename(&tmp, &current).expect("swapped");
    };
    point(1);
    let config = Hot::<Pair>::builder()
        .poll(Duration::ZERO)
        .source(File::new(current.join("app.toml")))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    for n in 2..4 {
        point(n);
        in_force(&config, &mut events, n);
    }
}

#[test]
fn touch_chmod_and_identical_bytes_are_no_change() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, mut events) = follow::<Pair>(&path);
    for _ in 0..3 {
        std::fs::write(&path, pair(1)).expect("a write");
        sh(dir.path(), "touch", "touch app.toml && chmod 600 app.toml && chmod 644 app.toml");
        replace(&path, &pair(1));
    }
    let seen = drain(&mut events, Duration::from_millis(500));
    assert!(seen.is_empty(), "{seen:#?}");
    assert_eq!(config.version(), 1);
}

#[test]
fn a_comment_or_another_order_is_no_change_and_moves_the_origin() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, mut events) = follow::<Pair>(&path);
    replace(&path, &format!("# a comment\n{}", pair(1)));
    config.blocking_reload().expect("a good file");
    assert!(drain(&mut events, QUIET).iter().all(|e| !matches!(e, Event::Applied(_))));
    assert_eq!(config.version(), 1);
    assert_eq!(config.origin(Pair::FIELDS.a).line_number(), Some(2));
}

#[test]
fn constant_writing_starves_nobody() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let (config, mut events) = follow::<Pair>(&path);
    let begun = std::time::Instant::now();
    let mut first = None;
    for n in 2..80 {
        std::fs::write(&path, pair(n)).expect("a write");
        std::thread::sleep(Duration::from_millis(20));
        assert!(config.load().is_whole());
        if first.is_none() && config.version() > 1 {
            first = Some(begun.elapsed());
        }
    }
    let first = first.expect("seen while the writing went on");
    assert!(first < Duration::from_millis(1500), "{first:?}");
    loop {
        let last = applied(&mut events);
        if config.load().a == 79 && last.version() == config.version() {
            break;
        }
    }
}
