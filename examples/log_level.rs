//! A log filter that follows the file.
//!
//! `cargo run --example log_level`, then set `filter = "debug"` in `examples/log_level.toml`.

use hotconf::{File, Hot, HotConf};
use std::{error::Error, time::Duration};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, reload};

#[derive(Clone, Debug, HotConf)]
struct Settings {
    /// What is logged: a level, or levels by target such as `info,log_level=debug`.
    // `parse` reads the text through `FromStr`, for types that serde does not know.
    #[hotconf(parse, default = "info")]
    filter: Targets,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (filter, handle) = reload::Layer::new(Targets::new());
    tracing_subscriber::registry().with(fmt::layer().with_filter(filter)).init();

    let config: Hot<Settings> = Hot::builder().source(File::new("examples/log_level.toml")).start().await?;

    // Called now, and on each change, without a gap between the two.
    let _bound = config.bind(Settings::FIELDS.filter, move |filter| {
        // It fails only when the subscriber is gone, and then there is nothing to filter.
        let _ = handle.reload(filter.clone());
    });

    tracing::info!("edit examples/log_level.toml, or end with Ctrl-C");
    let work = async {
        for round in 1.. {
            tracing::debug!(round, "details of the work");
            tracing::info!(round, "one more round");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    };
    tokio::select! {
        () = work => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    config.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
