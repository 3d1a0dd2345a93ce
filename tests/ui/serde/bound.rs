use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[serde(bound(deserialize = "T: Clone"), expecting = "a section")]
struct Http<T> {
    #[serde(bound = "T: Copy")]
    retries: T,
    #[serde(bound(serialize = "T: Copy"))]
    written: T,
}

fn main() {}
