use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Tls {
    cert: String,
}

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(nested)]
    tls: Option<Tls>,
}

fn main() {
    let _: hotconf::Field<Http, String> = Http::FIELDS.tls.cert;
}
