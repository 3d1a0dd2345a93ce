use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(skip, restart)]
    cached: Vec<u8>,
}

fn main() {}
