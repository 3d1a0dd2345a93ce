use hotconf::HotConf;

#[derive(Clone, serde::Deserialize)]
struct Level(u8);

#[derive(Clone, HotConf)]
struct Http {
    level: Level,
}

fn main() {}
