//! A remote store of one's own: a server that sends the whole configuration as one line of JSON, again after each
//! change, and every few seconds to show that it lives.
//!
//! `cargo run --example custom_remote`

use hotconf::remote::{Entry, Remote, Session, Step, Store};
use hotconf::{Context, Cursor, Event, Format, Hot, HotConf, SourceError};
use std::io::{BufRead, BufReader, Write};
use std::{error::Error, net::TcpListener, thread, time::Duration};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, Lines};
use tokio::net::TcpStream;

/// Where the server is.
struct Board(String);

/// A connection to it.
struct Line(Lines<tokio::io::BufReader<TcpStream>>);

impl Store for Board {
    type Session = Line;

    fn describe(&self) -> String {
        format!("board {}", self.0)
    }

    async fn connect(&self, _: &Context, _: u32) -> Result<Line, SourceError> {
        let stream = TcpStream::connect(&self.0).await.map_err(down)?;
        Ok(Line(tokio::io::BufReader::new(stream).lines()))
    }
}

impl Session for Line {
    async fn next(&mut self, _: &Context, after: Option<&Cursor>) -> Result<Step, SourceError> {
        if after.is_none() {
            self.0.get_mut().write_all(b"\n").await.map_err(down)?; // asks for a line at once
        }
        let line = self.0.next_line().await.map_err(down)?.ok_or_else(|| down("it closed the connection"))?;
        // If this future is dropped, what was read of a line is kept; how long one may be is the server's word here.
        let all = [("board.json".into(), Entry::new(line.into_bytes(), 0))].into();
        Ok(Step::Listing { all, cursor: Cursor::default() })
    }
}

fn down(why: impl ToString) -> SourceError {
    SourceError::down(why.to_string())
}

#[derive(Clone, Debug, HotConf)]
struct Greeter {
    greeting: String,
    /// How often it is said. 1 to 10.
    #[hotconf(default = 1, range = "1..=10")]
    times: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let source = Remote::of(Board(server.local_addr()?.to_string())).document(Format::Json);
    thread::spawn(move || -> std::io::Result<()> {
        // Three connections, each of which it drops: who follows it comes again.
        for greeting in ["hello", "good morning", "good evening"] {
            let (mut client, _) = server.accept()?;
            BufReader::new(client.try_clone()?).read_line(&mut String::new())?;
            writeln!(client, "{{\"greeting\": \"{greeting}\", \"times\": 2}}")?;
        }
        Ok(())
    });
    let config: Hot<Greeter> = Hot::builder().source(source).blocking_start()?;
    let mut events = config.events();
    println!("{:?}", *config.load());
    while config.load().greeting != "good evening" {
        if let Some(Event::Applied(applied)) = events.blocking_next()? {
            println!("{:?}, set at {}", *config.load(), applied.changes()[0].origin);
        }
    }
    Ok(config.blocking_shutdown(Duration::from_secs(1))?)
}
