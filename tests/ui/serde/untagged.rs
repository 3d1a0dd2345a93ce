use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(untagged)]
enum Store {
    Memory,
}

fn main() {}
