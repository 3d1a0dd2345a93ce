use hotconf::HotConf;

#[derive(HotConf)]
struct Http {
    level: u8,
}

fn main() {}
