use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http {
    retries: u32,
    #[serde(rename = "retries")]
    attempts: u32,
    #[serde(alias = "retries")]
    tries: u32,
}

fn main() {}
