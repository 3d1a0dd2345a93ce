//! Links on the way to the file: to a file elsewhere, to a release, to a volume that is swapped.

use super::in_force;
use crate::support::{Dir, Pair, QUIET, drain, pair, replace};
use hotconf::{File, Hot};
use std::time::Duration;

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
fn a_link_in_the_middle_of_a_chain_that_is_turned_elsewhere_is_followed() {
    let dir = Dir::new();
    let link = |to: &str, name: &str| {
        let tmp = dir.path().join("tmp");
        std::os::unix::fs::symlink(to, &tmp).expect("a link");
        std::fs::create_dir_all(dir.path().join(name).parent().expect("a parent")).expect("a directory");
        std::fs::rename(tmp, dir.path().join(name)).expect("a rename");
    };
    for n in 1..5 {
        dir.file(&format!("real{n}/app.toml"), &pair(n));
    }
    link("../b/app.toml", "a/app.toml");
    link("../real1/app.toml", "b/app.toml");
    let config = Hot::<Pair>::builder()
        .poll(Duration::ZERO)
        .source(File::new(dir.path().join("a/app.toml")))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    for n in 2..5 {
        link(&format!("../real{n}/app.toml"), "b/app.toml");
        in_force(&config, &mut events, n);
    }
    std::fs::write(dir.path().join("real4/app.toml"), pair(5)).expect("a write");
    in_force(&config, &mut events, 5);
}

#[test]
fn a_path_with_dots_and_through_a_linked_parent_is_followed() {
    let dir = Dir::new();
    dir.file("real/conf/app.toml", &pair(1));
    dir.file("real/other/x", "");
    std::os::unix::fs::symlink("real", dir.path().join("linked")).expect("a link");
    let path = dir.path().join("./linked/other/../conf/./app.toml");
    let config = Hot::<Pair>::builder()
        .poll(Duration::ZERO)
        .source(File::new(&path))
        .blocking_start()
        .expect("loaded");
    let mut events = config.events();
    replace(&dir.path().join("real/conf/app.toml"), &pair(2));
    in_force(&config, &mut events, 2);
    std::fs::write(&path, pair(3)).expect("a write");
    in_force(&config, &mut events, 3);
}
