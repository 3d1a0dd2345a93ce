use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(untagged, tag = "type")]
enum Store {
    Memory,
}

fn main() {}
