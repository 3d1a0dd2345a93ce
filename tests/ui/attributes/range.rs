use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(range = LOW..=9)]
    retries: u32,
    #[hotconf(range = "..")]
    weight: u32,
    #[hotconf(range = "5")]
    depth: u32,
}

const LOW: u32 = 1;

fn main() {}
