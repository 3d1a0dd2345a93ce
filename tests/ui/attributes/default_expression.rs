use hotconf::HotConf;
use std::collections::HashMap;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(default = )]
    nothing: u32,
    #[hotconf(default = , restart)]
    still_nothing: u32,
}

#[derive(Clone, HotConf)]
struct Broken {
    #[hotconf(default = 5 +, restart)]
    unfinished: u32,
    #[hotconf(default = 5 restart)]
    no_comma: u32,
}

#[derive(Clone, HotConf)]
struct Mistyped {
    #[hotconf(default = HashMap::<u8, u8>::new(), restart)]
    map: HashMap<String, u8>,
    #[hotconf(default = missing(1, 2))]
    call: u32,
}

fn main() {}
