//! Remote stores against real servers: from a put to the new version being readable, beside a bare watch over the
//! same transport; what one key of a thousand costs; what a hundred configurations and an idle one cost; how soon
//! a store is back; and what its freeze does to readers.
//!
//! `tests/servers/fetch && cargo bench --bench remote`, on Linux; a store whose server is not found is named and left
//! out. Names of stores and parts choose some: `cargo bench --bench remote -- redis latency`.

#[path = "../common/mod.rs"]
mod common;
mod costs;
mod faults;
mod forwarder;
mod latency;
// The servers and writers of the tests: a bench uses its part of them.
#[allow(dead_code)]
#[path = "../../tests/remote/nats/node.rs"]
mod nats_node;
mod rig;
#[allow(dead_code, unused_imports)]
#[path = "../../tests/remote/servers/mod.rs"]
mod servers;
mod stores;
#[allow(dead_code)]
#[path = "../../tests/remote/zookeeper/client.rs"]
mod zookeeper_client;

use stores::Bench;

type Part<B> = (&'static str, fn(&mut B));

/// All parts, or those that were named, over one store, if it was named or none was.
fn run<B: Bench>() {
    let parts: [Part<B>; 7] = [
        ("latency", latency::latency),
        ("one", costs::one_of_a_thousand),
        ("hundred", costs::a_hundred),
        ("freeze", faults::freeze),
        ("back", faults::back),
        ("heap", costs::heap),
        ("idle", costs::idle),
    ];
    let names = ["etcd", "nats", "redis", "zookeeper", "consul"];
    let (stores, named): (Vec<_>, Vec<_>) = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .partition(|arg| names.contains(&arg.as_str()));
    if !stores.is_empty() && !stores.iter().any(|store| store == B::NAME) {
        return;
    }
    // What is missing is named by whoever looks for it.
    let Some(mut store) = B::start() else { return };
    println!("\n{}", B::NAME);
    for (name, part) in parts {
        if named.is_empty() || named.iter().any(|named| named == name) {
            part(&mut store);
        }
    }
}

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    run::<stores::etcd::Etcd>();
    run::<stores::nats::Nats>();
    run::<stores::redis::Redis>();
    run::<stores::zookeeper::ZooKeeper>();
    run::<stores::consul::Consul>();
}
