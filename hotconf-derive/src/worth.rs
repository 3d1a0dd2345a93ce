//! What a literal, or a text, is worth to a type that is known by its name.
//!
//! What this refuses the first load would refuse; a type that is not known here is left to it.

use crate::{types, units};
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use syn::Type;

/// A kind of values.
pub(crate) enum Kind {
    Integer { least: i128, greatest: u128, nonzero: bool },
    Real { short: bool },
    Bool,
    Char,
    Duration,
    Size,
    Address { is: fn(&str) -> bool, expected: &'static str },
}

/// A value, to be compared with others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Worth {
    Negative(Reverse<u128>),
    Natural(u128),
    Real(f64),
    Char(char),
    /// Its bounds are left to the first load.
    Some,
}

impl Kind {
    /// What the type holds, whatever wraps it (`Option`, `Secret`, `Box`).
    pub(crate) fn of(ty: &Type) -> Option<Self> {
        let name = types::name(types::value(ty))?;
        let primitive = name.strip_prefix("NonZero").map(str::to_lowercase);
        if let Some((least, greatest)) = types::integer_named(primitive.as_deref().unwrap_or(&name)) {
            let nonzero = types::text(ty).contains("NonZero");
            return Some(Self::Integer { least, greatest, nonzero });
        }
        let address = |is, expected| Self::Address { is, expected };
        Some(match name.as_str() {
            "f32" => Self::Real { short: true },
            "f64" => Self::Real { short: false },
            "bool" => Self::Bool,
            "char" => Self::Char,
            "Duration" => Self::Duration,
            "ByteSize" => Self::Size,
            "IpAddr" => address(|text| text.parse::<IpAddr>().is_ok(), "an address such as `127.0.0.1`"),
            "Ipv4Addr" => address(|text| text.parse::<Ipv4Addr>().is_ok(), "an address such as `127.0.0.1`"),
            "Ipv6Addr" => address(|text| text.parse::<Ipv6Addr>().is_ok(), "an address such as `::1`"),
            "SocketAddr" => {
                address(|text| text.parse::<SocketAddr>().is_ok(), "an address such as `127.0.0.1:80`")
            }
            "SocketAddrV4" => {
                address(|text| text.parse::<SocketAddrV4>().is_ok(), "an address such as `127.0.0.1:80`")
            }
            "SocketAddrV6" => {
                address(|text| text.parse::<SocketAddrV6>().is_ok(), "an address such as `[::1]:80`")
            }
            _ => return None,
        })
    }

    /// Reads a text as the first load would.
    pub(crate) fn read(&self, text: &str) -> Option<Worth> {
        match self {
            Self::Integer { least, greatest, nonzero } => {
                let worth = match text.trim().strip_prefix('-') {
                    Some(digits) => match natural(digits)? {
                        0 => Worth::Natural(0),
                        digits if digits <= least.unsigned_abs() => Worth::Negative(Reverse(digits)),
                        _ => return None,
                    },
                    None => {
                        let text = text.trim();
                        Worth::Natural(natural(text.strip_prefix('+').unwrap_or(text))?)
                    }
                };
                let fits = !matches!(worth, Worth::Natural(n) if n > *greatest || *nonzero && n == 0);
                fits.then_some(worth)
            }
            Self::Real { short } => {
                let x = text.trim().parse::<f64>().ok()?;
                // Compared as it will be.
                #[expect(clippy::cast_possible_truncation, reason = "so does the load")]
                let x = if *short { f64::from(x as f32) } else { x };
                x.is_finite().then_some(Worth::Real(x))
            }
            Self::Bool => matches!(text.trim(), "true" | "false").then_some(Worth::Some),
            Self::Char => {
                let mut chars = text.chars();
                chars.next().filter(|_| chars.next().is_none()).map(Worth::Char)
            }
            Self::Duration => units::duration(text).map(Worth::Natural),
            Self::Size if in_toml(text) => Some(Worth::Some),
            Self::Size => units::size(text).map(Worth::Natural),
            Self::Address { is, .. } => is(text).then_some(Worth::Some),
        }
    }

    /// What a text should have been.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Integer { least, greatest, nonzero: false } => {
                format!("an integer from {least} to {greatest}")
            }
            Self::Integer { least, greatest, .. } => {
                format!("an integer from {least} to {greatest} but 0")
            }
            Self::Real { .. } => "a number".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Char => "one character".to_owned(),
            Self::Duration => "a duration such as `250ms`".to_owned(),
            Self::Size => "a size such as `64MiB`".to_owned(),
            Self::Address { expected, .. } => (*expected).to_owned(),
        }
    }
}

/// Digits only: `parse` would take another sign.
fn natural(digits: &str) -> Option<u128> {
    digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a size may be written as a value of TOML that is more than digits, such as `0x10` or `1_000`.
fn in_toml(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(['"', '\'', '+'])
        || text.contains('_')
        || text.starts_with("0x")
        || text.starts_with("0o")
        || text.starts_with("0b")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ty: &str, text: &str) -> Option<Worth> {
        let ty: Type = syn::parse_str(ty).expect("the test's type is Rust");
        Kind::of(&ty).expect("the test's type is known").read(text)
    }

    #[test]
    fn values_are_ordered_as_their_types_are() {
        for (ty, texts) in [
            ("i8", ["-128", "-1", "0", "127"]),
            ("Option<u128>", ["0", "1", "+7", "340282366920938463463374607431768211455"]),
            ("f32", ["-1e3", "-0.5", "0", "1.5"]),
            ("char", ["A", "Z", "a", "\u{e9}"]),
            ("std::time::Duration", ["0s", "999us", "1ms", "1m"]),
            ("Secret<ByteSize>", ["0", "1kB", "1KiB", "1MB"]),
        ] {
            let worths: Vec<_> = texts.iter().map(|text| read(ty, text).expect("it reads")).collect();
            assert!(worths.is_sorted_by(|a, b| a < b), "{ty}: {worths:?}");
        }
        assert_eq!(read("i8", "-0"), read("i8", "0"));
    }

    #[test]
    fn what_a_type_cannot_be_is_refused() {
        for (ty, text) in [
            ("u8", "256"),
            ("u8", "-1"),
            ("i8", "-129"),
            ("u8", "--1"),
            ("u8", "1_000"),
            ("NonZeroU8", "0"),
            ("NonZero<i32>", "0"),
            ("f64", "1e999"),
            ("f32", "1e39"),
            ("bool", "yes"),
            ("char", "ab"),
            ("Duration", "fast"),
            ("ByteSize", "10M"),
            ("SocketAddr", "localhost:80"),
        ] {
            assert_eq!(read(ty, text), None, "{ty}: {text}");
        }
        assert!(read("ByteSize", "1_000").is_some() && read("NonZero<i32>", "-1").is_some());
    }
}
