use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Node {
    #[hotconf(nested)]
    children: Vec<Node>,
}

fn main() {}
