use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Disk {
    path: String,
}

#[derive(Clone, HotConf)]
#[serde(tag = "type")]
enum Store {
    A(#[hotconf(restart, env = "X", rename = "zzz")] Disk),
    B(#[hotconf(nested, deprecated = "old", merge = "append", check = good)] Disk),
    C(#[hotconf(skip)] Disk),
    D(#[serde(alias = "d", default)] Disk),
}

fn good(_: &Disk) -> Result<(), String> {
    Ok(())
}

fn main() {}
