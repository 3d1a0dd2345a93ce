//! Twenty instances of a service, and a change that reaches some of them first: a share that grows, and a way back.
//!
//! `cargo run --example grey_release`

use hotconf::{Event, Format, Hot, HotConf, Inline, InlineHandle, Instance};
use std::error::Error;
use std::time::Duration;

#[derive(Clone, Debug, HotConf)]
struct Shop {
    /// How often a request is tried.
    #[hotconf(default = 3, range = "1..=10")]
    retries: u32,
}

/// What all instances read: three tries, and five for a share of those in Europe.
fn document(percent: u32) -> String {
    format!(
        "retries = 3\n\
         [[hotconf.when]]\n\
         name = \"more tries\"\n\
         labels = {{ zone = {{ prefix = \"eu-\" }} }}\n\
         share = {percent}\n\
         set = {{ retries = 5 }}\n"
    )
}

/// Sets the document everywhere and shows who tries five times.
fn release(percent: u32, fleet: &[(Hot<Shop>, InlineHandle)]) -> Result<(), Box<dyn Error>> {
    for (config, handle) in fleet {
        handle.set(document(percent));
        config.blocking_reload()?;
    }
    let row: String =
        fleet.iter().map(|(config, _)| if config.load().retries == 5 { '#' } else { '.' }).collect();
    println!("{percent:>3} %  {row}");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut fleet = Vec::new();
    for n in 0..20 {
        let zone = if n % 4 == 3 { "us-1" } else { "eu-1" };
        let here = Instance::of(format!("pod-{n}")).label("zone", zone);
        let (source, handle) = Inline::channel("shop.toml", Format::Toml, document(0));
        fleet.push((Hot::<Shop>::builder().source(source).instance(here).blocking_start()?, handle));
    }
    // Who is in stays in while the share grows; those of another zone never are. The way back is the same way.
    for percent in [0, 10, 25, 50, 100, 25, 0] {
        release(percent, &fleet)?;
    }

    release(50, &fleet)?;
    println!("\n{}", fleet[0].0.explain_field(Shop::FIELDS.retries));
    println!("\n{}", fleet[3].0.explain_field(Shop::FIELDS.retries));

    // A mistake in the overlay is refused everywhere, on instances for which it is not meant, too.
    let (config, handle) = &fleet[3];
    let mut events = config.events();
    handle.set(document(50).replace("= 5 }", "= 50 }"));
    while let Some(event) = events.blocking_next()? {
        if let Event::Rejected(error) = event {
            println!("\n{error:?}");
            break;
        }
    }
    for (config, _) in &fleet {
        config.blocking_shutdown(Duration::from_secs(5))?;
    }
    Ok(())
}
