use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Inner {
    a: u8,
}

#[derive(Clone, HotConf)]
struct Http {
    #[serde(flatten)]
    inner: Inner,
}

fn main() {}
