use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Store {
    Memory,
    Disk { path: String },
    Remote(Remote),
}

#[derive(Clone, HotConf)]
struct Remote {
    host: String,
}

#[derive(Clone, HotConf)]
struct Empty {}

#[derive(Clone, HotConf)]
struct Node<T> {
    #[hotconf(nested)]
    store: Store,
    #[hotconf(nested)]
    empty: Empty,
    /// Read as one value: serde may recurse.
    value: T,
}

fn main() {
    let _ = (Node::<u8>::FIELDS.store.disk.path, Node::<u8>::FIELDS.store.remote.host);
}
