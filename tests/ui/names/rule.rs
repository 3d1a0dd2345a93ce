use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(rename_all = "Kebab-Case")]
struct Http {
    retries: u32,
}

fn main() {}
