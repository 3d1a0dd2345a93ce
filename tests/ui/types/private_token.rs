mod shop {
    use hotconf::HotConf;

    #[derive(Clone, HotConf)]
    pub struct Http {
        pub open: u8,
        closed: u8,
    }
}

fn main() {
    let _ = shop::Http::FIELDS.open;
    let _ = shop::Http::FIELDS.closed;
}
