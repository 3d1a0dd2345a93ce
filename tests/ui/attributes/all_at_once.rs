use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[hotconf(flavour = "x")]
struct Http {
    #[hotconf(range = 3)]
    retries: u32,
    #[hotconf(merge = "prepend")]
    hosts: Vec<String>,
    #[hotconf(default = 300)]
    weight: u8,
    #[hotconf(default = 5)]
    timeout: std::time::Duration,
}

fn main() {}
