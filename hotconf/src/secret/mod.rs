//! A value that is shown nowhere and wiped when it is dropped.
//!
//! There is no `Serialize` on purpose: whatever is written out could end in a log, a cache or a dump.
//! A program that has to hand the value on calls [`Secret::expose`], where a reader sees it.

pub(crate) mod probe;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;
use zeroize::Zeroize;

/// A value that no `Debug`, error, event or log shows, and that is wiped on drop.
///
/// ```
/// use hotconf::Secret;
///
/// let password = Secret::from(String::from("correct horse"));
/// assert_eq!(format!("{password:?}"), "Secret(..)");
/// assert_eq!(password.expose(), "correct horse");
/// ```
///
/// In a configuration it may stand anywhere in the type of a leaf, under any name: `type Password =
/// Secret<String>`, a map of those, a struct of serde's that holds one. The whole leaf is then shown nowhere.
/// Types that are neither std's nor this crate's are asked once, by reading them from samples; of which
/// nothing can be told that way (`untagged`, `flatten`, a text with rules that no sample keeps), those are
/// taken to hold a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Shows the value: the one place at which it leaves.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        probe::count();
        Self(value)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        probe::count();
        // Whatever is wrong, the deserializer's own words may contain the value.
        deserializer
            .deserialize_newtype_struct(NAME, Hidden(PhantomData))
            .map_err(|error| D::Error::custom(safe(&error.to_string())))
    }
}

/// Under this name a deserializer of this crate knows that it reads a secret.
pub(crate) const NAME: &str = "$hotconf::Secret";

/// What stands in an error for everything that is known of a secret.
pub(crate) const NOT_SHOWN: &str = "invalid value (not shown: secret)";

/// Ends what this crate's deserializer says of a secret: what was expected, never what was found.
pub(crate) const WITHHELD: &str = "(the value is not shown: secret)";

/// What may be told of `message`: only this crate's own deserializer leaves the value out.
fn safe(message: &str) -> &str {
    if message.starts_with("expected ") && message.ends_with(WITHHELD) { message } else { NOT_SHOWN }
}

struct Hidden<T>(PhantomData<T>);

impl<'de, T: Zeroize + Deserialize<'de>> Visitor<'de> for Hidden<T> {
    type Value = Secret<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret<T>, D::Error> {
        T::deserialize(deserializer).map(Secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, U32Deserializer};

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Some(Secret::from(String::from("hunter2")))), "Some(Secret(..))");
    }

    #[test]
    fn an_error_of_any_deserializer_hides_the_value() {
        let number: U32Deserializer<ValueError> = 271_828_u32.into_deserializer();
        let error = Secret::<String>::deserialize(number).expect_err("a number is no string");
        assert!(!error.to_string().contains("271828"), "{error}");
    }
}
