use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[hotconf(removed(a = 1, b = 2), flavour)]
struct Http {
    #[hotconf(bogus, bogus2 = 1, default = 3)]
    retries: u32,
    #[hotconf(default = Vec::<u8, restart, wrong)]
    hosts: Vec<u8>,
    #[hotconf(restart = true, parse(u8))]
    #[serde(rename(deserialise = "x", serialise = "y"), flatten)]
    inner: u8,
}

fn main() {}
