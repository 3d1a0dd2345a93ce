use hotconf::HotConf;
use std::collections::HashMap;

#[derive(Clone, HotConf)]
struct Inner {
    a: u8,
}

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(merge = "append")]
    number: u32,
    #[hotconf(merge = "append")]
    text: Option<String>,
    #[hotconf(merge = "by_key(name)")]
    texts: Vec<String>,
    #[hotconf(merge = "append")]
    table: HashMap<String, Vec<u8>>,
    #[hotconf(nested, merge = "append")]
    section: Inner,
    #[hotconf(nested, merge = "by_key(name)")]
    sections: HashMap<String, Inner>,
}

fn main() {}
