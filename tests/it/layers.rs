//! What several sources say together: merging, unsetting, mounting, unknown and removed keys.

use crate::support::Dir;
use clap::{Arg, ArgAction, Command};
use hotconf::{
    Args, Clap, Dotenv, Env, File, Hot, HotConf, Inline, Loaded, ProblemKind, SecretsDir, SourceExt,
};
use hotconf::{Error, Secret};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, HotConf)]
#[hotconf(removed(old = "use `http.retries`"))]
struct App {
    #[hotconf(default = "app")]
    name: String,
    #[hotconf(default = 1)]
    workers: Option<u8>,
    #[hotconf(default = 80, alias = "tcp_port")]
    port: u16,
    #[hotconf(default, merge = "append")]
    hosts: Vec<String>,
    #[hotconf(nested, merge = "by_key(name)")]
    routes: Vec<Route>,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    tls: Option<Tls>,
    #[hotconf(nested)]
    flags: BTreeMap<String, Flag>,
    #[hotconf(default)]
    labels: HashMap<String, u32>,
    #[hotconf(nested)]
    store: Store,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Route {
    name: String,
    #[hotconf(default = "/")]
    path: String,
    #[hotconf(default = 1)]
    weight: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Http {
    #[hotconf(default = "5s")]
    timeout: Duration,
    #[hotconf(default = 3)]
    retries: u32,
    #[hotconf(default = false, deprecated = "it is always on")]
    keepalive: bool,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Tls {
    cert: String,
    #[hotconf(default = "")]
    password: Secret<String>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Flag {
    #[hotconf(default)]
    on: bool,
    #[hotconf(default = 100)]
    share: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Store {
    Memory,
    Disk {
        path: String,
        #[hotconf(default = 1)]
        depth: u8,
    },
    S3 {
        bucket: String,
        #[hotconf(default = "/")]
        path: String,
    },
}

const BASE: &str = "store.type = 'memory'\n";

fn base() -> Inline {
    Inline::toml("base.toml", BASE)
}

/// Loads layers of TOML above a base that sets what is required.
fn layers(texts: &[&str]) -> Result<Loaded<App>, Error> {
    let mut builder = Hot::<App>::builder().source(base());
    for (i, text) in texts.iter().enumerate() {
        builder = builder.source(Inline::toml(format!("{}.toml", i + 1), text));
    }
    builder.read()
}

fn good(texts: &[&str]) -> Loaded<App> {
    layers(texts).unwrap_or_else(|e| panic!("{e:?}"))
}

fn lines(error: &Error) -> Vec<String> {
    error.problems().iter().map(ToString::to_string).collect()
}

fn warnings(loaded: &Loaded<App>) -> Vec<String> {
    loaded.warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn later_sources_override_earlier_ones_key_by_key() {
    let app = good(&[
        "http = { timeout = '1s', retries = 1 }\nlabels = { a = 1, b = 1 }",
        "http.retries = 2\nlabels.b = 2",
    ]);
    assert_eq!((app.http.timeout, app.http.retries), (Duration::from_secs(1), 2));
    assert_eq!(app.labels, HashMap::from([("a".into(), 1), ("b".into(), 2)]));
    assert_eq!(app.origin(App::FIELDS.http.timeout).to_string(), "1.toml:1:20");
    assert_eq!(app.origin(App::FIELDS.labels.key("b")).to_string(), "2.toml:2:12");
}

#[test]
fn lists_replace_unless_the_field_joins_them() {
    let app = good(&[
        "hosts = ['a', 'b']\nroutes = [{ name = 'x', path = '/x' }, { name = 'y' }]",
        "hosts = ['c']\nroutes = [{ name = 'y', weight = 9 }, { name = 'z' }]",
    ]);
    assert_eq!(app.hosts, ["a", "b", "c"]);
    let routes: Vec<_> = app.routes.iter().map(|r| (r.name.as_str(), r.path.as_str(), r.weight)).collect();
    assert_eq!(routes, [("x", "/x", 1), ("y", "/", 9), ("z", "/", 1)]);
}

#[test]
fn null_is_none_on_an_option_and_elsewhere_unsays_what_lies_below() {
    let read = |upper: Inline| {
        Hot::<App>::builder()
            .source(base())
            .source(Inline::toml(
                "low.toml",
                "workers = 8\nport = 90\ntls.cert = 'c'\nflags.a.on = true\nhttp.retries = 9",
            ))
            .source(upper)
            .read()
            .unwrap_or_else(|e| panic!("{e:?}"))
    };
    let json = read(Inline::json(
        "up.json",
        r#"{"workers": null, "port": null, "tls": null, "flags": {"a": null}, "http": null}"#,
    ));
    let yaml = read(Inline::yaml("up.yaml", "workers: ~\nport: null\ntls:\nflags: {a: ~}\nhttp: ~"));
    let toml = read(Inline::toml("up.toml", "hotconf.unset = ['workers', 'port', 'tls', 'flags.a', 'http']"));
    for app in [&json, &yaml, &toml] {
        assert_eq!((app.workers, app.port, app.tls.is_none()), (None, 80, true), "{:?}", **app);
        assert_eq!((app.flags.len(), app.http.retries), (0, 3), "{:?}", **app);
        assert!(app.warnings().is_empty(), "{:?}", app.warnings());
    }
}

#[test]
fn another_tag_replaces_the_table_and_the_same_tag_merges() {
    let same = good(&["store = { type = 'disk', path = '/a', depth = 4 }", "store.path = '/b'"]);
    assert_eq!(same.store, Store::Disk { path: "/b".into(), depth: 4 });
    let other =
        good(&["store = { type = 'disk', path = '/a', depth = 4 }", "store = { type = 's3', bucket = 'b' }"]);
    assert_eq!(other.store, Store::S3 { bucket: "b".into(), path: "/".into() });
    assert!(other.warnings().is_empty(), "{:?}", other.warnings());
}

#[test]
fn layers_that_contradict_each_other_are_told_once_with_both_places() {
    let error = layers(&["http.retries = 2", "http = 5"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1, "{error:?}");
    assert!(lines(&error)[0].contains("2.toml:1:8") && lines(&error)[0].contains("1.toml"), "{error:?}");
    let error = layers(&["labels = { a = 1 }", "labels = 5"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1, "{error:?}");
}

#[test]
fn unknown_keys_warn_with_the_nearest_name_at_any_depth() {
    let app = good(&[
        "prot = 1\nhttp.retires = 2\nflags.a.shaer = 1\nroutes = [{ name = 'x', wieght = 1 }]\n[timeout]\n",
    ]);
    let all = warnings(&app).join("\n");
    for hint in ["`port`", "`http.retries`", "`flags.a.share`", "weight", "`http.timeout`"] {
        assert!(all.contains(hint), "{hint} in\n{all}");
    }
    assert_eq!(app.warnings().len(), 5, "{all}");
}

#[test]
fn unknown_keys_are_refused_where_they_are_denied() {
    let error = Hot::<App>::builder()
        .source(base())
        .source(Inline::toml("1.toml", "prot = 1\nhttp.retires = 2\nport = 'x'"))
        .deny_unknown_keys()
        .read()
        .unwrap_err();
    let mut paths: Vec<_> = error.problems().iter().map(|p| (p.path(), p.kind())).collect();
    paths.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        paths,
        [("http.retires", ProblemKind::Unknown), ("port", ProblemKind::Type), ("prot", ProblemKind::Unknown)]
    );
}

#[test]
fn removed_and_deprecated_keys_and_aliases_are_told_once() {
    let error = layers(&["old = 1"]).unwrap_err();
    assert_eq!(lines(&error).len(), 1);
    assert!(lines(&error)[0].contains("use `http.retries`"), "{error:?}");
    let app = good(&["http.keepalive = true\ntcp_port = 90"]);
    assert_eq!((app.port, app.warnings().len()), (90, 1), "{:?}", app.warnings());
    assert!(warnings(&app)[0].contains("it is always on"));
    let both = good(&["tcp_port = 90\nport = 91"]);
    assert_eq!((both.port, both.warnings().len()), (91, 1), "{:?}", both.warnings());
    let above = good(&["port = 91", "tcp_port = 90"]);
    assert_eq!((above.port, above.warnings().len()), (90, 0), "another layer may use another name");
}

#[test]
fn an_error_names_what_the_wrong_value_hides_and_shows_the_line() {
    let error = layers(&["http.timeout = '9s'", "http.timeout = 'fast'"]).unwrap_err();
    let report = format!("{error:?}");
    for part in [
        "http.timeout",
        "\"fast\"",
        "2.toml:1:16",
        "hides",
        "1.toml:1:16",
        "default \"5s\"",
        "http.timeout = 'fast'",
    ] {
        assert!(report.contains(part), "{part} in\n{report}");
    }
}

#[test]
fn a_part_of_a_source_is_taken_and_mounted() {
    let read = |source: Box<dyn Fn(hotconf::Builder<App>) -> hotconf::Builder<App>>| {
        source(Hot::<App>::builder().source(base())).read().unwrap_or_else(|e| panic!("{e:?}"))
    };
    let taken =
        read(Box::new(|b| b.source(Inline::toml("a.toml", "[worker.app]\nport = 9").at("worker.app"))));
    assert_eq!(taken.port, 9);
    assert_eq!(taken.origin(App::FIELDS.port).to_string(), "a.toml:2:8");
    let mounted = read(Box::new(|b| b.source(Inline::toml("a.toml", "retries = 9").under("http"))));
    assert_eq!(mounted.http.retries, 9);
    let both =
        read(Box::new(|b| b.source(Inline::toml("a.toml", "x.on = true").at("x").under("flags.\"new ui\""))));
    assert!(both.flags["new ui"].on);
    let args = read(Box::new(|b| b.source(Args::new(["--set", "worker.port=7"]).at("worker"))));
    assert_eq!(args.port, 7);
    let args = read(Box::new(|b| b.source(Args::new(["--set", "retries=7"]).under("http"))));
    assert_eq!(args.http.retries, 7);
    let env = read(Box::new(|b| {
        b.source(Env::from_iter("T", [("T_CERT", "c"), ("T_PASSWORD", "p")]).under("tls"))
    }));
    assert_eq!(env.tls.as_ref().map(|t| t.cert.as_str()), Some("c"));
    let absent = read(Box::new(|b| b.source(Inline::toml("a.toml", "x = 1").at("worker").optional())));
    assert_eq!(absent.port, 80);
}

#[test]
fn profiles_are_two_files_and_an_optional_one_may_be_missing() {
    let dir = Dir::new();
    let base = dir.file("app.toml", "port = 1\nworkers = 2\nstore.type = 'memory'");
    let local = dir.path().join("app.local.toml");
    let read = || Hot::<App>::builder().source(File::new(&base)).source(File::new(&local).optional()).read();
    assert_eq!(read().unwrap().port, 1);
    dir.file("app.local.toml", "port = 2");
    let app = read().unwrap();
    assert_eq!((app.port, app.workers), (2, Some(2)));
    let missing = Hot::<App>::builder().source(File::new(dir.path().join("no.toml"))).read().unwrap_err();
    assert!(missing.is_unreadable() && missing.to_string().contains("no.toml"), "{missing:?}");
}

#[test]
fn a_directory_of_secrets_fills_fields_by_file_name() {
    let dir = Dir::new();
    dir.file("tls.cert", "abc\n");
    dir.file("tls.password", "s3cret-with-newline\n");
    let app = Hot::<App>::builder().source(base()).source(SecretsDir::new(dir.path())).read().unwrap();
    let tls = app.tls.as_ref().unwrap();
    assert_eq!((tls.cert.as_str(), tls.password.expose().as_str()), ("abc", "s3cret-with-newline"));
}

#[test]
fn a_dotenv_file_reads_as_the_environment_does() {
    let dir = Dir::new();
    let path =
        dir.file(".env", "# x\nexport APP_PORT=81\nAPP_HTTP_TIMEOUT='2s'\nAPP_NAME=\"a b\"\nOTHER=1\n");
    let app = Hot::<App>::builder().source(base()).source(Dotenv::new(&path, "APP")).read().unwrap();
    assert_eq!((app.port, app.name.as_str(), app.http.timeout), (81, "a b", Duration::from_secs(2)));
    assert!(app.origin(App::FIELDS.port).to_string().contains(".env:2"), "{}", app.origin(App::FIELDS.port));
}

fn args(args: &[&str]) -> Result<Loaded<App>, Error> {
    Hot::<App>::builder().source(base()).source(Args::new(args.iter().copied())).read()
}

#[test]
fn arguments_set_every_kind_of_field() {
    let app = args(&[
        "--verbose",
        "--set",
        "http.timeout=1m",
        "--set=name=00123",
        "--set",
        "flags.\"new ui\".on=true",
        "--set",
        "labels.a=4",
        "--set",
        "hosts=['x', 'y=z']",
        "--set",
        "store={ type = 'disk', path = '/d' }",
        "--set",
        "routes=[{ name = 'x' }]",
        "--set",
        "workers=",
        "--set",
        "port=1",
        "--set",
        "tcp_port=2",
        "--",
        "--set",
        "port=3",
    ])
    .unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((app.name.as_str(), app.port, app.workers), ("00123", 2, None));
    assert_eq!(app.http.timeout, Duration::from_secs(60));
    assert!(app.flags["new ui"].on);
    assert_eq!(app.labels["a"], 4);
    assert_eq!(app.hosts, ["x", "y=z"]);
    assert_eq!(app.store, Store::Disk { path: "/d".into(), depth: 1 });
    assert_eq!(app.routes.len(), 1);
    assert_eq!(app.origin(App::FIELDS.http.timeout).to_string(), "argument --set http.timeout");
}

#[test]
fn arguments_that_are_wrong_are_told_all_at_once() {
    let error =
        args(&["--set", "prot=1", "--set", "hunter2", "--set", "http=5", "--set", "hosts=[1", "--set"])
            .unwrap_err();
    assert_eq!(error.problems().len(), 5, "{error:?}");
    let report = format!("{error:?}");
    assert!(report.contains("did you mean `port`") && !report.contains("hunter2"), "{report}");
    let typed = args(&["--set", "port=x"]).unwrap_err();
    assert!(lines(&typed)[0].contains("--set port") && lines(&typed)[0].contains("\"x\""), "{typed:?}");
}

fn command() -> Command {
    Command::new("app")
        .arg(Arg::new("port").long("port").default_value("1").value_parser(clap::value_parser!(u16)))
        .arg(Arg::new("http.retries").long("retries").short('r').action(ArgAction::Count))
        .arg(Arg::new("http.keepalive").long("keepalive").action(ArgAction::SetTrue))
        .arg(Arg::new("hosts").long("host").action(ArgAction::Append))
        .arg(Arg::new("verbose").long("verbose").action(ArgAction::SetTrue))
        .subcommand(Command::new("run").arg(Arg::new("name").long("name")))
}

#[test]
fn of_a_clap_command_line_only_what_was_typed_counts() {
    let read = |args: &[&str]| {
        let matches = command().get_matches_from(args);
        let mut builder = Hot::<App>::builder()
            .source(Inline::toml("base.toml", "port = 5\nhosts = ['a']\nstore.type = 'memory'"))
            .source(Clap::new(&matches));
        if let Some((_, run)) = matches.subcommand() {
            builder = builder.source(Clap::new(run));
        }
        builder.read().unwrap_or_else(|e| panic!("{e:?}"))
    };
    let silent = read(&["app"]);
    assert_eq!((silent.port, silent.http.retries, silent.http.keepalive), (5, 3, false));
    let typed = read(&[
        "app",
        "--port",
        "7",
        "-rr",
        "--keepalive",
        "--host",
        "b",
        "--host",
        "c d",
        "--verbose",
        "run",
        "--name",
        "007",
    ]);
    assert_eq!((typed.port, typed.http.retries, typed.http.keepalive), (7, 2, true));
    assert_eq!(typed.hosts, ["a", "b", "c d"]);
    assert_eq!(typed.name, "007");
    let one = read(&["app", "--host", "b"]);
    assert_eq!(one.hosts, ["a", "b"], "a list of one that was typed is a list");
}

fn env(vars: &[(&str, &str)]) -> Result<Loaded<App>, Error> {
    Hot::<App>::builder().source(base()).source(Env::from_iter("A", vars.iter().copied())).read()
}

#[test]
fn the_environment_sets_every_kind_of_field() {
    let app = env(&[
        ("A_NAME", "007"),
        ("A_WORKERS", "4"),
        ("A_PORT", "0090"),
        ("A_HOSTS", "['x', 'y']"),
        ("A_ROUTES", "[{ name = 'r' }]"),
        ("A_HTTP__TIMEOUT", "1s"),
        ("A_TLS_CERT", ""),
        ("A_TLS_PASSWORD", "0"),
        ("A_FLAGS_BETA_ON", "true"),
        ("A_LABELS_TEAM_A", "1"),
        ("A_STORE_TYPE", "s3"),
        ("A_STORE_BUCKET", "b"),
        ("B_PORT", "1"),
    ])
    .unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((app.name.as_str(), app.workers, app.port), ("007", Some(4), 90));
    assert_eq!(app.hosts, ["x", "y"]);
    assert_eq!(app.routes[0].name, "r");
    assert_eq!(app.http.timeout, Duration::from_secs(1));
    assert_eq!(app.tls.as_ref().map(|t| (t.cert.as_str(), t.password.expose().as_str())), Some(("", "0")));
    assert!(app.flags["beta"].on);
    assert_eq!(app.labels, HashMap::from([("team_a".into(), 1)]));
    assert_eq!(app.store, Store::S3 { bucket: "b".into(), path: "/".into() });
    assert!(app.warnings().is_empty(), "{:?}", app.warnings());
}

#[test]
fn an_alias_has_a_variable_too() {
    let app = env(&[("A_TCP_PORT", "9")]).unwrap();
    assert_eq!((app.port, app.warnings().len()), (9, 0), "{:?}", app.warnings());
    let error = env(&[("A_TCP_PORT", "9"), ("A_PORT", "8")]).unwrap_err();
    assert!(lines(&error)[0].contains("A_PORT") && lines(&error)[0].contains("A_TCP_PORT"), "{error:?}");
}

#[test]
fn variables_that_are_wrong_are_told_by_name() {
    let typed = env(&[("A_PORT", "x"), ("A_HTTP_TIMEOUT", "fast")]).unwrap_err();
    assert_eq!(typed.problems().len(), 2);
    assert!(lines(&typed).iter().any(|l| l.contains("environment variable A_PORT")), "{typed:?}");
    let empty = env(&[("A_PORT", ""), ("A_NAME", "")]).unwrap();
    assert_eq!((empty.port, empty.name.as_str()), (80, ""));
    let near = env(&[("A_PROT", "1"), ("A_PORT_80_TCP_ADDR", "1.1.1.1")]).unwrap();
    assert!(warnings(&near).iter().any(|w| w.contains("did you mean A_PORT?")), "{:?}", near.warnings());
    let differ = env(&[("A_HTTP_TIMEOUT", "1s"), ("A_HTTP__TIMEOUT", "2s")]).unwrap_err();
    assert!(lines(&differ)[0].contains("differ"), "{differ:?}");
    let link = env(&[("A_PORT", "tcp://10.1.2.3:80")]).unwrap_err();
    assert!(lines(&link)[0].contains("service links"), "{link:?}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_refused_without_showing_it() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let vars = [(OsString::from("A_NAME"), OsString::from_vec(vec![b'h', 0xff]))];
    let error = Hot::<App>::builder().source(base()).source(Env::from_iter("A", vars)).read().unwrap_err();
    assert!(lines(&error)[0].contains("not valid UTF-8"), "{error:?}");
}

/// A value that must be found nowhere, in every way that a source can bring it wrongly.
#[test]
fn a_secret_leaks_through_no_failure_of_any_source() {
    #[derive(Clone, Debug, HotConf)]
    struct Keys {
        #[hotconf(check = refuse)]
        one: Secret<String>,
        number: Secret<u16>,
        #[hotconf(default, merge = "append")]
        list: Vec<Secret<String>>,
        #[hotconf(default)]
        map: HashMap<String, Secret<u8>>,
        #[hotconf(nested)]
        inner: Option<Deep>,
    }
    #[derive(Clone, Debug, HotConf)]
    struct Deep {
        #[hotconf(parse)]
        key: Secret8,
        word: Secret<String>,
    }
    type Secret8 = u8;
    fn refuse(secret: &Secret<String>) -> Result<(), String> {
        Err(format!("no: {}", secret.expose()))
    }
    const CANARY: &str = "c4n4ry";
    let dir = Dir::new();
    dir.file("secrets/number", CANARY);
    dir.file("secrets/list", &format!("['{CANARY}"));
    let dotenv = dir.file(".env", &format!("K_NUMBER={CANARY}\nK_LIST=['{CANARY}\nK_ONE='{CANARY}\n"));
    let broken = dir.file("broken.toml", &format!("one = '{CANARY}\n"));
    let mut reports = Vec::new();
    let mut run = |builder: hotconf::Builder<Keys>| {
        reports.push(format!("{builder:?}"));
        match builder.read() {
            Ok(loaded) => {
                reports.push(format!("{loaded:?} {} {:?}", loaded.explain(), loaded.warnings()));
            }
            Err(error) => reports.push(format!("{error} {error:?} {error:#?}")),
        }
    };
    for text in [
        format!("one = '{CANARY}'\nnumber = 1"),
        format!("one = ['{CANARY}']\nnumber = '{CANARY}'"),
        format!("one = 'x\nnumber = '{CANARY}'"),
        format!("one = '{CANARY}"),
        format!("number = {CANARY}"),
        format!("list = ['a', ['{CANARY}']]\nmap.a = '{CANARY}'\nmap.b = ['{CANARY}']"),
        format!("inner = '{CANARY}'"),
        format!("inner.word = ['{CANARY}']\nlist = '{CANARY}'"),
        format!("onne = '{CANARY}'\n[nothing]\nx = '{CANARY}'"),
    ] {
        run(Hot::builder().source(Inline::toml("a.toml", &text)));
        run(Hot::builder().source(Inline::toml("a.toml", &text)).deny_unknown_keys());
    }
    for text in [
        format!(r#"{{"one": "{CANARY}", "number": "{CANARY}"}}"#),
        format!(r#"{{"one": "{CANARY}"#),
        format!(r#"{{"number": {CANARY}}}"#),
        format!(r#"{{"one": "{CANARY}", "one": "{CANARY}"}}"#),
    ] {
        run(Hot::builder().source(Inline::json("a.json", &text)));
        run(Hot::builder().source(Inline::yaml("a.yaml", &text)));
    }
    run(Hot::builder().source(Inline::yaml("a.yaml", format!("one: &{CANARY} x\nnumber: *{CANARY}2\n"))));
    for value in [
        CANARY.to_owned(),
        format!("['{CANARY}"),
        format!("[{CANARY}]"),
        format!("\"{CANARY}"),
        format!("{{ key = {CANARY} }}"), // a key that is unknown is named, a value never
        format!("{{ a = '{CANARY}', a = 1 }}"),
        format!("[\"{CANARY}\", {CANARY}]"),
    ] {
        for name in ["one", "number", "list", "map", "inner", "inner.word", "inner.key.x", "map.x", CANARY] {
            run(Hot::builder().source(Args::new([
                "--set".to_owned(),
                format!("{name}={value}").replace(&format!("{CANARY}="), "nothing="),
            ])));
            let name = format!("K_{}", name.replace('.', "_").to_uppercase());
            run(Hot::builder().source(Env::from_iter("K", [(name.replace("C4N4RY", "X"), value.clone())])));
        }
    }
    run(Hot::builder().source(SecretsDir::new(dir.path().join("secrets"))));
    run(Hot::builder().source(Dotenv::new(&dotenv, "K")));
    run(Hot::builder().source(File::new(&broken)));
    run(Hot::builder().source(Inline::value("v", HashMap::from([("number", CANARY)]))));
    for report in reports {
        assert!(!report.contains(CANARY), "{report}");
    }
    let mut keys = Keys {
        one: Secret::from("x".to_owned()),
        number: Secret::from(1),
        list: Vec::new(),
        map: HashMap::new(),
        inner: None,
    };
    for path in ["one", "number", "list", "map", "map.x", "inner", "inner.word"] {
        let error = keys.set(path, CANARY).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.problems()).contains(CANARY), "{path}: {error}");
    }
}
