use hotconf::HotConf;

#[derive(Clone, HotConf)]
struct Http {
    #[hotconf(default = "3", default = 4)]
    twice: u32,
    #[hotconf(default = -1)]
    negative: u32,
    #[hotconf(default = true)]
    number: u32,
    #[hotconf(default = 1)]
    text: String,
}

fn main() {}
