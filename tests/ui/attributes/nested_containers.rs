use hotconf::HotConf;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

#[derive(Clone, HotConf)]
struct Inner {
    a: u8,
}

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(nested)]
    option_of_list: Option<Vec<Inner>>,
    #[hotconf(nested)]
    by_number: HashMap<u32, Inner>,
    #[hotconf(nested)]
    lists: BTreeMap<String, Vec<Inner>>,
    #[hotconf(nested)]
    shared: Arc<Inner>,
    #[hotconf(nested)]
    array: [Inner; 2],
    #[hotconf(nested)]
    pair: (Inner, Inner),
}

fn main() {
    let _ = Http::FIELDS.array;
}
