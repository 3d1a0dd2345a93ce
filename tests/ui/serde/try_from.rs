use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(try_from = "String")]
struct Http {
    retries: u32,
}

fn main() {}
