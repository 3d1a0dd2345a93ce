use hotconf::HotConf;

#[derive(Clone, PartialEq, serde::Deserialize)]
struct Level(u8);

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(nested)]
    level: Level,
}

fn main() {}
