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

use std::process::Command;
use stores::Bench;

type Part<B> = (&'static str, fn(&mut B));

const STORES: [&str; 5] = ["etcd", "nats", "redis", "zookeeper", "consul"];

/// These parts of one store, or all.
fn run<B: Bench>(named: &[String]) {
    let parts: [Part<B>; 7] = [
        // Before others have left room behind in the heap.
        ("heap", costs::heap),
        ("latency", latency::latency),
        ("one", costs::one_of_a_thousand),
        ("hundred", costs::a_hundred),
        ("freeze", faults::freeze),
        ("back", faults::back),
        ("idle", costs::idle),
    ];
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
    let args = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    let (stores, parts): (Vec<_>, Vec<_>) = args.partition(|arg| STORES.contains(&arg.as_str()));
    match stores.first().map(String::as_str) {
        Some("etcd") if stores.len() == 1 => run::<stores::etcd::Etcd>(&parts),
        Some("nats") if stores.len() == 1 => run::<stores::nats::Nats>(&parts),
        Some("redis") if stores.len() == 1 => run::<stores::redis::Redis>(&parts),
        Some("zookeeper") if stores.len() == 1 => run::<stores::zookeeper::ZooKeeper>(&parts),
        Some("consul") if stores.len() == 1 => run::<stores::consul::Consul>(&parts),
        // Each in a process of its own, which begins with an empty heap.
        _ => {
            let program = std::env::current_exe().expect("it runs");
            for store in STORES.iter().filter(|name| stores.is_empty() || stores.iter().any(|s| s == *name)) {
                let status = Command::new(&program).arg(store).args(&parts).status().expect("it runs");
                assert!(status.success(), "{store}: {status}");
            }
        }
    }
}
