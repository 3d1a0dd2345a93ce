use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(rename_all = "kebab-case")]
struct Http {
    #[serde(alias = "tries")]
    max_retries: u32,
    #[serde(rename(serialize = "max-retries", deserialize = "attempts"))]
    attempts_made: u32,
}

fn main() {}
