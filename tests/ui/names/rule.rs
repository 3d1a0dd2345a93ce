use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(rename_all = "Kebab-Case")]
struct Http {
    retries: u32,
}

#[derive(Clone, HotConf)]
#[serde(rename_all_fields = "kebab-case")]
struct NoEnum {
    max_size: u8,
}

fn main() {}
