//! Whether a leaf's type may hold a [`Secret`](super::Secret), asked of the type itself.
//!
//! The text of a type does not tell: an alias, a struct of serde's and a conversion all hide the name. So
//! the type is made to read itself from samples, once, and what it makes on the way is watched. The rule
//! that holds: a type is open only if that was seen; whatever is in doubt counts as a secret.

mod sample;

use crate::sync::lock;
use serde::de::DeserializeOwned;
use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;
use std::sync::Mutex;

thread_local! {
    static MADE: Cell<u64> = const { Cell::new(0) };
}

/// Counts a secret that is being made.
pub(crate) fn count() {
    MADE.set(MADE.get().wrapping_add(1));
}

/// How many secrets this thread began to make: two answers that differ have one between them.
pub(crate) fn made() -> u64 {
    MADE.get()
}

/// Tells whether a leaf that serde reads may hold a secret; `seen` says that one did.
#[doc(hidden)]
pub fn hides<T: DeserializeOwned + 'static>(seen: bool) -> bool {
    known::<T, Read<T>>(seen, || sample::opens(&mut |probe| T::deserialize(probe).is_ok()))
}

/// The same of a leaf that `FromStr` reads.
#[doc(hidden)]
pub fn hides_parsed<T: FromStr + 'static>(seen: bool) -> bool {
    known::<T, Parsed<T>>(seen, || sample::parses(&mut |text| T::from_str(text).is_ok()))
}

/// The same of a leaf that a function of the user's reads, which is asked nothing.
#[doc(hidden)]
pub fn hides_with<T: 'static>(seen: bool) -> bool {
    known::<T, With<T>>(seen, || false)
}

struct Read<T>(PhantomData<T>);
struct Parsed<T>(PhantomData<T>);
struct With<T>(PhantomData<T>);

/// What was found, by the type and the way it is read.
static KNOWN: Mutex<BTreeMap<TypeId, bool>> = Mutex::new(BTreeMap::new());

fn known<T: 'static, Way: 'static>(seen: bool, opens: impl FnOnce() -> bool) -> bool {
    // A secret is wiped when it is dropped: where nothing is to be dropped there is none.
    if !std::mem::needs_drop::<T>() {
        return false;
    }
    let way = TypeId::of::<Way>();
    if seen {
        lock(&KNOWN).insert(way, true);
        return true;
    }
    // Bound first: the lock must be free while the type reads, which may ask of another type.
    let found = lock(&KNOWN).get(&way).copied();
    found.unwrap_or_else(|| {
        let before = made();
        let open = is_open(type_name::<T>())
            || catch_unwind(AssertUnwindSafe(opens)).unwrap_or(false) && made() == before;
        // What was seen in the meantime stays.
        *lock(&KNOWN).entry(way).or_insert(!open)
    })
}

/// Tells whether the compiler's name of a type, in which no alias is left, has only types that hold nothing
/// but what is theirs: the standard library's, this crate's units and values, and the parsers' values.
fn is_open(name: &str) -> bool {
    const OPEN: [&str; 9] = [
        "std::",
        "core::",
        "alloc::",
        "hotconf::units::",
        "hotconf::named::content::FileContent",
        "hotconf::value::",
        "serde_json::value::Value",
        "serde_json::map::Map",
        "toml::value::Value",
    ];
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let mut paths = name.split(|c| !word(c)).filter(|path| path.contains("::"));
    paths.all(|path| OPEN.iter().any(|open| path.starts_with(open)))
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;
    use serde::Deserialize;
    use std::collections::HashMap;

    type Password = Secret<String>;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Creds {
        user: String,
        pass: Option<Password>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    enum Login {
        Nobody,
        Named { user: String, way: Way },
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    enum Way {
        Open(String),
        Key(u8, Vec<Password>),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    enum Level {
        Low(String),
        High { why: Vec<String>, how: Option<HashMap<String, u8>> },
    }

    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Key(#[expect(dead_code, reason = "only its shape counts")] Password);

    impl TryFrom<String> for Key {
        type Error = &'static str;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            if text.len() < 1_000 { Err("too short") } else { Ok(Self(text.into())) }
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its shape counts")]
    enum Either {
        Number(u8),
        Table { key: Password },
        Text(String),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Flat {
        user: String,
        #[serde(flatten)]
        rest: Creds,
    }

    #[derive(Deserialize)]
    #[serde(from = "String")]
    struct Dsn {
        #[expect(dead_code, reason = "only its shape counts")]
        pass: Option<Password>,
    }

    impl From<String> for Dsn {
        fn from(text: String) -> Self {
            let pass = text.split_once(':').and_then(|(_, rest)| rest.split_once('@'));
            Self { pass: pass.map(|(pass, _)| pass.to_owned().into()) }
        }
    }

    #[test]
    fn a_type_that_holds_a_secret_hides_whatever_it_is_called() {
        assert!(hides::<Password>(false));
        assert!(hides::<HashMap<String, Password>>(false));
        assert!(hides::<Vec<Creds>>(false));
        assert!(hides::<(u8, Login)>(false));
        assert!(hides::<Dsn>(false));
    }

    #[test]
    fn a_type_of_which_nothing_can_be_told_hides() {
        assert!(hides::<Key>(false), "it takes no sample");
        assert!(hides::<Either>(false), "what it makes depends on what it sees");
        assert!(hides::<Flat>(false), "it does not say which keys it takes");
        assert!(hides_with::<Creds>(false));
    }

    #[test]
    fn a_type_without_a_secret_is_open() {
        assert!(!hides::<Level>(false));
        assert!(!hides::<HashMap<String, Vec<Level>>>(false));
        assert!(!hides::<std::path::PathBuf>(false));
        assert!(!hides_with::<Vec<String>>(false));
    }

    #[test]
    fn a_secret_that_was_seen_is_remembered() {
        #[derive(Deserialize)]
        struct Late(#[expect(dead_code, reason = "only its shape counts")] String);
        assert!(!hides::<Late>(false));
        assert!(hides::<Late>(true) && hides::<Late>(false));
    }

    #[test]
    fn a_name_is_open_if_all_of_it_is() {
        assert!(is_open("std::collections::hash::map::HashMap<alloc::string::String, [u8; 4]>"));
        assert!(!is_open("alloc::vec::Vec<hotconf::secret::Secret<alloc::string::String>>"));
        assert!(!is_open("core::option::Option<shop::Std>"));
    }
}
