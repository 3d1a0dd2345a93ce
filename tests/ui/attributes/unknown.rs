use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(defualt = 3)]
    retries: u32,
}

// The type can still be used: one mistake, one error.
fn main() {
    let _ = Http::FIELDS.retries;
}
