//! A source of one's own: settings that another part of the program publishes on a channel.
//!
//! `cargo run --example custom_source`

use hotconf::{
    BoxFuture, Context, Cursor, Event, Format, Hot, HotConf, Source, SourceError, Update, Verdict,
};
use std::{borrow::Cow, error::Error, time::Duration};
use tokio::sync::watch;

/// Follows the newest text of a channel.
struct Bus {
    latest: watch::Receiver<String>,
    /// The first answer comes at once; later ones wait.
    answered: bool,
}

impl Source for Bus {
    fn describe(&self) -> Cow<'_, str> {
        "bus settings/greeter".into()
    }

    fn next<'a>(&'a mut self, _: &'a Context) -> BoxFuture<'a, Result<Update, SourceError>> {
        Box::pin(async move {
            if self.answered {
                let closed = |_| SourceError::down("the bus is closed");
                self.latest.changed().await.map_err(closed)?;
            }
            // From here on nothing waits: if the future is dropped, no change is lost.
            self.answered = true;
            let text = self.latest.borrow_and_update().clone();
            Update::parse(Format::Toml, "settings/greeter", text.as_bytes())
        })
    }

    fn refresh(&mut self) {
        self.answered = false;
    }

    fn settled(&mut self, _: &Cursor, verdict: &Verdict) {
        println!("  the bus is told: {verdict:?}");
    }
}

#[derive(Clone, Debug, HotConf)]
struct Greeter {
    greeting: String,
    /// How often it is said. 1 to 10.
    #[hotconf(default = 1, range = "1..=10")]
    times: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (publish, latest) = watch::channel("greeting = \"hello\"".to_string());
    let config: Hot<Greeter> = Hot::builder().source(Bus { latest, answered: false }).blocking_start()?;
    println!("{:?}", *config.load());

    let mut events = config.events();
    for text in ["greeting = \"good morning\"\ntimes = 2", "greeting = \"good evening\"\ntimes = 20"] {
        publish.send(text.to_string())?;
        match events.blocking_next()? {
            Some(Event::Applied(_)) => println!("{:?}", *config.load()),
            Some(other) => println!("{other}"),
            None => break,
        }
    }
    config.blocking_shutdown(Duration::from_secs(1))?;
    Ok(())
}
