//! Files that settings name: read with the configuration, followed like a source, replaced as one.

use crate::support::{Dir, QUIET, applied, by_hand, drain, follow, rejected, replace, until, wait_for};
use hotconf::{
    Event, Events, File, FileContent, Format, Hot, HotConf, Inline, ProblemKind, SecretFile, SourceState,
};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;

#[derive(Clone, Debug, HotConf)]
struct Server {
    #[hotconf(nested)]
    tls: Tls,
    #[hotconf(default = 1)]
    n: u64,
}

#[derive(Clone, Debug, HotConf)]
struct Tls {
    cert: FileContent,
    key: Option<SecretFile>,
}

const NAMES_BOTH: &str = "[tls]\ncert = \"tls.crt\"\nkey = \"tls.key\"\n";
const NAMES_ONE: &str = "tls.cert = \"tls.crt\"\n";

fn cert(config: &Hot<Server>) -> String {
    config.load().tls.cert.as_str().expect("text").to_owned()
}

fn key(config: &Hot<Server>) -> String {
    config.load().tls.key.as_ref().expect("a key").as_str().expect("text").to_owned()
}

/// A server that follows `server.toml` of a directory with `tls.crt` and `tls.key`.
fn served(names: &str) -> (Dir, Hot<Server>, Events) {
    let dir = Dir::new();
    dir.file("tls.crt", "cert 1");
    dir.file("tls.key", "key 1");
    let path = dir.file("server.toml", names);
    let (config, events) = follow(&path);
    (dir, config, events)
}

#[test]
fn the_content_is_in_the_value_and_a_relative_path_is_from_the_documents_directory() {
    let (dir, config, _) = served(NAMES_BOTH);
    assert_eq!((cert(&config), key(&config)), ("cert 1".to_owned(), "key 1".to_owned()));
    assert_eq!(config.load().tls.cert.path(), dir.path().join("tls.crt"));
    assert_eq!(config.origin(Server::FIELDS.tls.cert).line_number(), Some(2));
    let loaded = Hot::<Server>::builder().source(File::new(dir.path().join("server.toml"))).read().unwrap();
    assert_eq!(loaded.tls.cert.as_bytes(), b"cert 1");
}

#[test]
fn without_a_file_around_it_a_relative_path_is_from_the_working_directory() {
    let source = Inline::toml("inline", "tls.cert = \"Cargo.toml\"");
    let loaded = Hot::<Server>::builder().source(source).read().unwrap();
    assert_eq!(loaded.tls.cert.as_bytes(), fs::read("Cargo.toml").unwrap());
    assert!(loaded.tls.cert.path().is_absolute());
}

#[test]
fn every_way_of_saving_is_one_version_and_a_change_of_that_field_alone() {
    let (dir, config, mut events) = served(NAMES_BOTH);
    let path = dir.path().join("tls.crt");
    let (told, tells) = mpsc::channel();
    let _keep = config.on_change(Server::FIELDS.tls.cert, move |change| {
        let text = |content: &FileContent| content.as_str().unwrap().to_owned();
        let _ = told.send((text(change.old()), text(change.new())));
    });
    let _other = config.on_change(Server::FIELDS.tls.key, |_| panic!("nothing of the key has changed"));
    let saves: [(&str, Save<'_>); 4] = [
        ("renamed into place", &|text| replace(&path, text)),
        ("written in place", &|text| fs::write(&path, text).unwrap()),
        ("removed and made anew", &|text| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, text).unwrap();
        }),
        ("a link to another file", &|text| {
            fs::write(dir.path().join("other"), text).unwrap();
            symlink("other", dir.path().join("link")).unwrap();
            fs::rename(dir.path().join("link"), &path).unwrap();
        }),
    ];
    let mut before = "cert 1".to_owned();
    for (how, save) in saves {
        save(how);
        let applied = applied(&mut events);
        assert_eq!(applied.paths(), ["tls.cert"], "{how}");
        assert_eq!(tells.recv().unwrap(), (before, how.to_owned()));
        assert_eq!(cert(&config), how);
        before = how.to_owned();
    }
    assert_eq!(drain(&mut events, QUIET).len(), 0);
}

/// A way of saving a text.
type Save<'a> = &'a dyn Fn(&str);

/// A volume as kubelet makes it: the names are links through `..data`, which is swapped.
fn swap(dir: &Path, generation: &str, number: u32) {
    let data = dir.join(format!("..{generation}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("tls.crt"), format!("cert {number}")).unwrap();
    fs::write(data.join("tls.key"), format!("key {number}")).unwrap();
    let before = fs::read_link(dir.join("..data"));
    symlink(format!("..{generation}"), dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    if let Ok(before) = before {
        fs::remove_dir_all(dir.join(before)).unwrap();
    }
}

#[test]
fn a_kubernetes_volume_is_swapped_as_one() {
    let dir = Dir::new();
    let volume = dir.path().join("volume");
    fs::create_dir(&volume).unwrap();
    swap(&volume, "a", 1);
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), volume.join(name)).unwrap();
    }
    let names = "tls = { cert = \"volume/tls.crt\", key = \"volume/tls.key\" }\n";
    let (config, mut events) = follow::<Server>(&dir.file("server.toml", names));
    for (number, generation) in [(2, "b"), (3, "c"), (4, "d")] {
        swap(&volume, generation, number);
        assert_eq!(applied(&mut events).paths(), ["tls.cert", "tls.key"]);
        assert_eq!((cert(&config), key(&config)), (format!("cert {number}"), format!("key {number}")));
    }
    assert_eq!(config.version(), 4);
}

/// Does something until it is one version; a busy machine may take longer between two files than is waited for.
fn as_one(
    config: &Hot<Server>,
    events: &mut Events,
    paths: &[&str],
    change: impl Fn(u64),
    done: impl Fn(u64) -> bool,
) {
    for number in 2..20 {
        let before = config.version();
        change(number);
        until("all of it is there", || done(number));
        let told = applied(events).paths();
        drain(events, QUIET);
        if config.version() == before + 1 {
            assert_eq!(told, paths);
            return;
        }
    }
    panic!("it never came as one version");
}

#[test]
fn a_pair_that_is_replaced_file_by_file_is_one_version() {
    let (dir, config, mut events) = served(NAMES_BOTH);
    let change = |number| {
        replace(&dir.path().join("tls.crt"), &format!("cert {number}"));
        replace(&dir.path().join("tls.key"), &format!("key {number}"));
    };
    let done = |number| (cert(&config), key(&config)) == (format!("cert {number}"), format!("key {number}"));
    as_one(&config, &mut events, &["tls.cert", "tls.key"], change, done);
}

#[test]
fn a_document_and_the_file_that_it_names_are_one_version() {
    let (dir, config, mut events) = served(NAMES_ONE);
    let change = |number| {
        replace(&dir.path().join("tls.crt"), &format!("cert {number}"));
        replace(&dir.path().join("server.toml"), &format!("{NAMES_ONE}n = {number}"));
    };
    let done = |number| (cert(&config), config.load().n) == (format!("cert {number}"), number);
    as_one(&config, &mut events, &["tls.cert", "n"], change, done);
}

#[test]
fn a_pair_of_which_one_half_came_is_refused_until_the_other_is_there() {
    #[derive(Clone, Debug, HotConf)]
    #[hotconf(check = fit)]
    struct Pair {
        cert: FileContent,
        key: FileContent,
    }
    fn fit(pair: &Pair) -> Result<(), &'static str> {
        let ends = |content: &FileContent| content.as_bytes().last().copied();
        if ends(&pair.cert) == ends(&pair.key) { Ok(()) } else { Err("they do not belong together") }
    }
    let dir = Dir::new();
    dir.file("a", "cert 1");
    dir.file("b", "key 1");
    let (config, mut events) = follow::<Pair>(&dir.file("pair.toml", "cert = \"a\"\nkey = \"b\""));
    replace(&dir.path().join("a"), "cert 2");
    assert!(rejected(&mut events).to_string().contains("belong together"));
    assert_eq!(config.load().cert.as_bytes(), b"cert 1");
    let named = config.status().sources.pop().unwrap();
    assert_eq!((named.state, &*named.name), (SourceState::Refused, "files that settings name"));
    replace(&dir.path().join("b"), "key 2");
    assert_eq!(applied(&mut events).paths(), ["cert", "key"]);
    wait_for(&mut events, "recovery", |event| matches!(event, Event::SourceUp(_)));
    assert_eq!(config.load().key.as_bytes(), b"key 2");
}

#[test]
fn a_file_that_is_missing_at_the_start_is_a_problem_of_the_setting() {
    let dir = Dir::new();
    let path = dir.file("server.toml", "n = \"x\"\n[tls]\ncert = \"tls.crt\"\n");
    for error in [
        Hot::<Server>::builder().source(File::new(&path)).read().unwrap_err(),
        Hot::<Server>::builder().source(File::new(&path)).blocking_start().unwrap_err(),
    ] {
        let [missing, other] = error.problems() else { panic!("two problems: {error:?}") };
        assert_eq!((missing.kind(), missing.path()), (ProblemKind::Unreadable, "tls.cert"));
        let file = dir.path().join("tls.crt");
        assert_eq!(missing.message(), format!("the file {} does not exist", file.display()));
        assert_eq!(missing.origin().unwrap().to_string(), format!("{}:3:8", path.display()));
        assert_eq!(other.path(), "n", "everything is told at once");
    }
}

#[test]
fn a_file_that_goes_leaves_the_last_good_in_force_and_one_that_returns_heals() {
    let (dir, config, mut events) = served(NAMES_ONE);
    fs::remove_file(dir.path().join("tls.crt")).unwrap();
    let error = rejected(&mut events);
    assert!(error.to_string().contains("tls.crt does not exist"), "{error}");
    assert_eq!((cert(&config), config.version()), ("cert 1".to_owned(), 1));
    // Other sources are not held up by it.
    replace(&dir.path().join("server.toml"), &format!("{NAMES_ONE}n = 2"));
    assert_eq!(applied(&mut events).paths(), ["n"]);
    assert_eq!(cert(&config), "cert 1");
    fs::write(dir.path().join("tls.crt"), "cert 1").unwrap();
    wait_for(&mut events, "recovery", |event| matches!(event, Event::SourceUp(_)));
    assert_eq!((config.version(), config.status().rejected.is_none()), (2, true));
}

#[test]
fn a_file_that_is_gone_does_not_hold_back_another() {
    let (dir, config, mut events) = served(NAMES_BOTH);
    fs::remove_file(dir.path().join("tls.crt")).unwrap();
    rejected(&mut events);
    replace(&dir.path().join("tls.key"), "key 2");
    assert_eq!(applied(&mut events).paths(), ["tls.key"]);
    assert_eq!((cert(&config), key(&config)), ("cert 1".to_owned(), "key 2".to_owned()));
    replace(&dir.path().join("tls.crt"), "cert 2");
    assert_eq!(applied(&mut events).paths(), ["tls.cert"]);
    until("all is well", || config.status().rejected.is_none());
}

#[test]
fn a_file_that_comes_after_the_document_that_names_it_is_waited_for() {
    let (dir, config, mut events) = served(NAMES_ONE);
    replace(&dir.path().join("server.toml"), "tls.cert = \"new.crt\"\n");
    until("it is read", || config.status().counters.reads > 2);
    fs::write(dir.path().join("new.crt"), "cert 2").unwrap();
    let seen = wait_for(&mut events, "a version or a refusal", |event| {
        matches!(event, Event::Applied(_) | Event::Rejected(_))
    });
    // A busy machine may be late with the file, and then a second of patience is over.
    if matches!(seen, Event::Rejected(_)) {
        applied(&mut events);
    }
    assert_eq!((cert(&config), config.version()), ("cert 2".to_owned(), 2));
}

#[test]
fn a_document_that_names_what_never_comes_is_refused_and_heals_with_the_file() {
    let (dir, config, mut events) = served(NAMES_ONE);
    let path = dir.path().join("server.toml");
    replace(&path, "n = 2\ntls.cert = \"new.crt\"\n");
    let error = rejected(&mut events);
    assert_eq!(error.problems()[0].origin().unwrap().to_string(), format!("{}:2:12", path.display()));
    assert_eq!((cert(&config), config.load().n), ("cert 1".to_owned(), 1), "nothing is published half");
    fs::write(dir.path().join("new.crt"), "cert 2").unwrap();
    assert_eq!(applied(&mut events).paths(), ["tls.cert", "n"]);
}

#[test]
fn a_path_that_changes_leaves_the_old_file_and_follows_the_new_one() {
    let (dir, config, mut events) = served(NAMES_ONE);
    dir.file("sub/new.crt", "cert 2");
    replace(&dir.path().join("server.toml"), "tls.cert = \"sub/new.crt\"\n");
    assert_eq!(applied(&mut events).paths(), ["tls.cert"]);
    assert_eq!(config.load().tls.cert.path(), dir.path().join("sub/new.crt"));
    replace(&dir.path().join("tls.crt"), "nobody names me");
    replace(&dir.path().join("sub/new.crt"), "cert 3");
    assert_eq!(applied(&mut events).version(), 3);
    assert_eq!((cert(&config), config.version()), ("cert 3".to_owned(), 3));
    // The same bytes at another place are no version, and the place is known.
    dir.file("third.crt", "cert 3");
    replace(&dir.path().join("server.toml"), "tls.cert = \"third.crt\"\n");
    until("the place is known", || config.load().tls.cert.path() == dir.path().join("third.crt"));
    assert_eq!(config.version(), 3);
}

#[test]
fn a_file_over_the_limit_is_refused_with_the_remedy() {
    let dir = Dir::new();
    dir.file("tls.crt", &"x".repeat(200));
    let path = dir.file("server.toml", NAMES_ONE);
    let read = Hot::<Server>::builder().source(File::new(path)).max_document_bytes(100).read();
    let error = read.unwrap_err();
    assert!(error.to_string().contains("tls.crt has 200 bytes or more"), "{error}");
    assert!(error.to_string().contains("Builder::max_document_bytes"), "{error}");
}

#[test]
fn what_is_not_a_regular_file_or_no_path_is_told() {
    let dir = Dir::new();
    fs::create_dir(dir.path().join("tls.crt")).unwrap();
    let said = |text: &str| {
        let path = dir.file("server.toml", text);
        Hot::<Server>::builder().source(File::new(path)).read().unwrap_err().problems()[0]
            .message()
            .to_owned()
    };
    assert!(said(NAMES_ONE).contains("is a directory, and only a regular file is read"));
    assert_eq!(said("tls.cert = 7"), "expected the path of a file, found 7");
    assert_eq!(said("tls.cert = \"\""), "expected the path of a file, found \"\"");
    assert!(said("n = 1\ntls = {}").starts_with("required, and no source sets it"));
}

#[derive(Clone, Debug, HotConf)]
struct Many {
    list: Vec<FileContent>,
    #[hotconf(default)]
    map: HashMap<String, FileContent>,
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    sites: Vec<Site>,
    own: Option<Own>,
}

#[derive(Clone, Debug, HotConf)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Store {
    Plain,
    Signed { by: FileContent },
}

type Words = FileContent;

#[derive(Clone, Debug, HotConf)]
struct Site {
    words: Option<Words>,
}

/// A leaf of the program's own, which serde reads.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Own {
    ca: FileContent,
}

#[test]
fn lists_maps_sections_enums_and_own_types_may_hold_them() {
    let dir = Dir::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        dir.file(name, &format!("{name} 1"));
    }
    let text = "list = [\"a\", \"b\"]\nmap.x = \"c\"\nown.ca = \"f\"\n[store]\nkind = \"signed\"\nby = \"d\"\n[[sites]]\nwords = \"e\"\n";
    let (config, mut events) = follow::<Many>(&dir.file("many.toml", text));
    let now = config.load();
    let text = |content: &FileContent| content.as_str().unwrap().to_owned();
    assert_eq!(now.list.iter().map(text).collect::<Vec<_>>(), ["a 1", "b 1"]);
    assert!(matches!(&now.store, Store::Signed { by } if text(by) == "d 1"));
    drop(now);
    let paths = [("b", "list"), ("c", "map"), ("d", "store.by"), ("e", "sites[0].words"), ("f", "own")];
    for (name, path) in paths {
        replace(&dir.path().join(name), &format!("{name} 2"));
        assert_eq!(applied(&mut events).paths(), [path], "{name}");
    }
    let now = config.load();
    assert_eq!(text(&now.list[1]), "b 2");
    assert_eq!(text(&now.map["x"]), "c 2");
    assert!(matches!(&now.store, Store::Signed { by } if text(by) == "d 2"));
    assert_eq!(now.sites[0].words.as_ref().map(text).as_deref(), Some("e 2"));
    assert_eq!(now.own.as_ref().map(|own| text(&own.ca)).as_deref(), Some("f 2"));
}

#[test]
fn a_default_may_name_a_file_and_a_check_may_read_it() {
    fn short(content: &FileContent) -> Result<(), String> {
        if content.as_bytes().len() < 1_000_000 { Ok(()) } else { Err("too long".to_owned()) }
    }
    #[derive(Clone, Debug, HotConf)]
    struct Defaulted {
        #[hotconf(default = "Cargo.toml", check = short)]
        text: FileContent,
        #[hotconf(default)]
        none: FileContent,
    }
    let loaded = Hot::<Defaulted>::builder().read().unwrap();
    assert_eq!(loaded.text.as_bytes(), fs::read("Cargo.toml").unwrap());
    assert!(loaded.none.as_bytes().is_empty());
}

#[test]
fn a_setter_takes_bytes_and_reads_no_file() {
    let mut tls = Tls { cert: FileContent::from_bytes("one"), key: None };
    tls.set("cert", FileContent::from_bytes("two")).unwrap();
    tls.set("key", FileContent::from_bytes("three")).unwrap();
    assert_eq!(tls.cert, FileContent::from_bytes("two"));
    assert_eq!(tls.key, Some(SecretFile::from_bytes("three")));
    let error = tls.set("cert", "Cargo.toml").unwrap_err();
    assert!(error.to_string().contains("FileContent::from_bytes"), "{error}");
    let fixed = Hot::fixed(Server { tls, n: 2 });
    assert_eq!(cert(&fixed), "two");
}

#[test]
fn the_diff_tells_a_change_of_bytes() {
    let one = Tls { cert: FileContent::from_bytes("one"), key: None };
    let same = Tls { cert: FileContent::from_bytes("one"), key: None };
    let two = Tls { cert: FileContent::from_bytes("two"), key: None };
    assert!(one.diff(&same).paths().is_empty());
    assert_eq!(one.diff(&two).paths(), ["cert"]);
}

#[test]
fn a_reload_reads_named_files_too() {
    let (dir, config, _) = served(NAMES_ONE);
    fs::write(dir.path().join("tls.crt"), "cert 2").unwrap();
    config.blocking_reload().unwrap();
    assert_eq!(cert(&config), "cert 2");
    let (plain, _) = by_hand::<crate::support::Small>("n = 2");
    assert_eq!(plain.status().sources.len(), 1, "where no file is named, nothing is listed");
    assert_eq!(config.status().sources.len(), 2);
}

#[test]
fn what_is_named_for_the_first_time_while_it_runs_is_followed() {
    #[derive(Clone, Debug, HotConf)]
    struct App {
        words: Option<FileContent>,
    }
    let dir = Dir::new();
    let path = dir.file("words", "one");
    let (source, text) = Inline::channel("app.toml", Format::Toml, "");
    let config = Hot::<App>::builder().source(source).blocking_start().unwrap();
    let mut events = config.events();
    text.set(format!("words = '{}'", path.display()));
    assert_eq!(applied(&mut events).paths(), ["words"]);
    replace(&path, "two");
    assert_eq!(applied(&mut events).paths(), ["words"]);
    text.set("");
    assert_eq!(applied(&mut events).paths(), ["words"]);
    until("it is left", || config.status().sources.len() == 1);
}

#[test]
fn a_file_that_applies_on_restart_waits() {
    #[derive(Clone, Debug, HotConf)]
    struct App {
        #[hotconf(restart)]
        ca: FileContent,
    }
    let dir = Dir::new();
    dir.file("ca", "one");
    let (config, mut events) = follow::<App>(&dir.file("app.toml", "ca = \"ca\""));
    replace(&dir.path().join("ca"), "two");
    wait_for(&mut events, "restart", |event| matches!(event, Event::RestartRequired(_)));
    assert_eq!((config.load().ca.as_bytes(), config.pending()), (&b"one"[..], vec!["ca".to_owned()]));
    replace(&dir.path().join("ca"), "one");
    until("nothing waits", || config.pending().is_empty());
    assert_eq!(config.version(), 1);
}
