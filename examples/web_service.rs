//! A web service on axum whose texts and limits follow the file, request by request.
//!
//! `cargo run --example web_service`, then edit `examples/web_service.toml`. Ctrl-C ends it; with
//! `-- --demo` it takes a free port, asks itself once and ends.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hotconf::{File, Hot, HotConf, Inline};
use std::{env, error::Error, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener, net::TcpStream};

#[derive(Clone, Debug, HotConf)]
struct Service {
    /// Address to listen on. Applies on restart.
    #[hotconf(default = "127.0.0.1:8080", restart)]
    listen: SocketAddr,
    #[hotconf(default = "hello")]
    greeting: String,
    #[hotconf(nested)]
    limits: Limits,
}

#[derive(Clone, Debug, HotConf)]
struct Limits {
    /// Requests at a time; more are answered with 503. Applies to new requests.
    #[hotconf(default = 100, range = "1..")]
    in_flight: usize,
    /// Time for one answer. 1 ms to 1 min; applies to new requests.
    #[hotconf(default = "2s", range = "1ms..=1m")]
    timeout: Duration,
}

struct App {
    config: Hot<Service>,
    /// Each request holds a clone while it is worked on.
    in_flight: Arc<()>,
}

async fn greet(State(app): State<Arc<App>>) -> Result<String, StatusCode> {
    // One version for the whole request: owned, so it may be held across an await.
    let now = app.config.snapshot();
    let request = Arc::clone(&app.in_flight);
    if Arc::strong_count(&request) - 1 > now.limits.in_flight {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let answer = async { format!("{} (version {})\n", now.greeting, now.version()) };
    tokio::time::timeout(now.limits.timeout, answer).await.map_err(|_| StatusCode::GATEWAY_TIMEOUT)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let demo = env::args().any(|argument| argument == "--demo");
    let mut builder = Hot::<Service>::builder().source(File::new("examples/web_service.toml"));
    if demo {
        builder = builder.source(Inline::toml("demo", "listen = \"127.0.0.1:0\""));
    }
    let config = builder.start().await?;

    let listener = TcpListener::bind(config.load().listen).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}/");
    let app = Arc::new(App { config: config.clone(), in_flight: Arc::default() });
    let server = axum::serve(listener, Router::new().route("/", get(greet)).with_state(app));
    tokio::select! {
        ended = server.into_future() => ended?,
        ended = tokio::signal::ctrl_c(), if !demo => ended?,
        asked = ask(address), if demo => print!("{}", asked?),
    }
    config.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
