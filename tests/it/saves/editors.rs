//! Editors as they are, where they are installed; and what they do to the file, step by step, everywhere.

use super::{saved_by, sh};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Saves by the `vim` that is here, with the settings that make it write in one way or another.
fn vim(settings: &str) {
    saved_by(|dir, _, text| {
        fs::write(dir.join("new.toml"), text).expect("a write");
        let script =
            format!("vim -es -u NONE -c 'set {settings}' -c '%d' -c '0r new.toml' -c 'wq' conf/app.toml");
        sh(dir, "vim", &script)
    });
}

// Under `/tmp` vim writes in place unless it is told that no directory is spared a backup.

#[test]
fn vim_as_it_comes_is_followed() {
    vim("backupskip= swapfile backupcopy=auto writebackup");
}

#[test]
fn vim_by_rename_is_followed() {
    vim("backupskip= writebackup backupcopy=no");
}

#[test]
fn vim_in_place_is_followed() {
    vim("backupskip= backupcopy=yes");
}

#[test]
fn vim_without_a_backup_is_followed() {
    vim("nowritebackup nobackup");
}

#[test]
fn what_vim_does_is_followed() {
    saved_by(|_, path, text| {
        let (conf, backup) = (path.parent().expect("a parent"), path.with_extension("toml~"));
        fs::write(conf.join("4913"), "").expect("a try");
        fs::remove_file(conf.join("4913")).expect("a try");
        fs::rename(path, &backup).expect("renamed");
        in_chunks(path, text, 2);
        fs::set_permissions(path, fs::metadata(&backup).expect("a backup").permissions()).expect("a mode");
        fs::remove_file(backup).expect("removed");
        true
    });
}

#[test]
fn what_vim_does_in_place_is_followed() {
    saved_by(|_, path, text| {
        let backup = path.with_extension("toml~");
        fs::copy(path, &backup).expect("a copy");
        in_chunks(path, text, 2);
        fs::set_permissions(path, fs::metadata(&backup).expect("a backup").permissions()).expect("a mode");
        fs::remove_file(backup).expect("removed");
        true
    });
}

fn in_chunks(path: &Path, text: &str, chunks: usize) {
    let mut file = fs::File::create(path).expect("a file");
    for chunk in text.as_bytes().chunks(text.len().div_ceil(chunks)) {
        file.write_all(chunk).expect("a write");
    }
}

/// Drives a `nano` on a terminal of its own: cuts what is there, reads the new text in, writes, leaves.
#[test]
fn nano_is_followed() {
    const KEYS: &[u8] = b"\x0b\x0b\x0b\x0b\x12new.toml\r\x13\x18";
    saved_by(|dir, _, text| {
        assert_eq!(text.lines().count(), 4, "so many lines are cut");
        fs::write(dir.join("new.toml"), text).expect("a write");
        if !sh(dir, "nano", "true") || !sh(dir, "script", "true") {
            return false;
        }
        let mut nano = Command::new("script")
            .args(["-qec", "env TERM=xterm nano -I conf/app.toml", "/dev/null"])
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it is installed");
        let (mut keys, mut screen) =
            (nano.stdin.take().expect("a pipe"), nano.stdout.take().expect("a pipe"));
        let (mut seen, mut more) = (Vec::new(), [0; 4096]);
        // Keys that come before it draws its last line are thrown away.
        while !seen.windows(4).any(|word| word == b"Exit") {
            match screen.read(&mut more) {
                Ok(0) | Err(_) => break,
                Ok(n) => seen.extend_from_slice(&more[..n]),
            }
        }
        let _ = keys.write_all(KEYS);
        let _ = screen.read_to_end(&mut seen);
        assert!(nano.wait().expect("it ends").success(), "{}", String::from_utf8_lossy(&seen));
        true
    });
}

fn emacs(setting: &str) {
    saved_by(|dir, _, text| {
        fs::write(dir.join("new.toml"), text).expect("a write");
        let save =
            format!(r#"(progn {setting} (erase-buffer) (insert-file-contents "new.toml") (save-buffer))"#);
        sh(dir, "emacs", &format!("emacs -Q --batch conf/app.toml --eval '{save}' 2>/dev/null"))
    });
}

#[test]
fn emacs_in_place_is_followed() {
    emacs("(cd \"..\") (setq make-backup-files nil)");
}

#[test]
fn emacs_with_its_backup_by_rename_is_followed() {
    emacs("(cd \"..\") (setq backup-enable-predicate (lambda (_) t))");
}

#[test]
fn what_emacs_does_is_followed() {
    saved_by(|_, path, text| {
        let lock = path.with_file_name(".#app.toml");
        std::os::unix::fs::symlink("me@here.1:2", &lock).expect("a lock");
        in_chunks(path, text, 3);
        drop(fs::File::options().append(true).open(path).expect("opened, and nothing written"));
        std::thread::sleep(Duration::from_millis(2));
        fs::remove_file(lock).expect("unlocked");
        true
    });
}
