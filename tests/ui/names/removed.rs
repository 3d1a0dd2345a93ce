use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[hotconf(removed(retries = "use `attempts`"))]
struct Http {
    retries: u32,
}

fn main() {}
