//! hotconf seen from outside: follows files and tells as lines of JSON what it sees.
//!
//! `probe FILE...`: later files win, and `HOTCONF_…` variables stand above them. Used to test file
//! behaviour from any language, so it does nothing special: the ordinary public API with its defaults.
//! The lines are `ready`, `error`, `change`, `rejected`, `warning` and `stopped`.

use hotconf::{Env, Event, File, Hot, HotConf};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::{env, process::ExitCode, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

#[derive(Clone, Debug, Serialize, HotConf)]
struct Settings {
    #[hotconf(nested)]
    server: Server,
    #[hotconf(nested)]
    limits: Limits,
    #[hotconf(nested)]
    feature: Feature,
    tags: Vec<String>,
}

#[derive(Clone, Debug, Serialize, HotConf)]
struct Server {
    port: u16,
    host: String,
}

#[derive(Clone, Debug, Serialize, HotConf)]
struct Limits {
    max: u64,
    ratio: f64,
}

#[derive(Clone, Debug, Serialize, HotConf)]
struct Feature {
    enabled: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<ExitCode> {
    // In place before the configuration is: a signal that comes early is not lost.
    let mut terminate = signal(SignalKind::terminate())?;

    // What happens is told from the beginning, the warnings of the first load among it.
    let (tell, mut told) = unbounded_channel();
    let mut builder = Hot::<Settings>::builder().on_event(move |event| {
        // It fails only when `main` has ended, and then nobody listens.
        let _ = tell.send(event.clone());
    });
    for file in env::args().skip(1) {
        builder = builder.source(File::new(file));
    }
    let started = tokio::select! {
        started = builder.source(Env::prefixed("HOTCONF")).start() => started,
        _ = terminate.recv() => {
            say(&json!({ "ev": "stopped" }))?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let config = match started {
        Ok(config) => config,
        Err(error) => {
            say(&json!({ "ev": "error", "error": error.to_string() }))?;
            return Ok(ExitCode::FAILURE);
        }
    };

    // Called now and on each change, so nothing is lost between the first value and the second.
    let (publish, mut published) = unbounded_channel();
    let bound = config.bind(Settings::FIELDS, move |settings| {
        let _ = publish.send(settings.clone());
    });

    tokio::select! {
        ended = follow(&mut published, &mut told) => ended?,
        _ = terminate.recv() => {}
    }
    // What comes after this is nobody's business: `stopped` is the last line.
    drop(bound);
    // An error says that something outlived the grace; the process ends it all the same.
    let _ = config.shutdown(Duration::from_millis(500)).await;
    say(&json!({ "ev": "stopped" }))?;
    Ok(ExitCode::SUCCESS)
}

/// Says what is published and what happens, until the configuration ends.
async fn follow(
    published: &mut UnboundedReceiver<Settings>,
    told: &mut UnboundedReceiver<Event>,
) -> io::Result<()> {
    let Some(mut shown) = published.recv().await else { return Ok(()) };
    say(&json!({ "ev": "ready", "config": shown }))?;
    loop {
        tokio::select! {
            biased;
            Some(now) = published.recv() => {
                let paths = shown.diff(&now).paths();
                say(&json!({ "ev": "change", "paths": paths, "config": now }))?;
                shown = now;
            }
            Some(event) = told.recv() => if let Some(line) = line_of(&event) { say(&line)? },
            else => return Ok(()),
        }
    }
}

/// The line of an event; none for what is said elsewhere.
fn line_of(event: &Event) -> Option<Value> {
    match event {
        Event::Rejected(error) => Some(json!({ "ev": "rejected", "error": error.to_string() })),
        Event::SourceDown(down) => Some(json!({ "ev": "rejected", "error": down.error().to_string() })),
        Event::Warning(warning) => Some(json!({ "ev": "warning", "warning": warning.to_string() })),
        Event::Lagged(lost) => {
            Some(json!({ "ev": "warning", "warning": format!("{lost} events were lost") }))
        }
        _ => None,
    }
}

/// Writes one line and flushes it at once.
fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
