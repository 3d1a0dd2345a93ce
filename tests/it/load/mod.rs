//! What a document becomes: every shape of a field, in every format, with every problem at once.

mod attributes;
mod checks;
mod leaves;
mod sections;

use hotconf::{Hot, HotConf, Inline, Loaded};

fn read<T: HotConf>(source: impl hotconf::Source) -> Result<Loaded<T>, hotconf::Error> {
    Hot::<T>::builder().source(source).read()
}

fn toml<T: HotConf>(text: &str) -> T {
    read::<T>(Inline::toml("app.toml", text)).unwrap_or_else(|e| panic!("{e:?}\n{text}")).into_inner()
}

fn refusal<T: HotConf + std::fmt::Debug>(text: &str) -> hotconf::Error {
    read::<T>(Inline::toml("app.toml", text)).expect_err("it is refused")
}
