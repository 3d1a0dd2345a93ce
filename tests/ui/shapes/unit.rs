use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Nothing;

fn main() {}
