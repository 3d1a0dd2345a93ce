//! Editors, where they are installed; and what they do, where they are not.

use super::{saved_by, sh};

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
