//! What a type says of itself: the template, the table, the JSON Schema.

use hotconf::{ByteSize, Hot, HotConf, Inline, Secret};
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU16;
use std::time::Duration;

/// Settings of the shop.
#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(deny_unknown_fields)]
struct Shop {
    /// Where it listens.
    #[hotconf(default = "0.0.0.0:80", restart, alias = "addr")]
    listen: String,
    name: Option<String>,
    #[hotconf(default = 3, range = 1..=10)]
    retries: u32,
    #[hotconf(default = 0.5, range = "0.0..1.0")]
    ratio: f32,
    #[hotconf(default = true)]
    on: bool,
    #[hotconf(default = 'x')]
    letter: char,
    #[hotconf(default = "5s", range = "1ms..=1m")]
    wait: Duration,
    #[hotconf(default = "1MiB")]
    size: ByteSize,
    #[hotconf(default = 8)]
    count: NonZeroU16,
    #[hotconf(default = 'y')]
    #[allow(dead_code)]
    other: char,
    #[hotconf(default)]
    ports: Vec<u16>,
    #[hotconf(default)]
    labels: HashMap<String, u32>,
    #[hotconf(default = "hunter2")]
    secret: Secret<String>,
    #[hotconf(nested)]
    http: Http,
    #[hotconf(nested)]
    tls: Option<Tls>,
    #[hotconf(nested)]
    flags: BTreeMap<String, Http>,
    #[hotconf(nested)]
    mirrors: Vec<Http>,
    #[hotconf(nested)]
    store: Store,
}

/// How it speaks.
#[derive(Clone, Debug, PartialEq, HotConf)]
struct Http {
    #[hotconf(default = "a \"b\"\\c")]
    text: String,
    #[hotconf(default = -1)]
    level: i8,
    #[hotconf(nested)]
    inner: Option<Inner>,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Inner {
    #[hotconf(default = 1)]
    depth: u8,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct Tls {
    #[hotconf(default = "cert.pem")]
    cert: String,
}

#[derive(Clone, Debug, PartialEq, HotConf)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Store {
    /// Forgets.
    Memory,
    Disk {
        path: String,
        #[hotconf(default = 1)]
        depth: u8,
    },
    S3(S3),
}

#[derive(Clone, Debug, PartialEq, HotConf)]
struct S3 {
    bucket: String,
    #[hotconf(default = "/")]
    path: String,
}

fn uncommented(template: &str) -> String {
    // What is commented twice is prose.
    template
        .lines()
        .filter_map(|line| line.strip_prefix("#").filter(|rest| !rest.starts_with(' ')))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_template_is_toml_that_loads_when_its_lines_are_uncommented() {
    let template = Shop::fields().template();
    assert!(!template.contains("hunter2"), "{template}");
    toml::from_str::<toml::Table>(&template).expect("all of it is comments");
    let text = uncommented(&template);
    toml::from_str::<toml::Table>(&text).unwrap_or_else(|e| panic!("{e}\n{text}\n---\n{template}"));
    let shop = Hot::<Shop>::builder().source(Inline::toml("t.toml", &text)).read();
    let shop = shop.unwrap_or_else(|e| panic!("{e:?}\n{text}\n---\n{template}"));
    assert_eq!((shop.retries, shop.wait, shop.letter), (3, Duration::from_secs(5), 'x'));
    assert_eq!(shop.flags["name"].text, "a \"b\"\\c");
    assert_eq!(shop.mirrors.len(), 1);
    assert_eq!(shop.tls.as_ref().map(|tls| tls.cert.as_str()), Some("cert.pem"));
    assert!(shop.warnings().is_empty(), "{:?}\n{text}", shop.warnings());
}

#[test]
fn the_json_schema_says_what_is_known() {
    let schema: serde_json::Value = serde_json::from_str(&Shop::fields().json_schema()).expect("it is JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!((&schema["title"], &schema["type"]), (&"Shop".into(), &"object".into()));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["store"]));
    let p = &schema["properties"];
    assert_eq!(
        p["retries"],
        serde_json::json!({"type": "integer", "default": 3, "minimum": 1, "maximum": 10})
    );
    assert_eq!(p["ratio"]["exclusiveMaximum"], 1.0);
    assert_eq!(p["name"]["type"], serde_json::json!(["string", "null"]));
    assert_eq!(p["on"]["default"], true);
    assert_eq!(p["listen"]["description"], "Where it listens.\nApplies on restart.");
    assert_eq!(p["addr"]["deprecated"], serde_json::Value::Null, "an alias is as good as the name");
    assert_eq!(p["ports"], serde_json::json!({"type": "array"}));
    assert_eq!(p["labels"]["type"], "object");
    assert_eq!(p["secret"]["writeOnly"], true);
    assert!(!schema.to_string().contains("hunter2"));
    assert_eq!(p["http"]["properties"]["level"]["default"], -1);
    assert_eq!(p["tls"]["type"], serde_json::json!(["object", "null"]));
    assert_eq!(p["flags"]["additionalProperties"]["properties"]["text"]["type"], "string");
    assert_eq!(p["mirrors"]["items"]["properties"]["level"]["type"], "integer");
    let variants = p["store"]["oneOf"].as_array().expect("variants");
    assert_eq!(variants.len(), 3);
    assert_eq!(variants[1]["properties"]["type"]["const"], "disk");
    assert_eq!(variants[1]["required"], serde_json::json!(["type", "path"]));
    assert_eq!(variants[2]["properties"]["bucket"]["type"], "string");
}
