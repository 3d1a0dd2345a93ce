use hotconf::HotConf;
use std::collections::HashMap;

#[derive(Clone, HotConf)]
struct Inner {
    #[hotconf(env = "TOKEN")]
    token: String,
}

#[derive(Clone, HotConf)]
struct Outer {
    #[hotconf(nested)]
    inner: Option<Inner>,
}

#[derive(Clone, HotConf)]
struct List {
    #[hotconf(nested)]
    list: Vec<Inner>,
}

#[derive(Clone, HotConf)]
struct Map {
    #[hotconf(nested)]
    map: HashMap<String, Outer>,
}

fn main() {}
