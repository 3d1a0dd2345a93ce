//! What a diff tells: old and new by token, paths and kinds, and nothing of a secret.

use hotconf::{DiffKind, HotConf, Secret};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, HotConf)]
struct App {
    workers: u32,
    proxy: Option<String>,
    password: Secret<String>,
    limits: HashMap<String, u32>,
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    backup: Option<Store>,
    #[hotconf(nested)]
    flags: BTreeMap<String, Flag>,
    #[hotconf(nested)]
    mirrors: Vec<Flag>,
}

#[derive(Clone, Debug, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Store {
    Memory,
    File { path: String },
    Remote(Remote),
}

#[derive(Clone, Debug, HotConf)]
struct Remote {
    url: String,
    token: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Flag {
    on: bool,
}

fn app() -> App {
    App {
        workers: 1,
        proxy: None,
        password: Secret::from("canary".to_owned()),
        limits: HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
        store: Store::Memory,
        backup: None,
        flags: BTreeMap::from([("ui".to_owned(), Flag { on: true })]),
        mirrors: Vec::new(),
    }
}

fn items(old: &App, new: &App) -> Vec<(String, DiffKind)> {
    old.diff(new).iter().map(|item| (item.path().to_owned(), item.kind())).collect()
}

fn as_strs(items: &[(String, DiffKind)]) -> Vec<(&str, DiffKind)> {
    items.iter().map(|(path, kind)| (path.as_str(), *kind)).collect()
}

use DiffKind::{Added, Changed, Removed};

#[test]
fn a_token_gives_old_and_new_of_a_field_that_moved_and_nothing_of_another() {
    let old = app();
    let new = App { workers: 2, proxy: Some("p".to_owned()), ..app() };
    let diff = old.diff(&new);
    assert_eq!(diff.get(App::FIELDS.workers), Some((&1, &2)));
    assert_eq!(diff.get(App::FIELDS.proxy), Some((&None, &Some("p".to_owned()))));
    assert!(diff.get(App::FIELDS.limits).is_none() && diff.get(App::FIELDS.store).is_none());
    let whole = diff.get(App::FIELDS).map(|(old, new)| (old.workers, new.workers));
    assert_eq!(whole, Some((1, 2)));
}

#[test]
fn entries_of_maps_are_told_one_by_one() {
    let old = app();
    let mut new = app();
    new.limits.insert("a".to_owned(), 9);
    new.flags.insert("new".to_owned(), Flag { on: false });
    let diff = old.diff(&new);
    assert_eq!(diff.get(App::FIELDS.limits.key("a")), Some((Some(&1), Some(&9))));
    assert_eq!(diff.get(App::FIELDS.limits.key("b")), None);
    assert_eq!(diff.get(App::FIELDS.flags.key("new")), Some((None, Some(&Flag { on: false }))));
    assert_eq!(diff.get(App::FIELDS.flags.key("ui")), None);
    assert_eq!(as_strs(&items(&old, &new)), [("limits", Changed), ("flags.new", Added)]);
    assert_eq!(as_strs(&items(&new, &old)), [("limits", Changed), ("flags.new", Removed)]);
    new.flags.insert("ui".to_owned(), Flag { on: false });
    assert_eq!(as_strs(&items(&old, &new))[1..], [("flags.new", Added), ("flags.ui", Changed)]);
}

#[test]
fn options_come_and_go() {
    let old = app();
    let new = App { proxy: Some("p".to_owned()), ..app() };
    assert_eq!(as_strs(&items(&old, &new)), [("proxy", Added)]);
    assert_eq!(as_strs(&items(&new, &old)), [("proxy", Removed)]);
    let other = App { proxy: Some("q".to_owned()), ..app() };
    assert_eq!(as_strs(&items(&new, &other)), [("proxy", Changed)]);
    let backed = App { backup: Some(Store::File { path: "x".to_owned() }), ..app() };
    assert_eq!(
        as_strs(&items(&old, &backed)),
        [("backup", Added), ("backup.type", Added), ("backup.path", Added)]
    );
    let unset = App { backup: Some(Store::Memory), ..app() };
    assert_eq!(as_strs(&items(&unset, &old)), [("backup", Removed), ("backup.type", Removed)]);
    assert_eq!(as_strs(&items(&unset, &backed)), [("backup.type", Changed), ("backup.path", Added)]);
}

#[test]
fn another_variant_tells_of_the_two_variants_only() {
    let file = App { store: Store::File { path: "x".to_owned() }, ..app() };
    let remote = Remote { url: "u".to_owned(), token: None };
    let remote = App { store: Store::Remote(remote), ..app() };
    assert_eq!(
        as_strs(&items(&app(), &file)),
        [("store.type", Changed), ("store.path", Added)],
        "`url` is in neither"
    );
    assert_eq!(
        as_strs(&items(&file, &remote)),
        [("store.type", Changed), ("store.path", Removed), ("store.url", Added), ("store.token", Added)]
    );
    let diff = file.diff(&remote);
    assert_eq!(diff.get(App::FIELDS.store.file.path), Some((Some(&"x".to_owned()), None)));
    assert_eq!(diff.get(App::FIELDS.store.remote.url), Some((None, Some(&"u".to_owned()))));
    let memory = app();
    assert_eq!(memory.diff(&file).get(App::FIELDS.store.remote.url), None, "neither has one");
}

#[test]
fn a_diff_shows_no_secret() {
    let old = app();
    let new = App { password: Secret::from("canary 2".to_owned()), ..app() };
    let diff = old.diff(&new);
    let (before, after) = diff.get(App::FIELDS.password).expect("it moved");
    assert_ne!(before, after);
    let told = format!("{diff} {diff:?} {:?} {before:?}", diff.iter().collect::<Vec<_>>());
    assert!(told.contains("password") && !told.contains("canary"), "{told}");
}
