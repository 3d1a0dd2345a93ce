//! A secret that a source brings wrongly: no report may show it.

use crate::support::Dir;
use hotconf::{Args, Dotenv, Env, File, Hot, HotConf, Inline, Secret, SecretsDir};
use std::collections::HashMap;

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
