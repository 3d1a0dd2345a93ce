//! What comes from outside of documents: arguments, the environment, and files of single values.

use super::{App, Store, base, lines, warnings};
use crate::support::Dir;
use clap::{Arg, ArgAction, Command};
use hotconf::{Args, Clap, Dotenv, Env, Error, Hot, Inline, Loaded, SecretsDir};
use std::collections::HashMap;
use std::time::Duration;

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

#[cfg(unix)]
#[test]
fn what_clap_took_beyond_utf8_is_refused_and_not_mangled() {
    use std::os::unix::ffi::OsStringExt;
    let path = clap::value_parser!(std::path::PathBuf);
    let command = Command::new("app").arg(Arg::new("name").long("name").value_parser(path));
    let name = std::ffi::OsString::from_vec(b"/\xff".to_vec());
    let matches = command.get_matches_from(["app".into(), "--name".into(), name]);
    let error = Hot::<App>::builder().source(base()).source(Clap::new(&matches)).read().unwrap_err();
    let told = format!("{error:?}");
    assert!(told.contains("--name") && told.contains("not valid UTF-8"), "{told}");
    assert!(!told.contains('\u{fffd}'), "{told}");
}

#[test]
fn several_values_from_clap_keep_their_control_characters() {
    let given = ["a\rb", "c\nd", "\u{7f}\t\u{1}", "q\"\\"];
    let typed = given.iter().flat_map(|value| ["--host", value]);
    let matches = command().get_matches_from(std::iter::once("app").chain(typed));
    let app = Hot::<App>::builder().source(base()).source(Clap::new(&matches)).read();
    let app = app.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(app.hosts[app.hosts.len() - 4..], given);
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
