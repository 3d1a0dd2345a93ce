//! Tasks on tokio: wait for fields and sections, keep a snapshot across an await.
//!
//! `cargo run --example tasks`, then edit `examples/tasks.toml`. Ctrl-C ends it.

use hotconf::{Event, File, Hot, HotConf};
use std::{error::Error, time::Duration};

#[derive(Clone, Debug, HotConf)]
struct Settings {
    #[hotconf(default = "hello")]
    greeting: String,
    #[hotconf(nested)]
    mail: Mail,
}

#[derive(Clone, Debug, HotConf)]
struct Mail {
    from: String,
    /// Time between two mails. At least 100 ms; applies after the mail that is waited for.
    #[hotconf(default = "2s", range = "100ms..")]
    interval: Duration,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config: Hot<Settings> = Hot::builder().source(File::new("examples/tasks.toml")).start().await?;

    // One field: the latest value, however many there were meanwhile.
    let mut greeting = config.watch(Settings::FIELDS.greeting);
    tokio::spawn(async move {
        while let Some(now) = greeting.next().await {
            println!("greeting: {now}");
        }
    });

    // A section is a token too; so is whatever a closure makes of the whole.
    let mut mail = config.watch(Settings::FIELDS.mail);
    tokio::spawn(async move {
        while let Some(now) = mail.next().await {
            println!("mail: {now:?}");
        }
    });

    // The story of everything, refused edits included.
    let mut events = config.events();
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Rejected(error) = event {
                println!("{error}");
            }
        }
    });

    println!("edit examples/tasks.toml, or end with Ctrl-C");
    let mailer = async {
        loop {
            // Owned, so it may be held across the await: this mail sees one version of every field.
            let now = config.snapshot();
            println!("from {}: {} (version {})", now.mail.from, now.greeting, now.version());
            tokio::time::sleep(now.mail.interval).await;
        }
    };
    tokio::select! {
        () = mailer => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    // The watches end with it, and so do the tasks that wait on them.
    config.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
