use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(tag = "type")]
enum Store {
    Pair(u8, u8),
    Disk { r#type: String },
}

fn main() {}
