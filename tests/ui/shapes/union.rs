use hotconf::HotConf;

#[derive(Clone, Copy, HotConf)]
union Either {
    a: u8,
    b: u16,
}

fn main() {}
