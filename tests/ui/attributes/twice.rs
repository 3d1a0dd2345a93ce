use hotconf::HotConf;

#[derive(Clone, HotConf)]
#[hotconf(deny_unknown, rename_all = "kebab-case")]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Http {
    #[hotconf(range = 1..=2, range = 3..=4)]
    retries: u32,
    #[hotconf(env = "A")]
    #[hotconf(env = "B")]
    name: String,
    #[serde(rename = "b")]
    #[hotconf(rename = "a", restart, restart)]
    key: u8,
    #[hotconf(skip)]
    #[serde(skip_deserializing)]
    cached: u8,
    // Two halves, two checks, two aliases are no repetition.
    #[serde(rename(serialize = "x"), rename(deserialize = "y"), alias = "v", alias = "w")]
    #[hotconf(check = good, check = better)]
    fine: u8,
}

fn good(_: &u8) -> Result<(), String> {
    Ok(())
}

fn better(_: &u8) -> Result<(), String> {
    Ok(())
}

fn main() {}
