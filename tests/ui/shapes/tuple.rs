use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Port(u16);

fn main() {}
