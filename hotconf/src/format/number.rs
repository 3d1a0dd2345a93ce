//! Decimal numbers, exact or refused; shared by the formats.
//!
//! An integer never passes through `f64`: it fits `i64` or `u64`, or the document is refused.

use crate::value::Builder;

/// An integer that some field may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Integer {
    Signed(i64),
    Unsigned(u64),
}

#[cfg(any(feature = "json", feature = "toml"))] // that of YAML speaks of quotes too
pub(super) const TOO_LARGE: &str =
    "expected an integer from -9223372036854775808 to 18446744073709551615, found one outside";
pub(super) const NOT_FINITE: &str = "expected a finite number, found one that is not or is too large";

impl Integer {
    /// Reads `digits` of `radix`, with an optional sign; the caller made sure that they are digits.
    pub(super) fn read(digits: &str, radix: u32) -> Option<Self> {
        match i64::from_str_radix(digits, radix) {
            Ok(value) => Some(Self::Signed(value)),
            Err(_) => u64::from_str_radix(digits, radix).ok().map(Self::Unsigned),
        }
    }

    pub(super) fn push(self, builder: &mut Builder, pos: usize) {
        match self {
            Self::Signed(value) => builder.int(pos, value),
            Self::Unsigned(value) => builder.uint(pos, value),
        }
    }
}

/// Reads a float that is spelled in digits; `None` where it is too large.
pub(super) fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}
