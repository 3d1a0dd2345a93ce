use hotconf::HotConf;

#[derive(Clone, PartialEq)]
struct Level(u8);

#[derive(Clone, HotConf)]
struct Http {
    level: Level,
}

fn main() {}
