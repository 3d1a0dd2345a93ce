//! Writers that keep the file and change what is in it.

use super::{in_force, saved_by, sh};
use crate::support::{Dir, Pair, applied, follow, left_out, pair, replace};
use std::io::Write;
use std::time::Duration;

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
fn rsync_in_place_is_followed() {
    saved_by(|dir, _, text| {
        std::fs::write(dir.join("new.toml"), text).expect("a write");
        sh(dir, "rsync", "rsync -I --inplace new.toml conf/app.toml")
    });
}

/// It writes over what is there, and cuts off what is left of it at the end.
#[test]
fn what_rsync_does_in_place_is_followed() {
    saved_by(|_, path, text| {
        let mut file = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
        for chunk in text.as_bytes().chunks(text.len().div_ceil(3)) {
            file.write_all(chunk).expect("a write");
        }
        file.set_len(text.len().try_into().expect("it is short")).expect("cut");
        true
    });
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

#[test]
fn a_file_in_memory_is_followed_in_place_and_by_rename() {
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        return left_out("a file in memory", "there is no /dev/shm");
    };
    let path = memory.path().join("app.toml");
    std::fs::write(&path, pair(1)).expect("a write");
    let (config, mut events) = follow::<Pair>(&path);
    for n in 2..6 {
        if n % 2 == 0 {
            std::fs::write(&path, pair(n)).expect("a write");
        } else {
            replace(&path, &pair(n));
        }
        in_force(&config, &mut events, n);
    }
}
