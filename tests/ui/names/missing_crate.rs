use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[hotconf(crate = renamed)]
struct Http {
    #[hotconf(default = 3, range = 1..=9)]
    retries: u32,
    #[hotconf(nested)]
    pools: Vec<Pool>,
}

#[derive(Clone, HotConf)]
struct Pool {
    size: u8,
}

fn main() {
    let _ = Http::FIELDS.retries;
    let _ = Pool::FIELDS.size;
}
