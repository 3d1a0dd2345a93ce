use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http<'a> {
    host: &'a str,
}

fn main() {}
