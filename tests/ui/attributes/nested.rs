use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Inner {
    a: u8,
}

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(nested, parse)]
    parse: Inner,
    #[hotconf(nested, range = 1..=2)]
    range: Inner,
    #[hotconf(nested, env = "INNER")]
    env: Inner,
    #[hotconf(nested, default = "x")]
    default: Inner,
}

fn main() {}
