//! 8. Secret: a secret is shown nowhere.

use hotconf::{Hot, HotConf, Inline, Secret};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug, HotConf)]
struct Vault {
    password: Secret<String>,
    #[hotconf(default = "")]
    user: String,
}

const CANARY: &str = "cAnArY-7f3a";

#[test]
fn a_secret_is_found_nowhere() {
    let (source, handle) =
        Inline::channel("app.toml", hotconf::Format::Toml, format!("user = \"u\"\npassword = \"{CANARY}1\""));
    let log = Arc::new(Mutex::new(String::new()));
    let heard = log.clone();
    let config = Hot::<Vault>::builder()
        .on_event(move |event| {
            use std::fmt::Write;
            let _ = write!(heard.lock().expect("no panic"), "{event} {event:?}");
        })
        .source(source)
        .blocking_start()
        .expect("the first load");
    let mut events = config.events();
    let mut story = String::new();
    for text in [
        format!("user = \"u\"\npassword = \"{CANARY}2\""),
        format!("user = \"u\"\npassword = [\"{CANARY}3\"]"),
        format!("user = \"u\"\npassword = {{ a = \"{CANARY}4\" }}"),
        format!("user = \"u\"\npassword = \"{CANARY}5"),
        format!("user = \"u\"\npasswort = \"{CANARY}6\"\npassword = \"{CANARY}6\""),
        format!("user = 5\npassword = \"{CANARY}7\""),
        format!("user = \"u\"\npassword = \"{CANARY}8\"\npassword = \"{CANARY}8\""),
    ] {
        handle.set(text);
        if let Err(error) = config.blocking_reload() {
            story += &format!("{error} {error:?}");
        }
    }
    for event in std::iter::from_fn(|| events.try_next()) {
        story += &format!("{event} {event:?}");
    }
    story += &format!("{:?} {:?} {:?}", config, config.snapshot(), config.status());
    story += &format!("{} {:?}", config.explain(), config.explain_field(Vault::FIELDS.password));
    story += config.snapshot().fingerprint();
    story += &log.lock().expect("no panic");
    assert!(story.contains("password"), "the story is told");
    assert!(!story.contains("cAnArY"), "{story}");
    assert!(config.load().password.expose().starts_with(CANARY));
}
