//! Writers that put another file in place, by a rename or after removing the old one.

use super::{in_force, saved_by, sh};
use crate::support::{Dir, Pair, follow, left_out, pair, replace};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_rename_into_place_is_followed() {
    saved_by(|_, path, text| {
        replace(path, text);
        true
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
fn rsync_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "rsync", "rsync -I new.toml conf/app.toml")
    });
}

#[test]
fn what_rsync_does_is_followed() {
    saved_by(|_, path, text| {
        let beside = path.with_file_name(".app.toml.q1w2e3");
        let mut file = fs::File::options().write(true).create_new(true).open(&beside).expect("a file");
        for chunk in text.as_bytes().chunks(text.len().div_ceil(3)) {
            file.write_all(chunk).expect("a write");
        }
        drop(file);
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)).expect("a mode");
        fs::rename(beside, path).expect("a rename");
        true
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
fn what_git_checkout_does_is_followed() {
    saved_by(|dir, path, text| {
        fs::create_dir_all(dir.join(".git")).expect("a directory");
        let index = dir.join(".git/index.lock");
        fs::write(&index, "DIRC").expect("a lock");
        fs::remove_file(path).expect("removed");
        let mut file = fs::File::options().write(true).create_new(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("a write");
        drop(file);
        fs::rename(index, dir.join(".git/index")).expect("unlocked");
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
fn a_move_from_another_file_system_is_followed() {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    saved_by(|_, path, text| {
        let memory = Path::new("/dev/shm");
        if device(memory).is_none() || device(memory) == device(path) {
            left_out("a move from another file system", "there is no second one at /dev/shm");
            return false;
        }
        let there = tempfile::tempdir_in(memory).expect("a directory in memory");
        fs::write(there.path().join("app.toml"), text).expect("a write");
        let conf = path.parent().expect("a parent");
        sh(conf, "mv", &format!("mv '{}/app.toml' app.toml", there.path().display()))
    });
}

#[test]
fn a_deployment_that_writes_beside_sets_the_mode_and_renames_is_followed() {
    saved_by(|_, path, text| {
        let beside = path.with_file_name(".deploy_tmpq1w2");
        fs::write(&beside, text).expect("a write");
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).expect("a mode");
        fs::set_permissions(&beside, fs::Permissions::from_mode(0o644)).expect("a mode");
        fs::rename(beside, path).expect("a rename");
        true
    });
}

#[test]
fn a_directory_that_is_replaced_by_another_is_followed() {
    saved_by(|dir, path, text| {
        let conf = path.parent().expect("a parent");
        fs::create_dir(dir.join("next")).expect("a directory");
        fs::write(dir.join("next/app.toml"), text).expect("a write");
        fs::rename(conf, dir.join("old")).expect("moved away");
        fs::rename(dir.join("next"), conf).expect("put in its place");
        fs::remove_dir_all(dir.join("old")).expect("removed");
        true
    });
}

/// Only the bytes differ, and the time of the change that nobody can set.
#[test]
fn a_save_that_keeps_size_and_time_is_followed() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(20));
    let then = fs::metadata(&path).expect("a file").modified().expect("a time");
    let (config, mut events) = follow::<Pair>(&path);
    for n in 21..25 {
        assert_eq!(pair(n).len(), pair(20).len(), "the same size");
        let beside = dir.file("beside", &pair(n));
        let written = if n % 2 == 0 { &beside } else { &path };
        let mut file = fs::File::options().write(true).open(written).expect("opened");
        file.write_all(pair(n).as_bytes()).expect("a write");
        file.set_modified(then).expect("a time");
        drop(file);
        if *written == beside {
            fs::rename(beside, &path).expect("a rename");
        }
        in_force(&config, &mut events, n);
        assert_eq!(fs::metadata(&path).expect("a file").modified().expect("a time"), then);
    }
}
