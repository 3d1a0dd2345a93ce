use hotconf::HotConf;

#[derive(Clone, HotConf)]
enum Store {
    Memory,
    Disk { path: String },
}

fn main() {}
