//! One small field, mirrored in an atomic.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::num;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One `Copy` field in an atomic: reading it is one load, in any thread.
///
/// A `Live` is of its field alone: two of them may come from two versions. It keeps no engine alive;
/// after shutdown the last value stays readable.
///
/// ```
/// # use hotconf::{Hot, HotConf};
/// # #[derive(Clone, HotConf)]
/// # struct App { #[hotconf(default = 2)] workers: u32 }
/// let config = Hot::fixed(App { workers: 4 });
/// let workers = config.live(App::FIELDS.workers);
/// assert_eq!(workers.get(), 4);
/// ```
pub struct Live<V> {
    bits: Arc<Slot>,
    /// What keeps the slot up to date; it lives as long as somebody reads.
    keep: Arc<dyn Any + Send + Sync>,
    of: PhantomData<fn() -> V>,
}

/// The atomic, on a cache line of its own: the field is read far more often than anything beside it is written.
#[repr(align(128))]
pub(crate) struct Slot(AtomicU64);

impl Slot {
    pub(crate) fn new(bits: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(bits)))
    }

    pub(crate) fn set(&self, bits: u64) {
        self.0.store(bits, Ordering::Release);
    }
}

impl<V: LiveValue> Live<V> {
    pub(crate) fn new(bits: Arc<Slot>, keep: Arc<dyn Any + Send + Sync>) -> Self {
        Self { bits, keep, of: PhantomData }
    }

    /// The value in force.
    #[inline]
    pub fn get(&self) -> V {
        V::__from_bits(self.bits.0.load(Ordering::Acquire))
    }
}

impl<V> Clone for Live<V> {
    fn clone(&self) -> Self {
        Self { bits: self.bits.clone(), keep: self.keep.clone(), of: PhantomData }
    }
}

impl<V: LiveValue + fmt::Debug> fmt::Debug for Live<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.get()).finish()
    }
}

/// A value that fits 64 bits: integers, floats, `bool`, `char`, [`Duration`], `NonZero`, and `Option`s
/// of those that leave a bit free.
///
/// A `Duration` saturates at 2³⁴ − 1 seconds, some 544 years. Sealed: the encoding is ours to change.
///
/// ```
/// use hotconf::{Hot, HotConf, Live, LiveValue};
/// use std::time::Duration;
///
/// #[derive(Clone, HotConf)]
/// struct App {
///     timeout: Duration,
///     limit: Option<u32>,
/// }
///
/// /// Any number of the configuration.
/// fn now<V: LiveValue>(live: &Live<V>) -> V {
///     live.get()
/// }
///
/// let config = Hot::fixed(App { timeout: Duration::from_secs(5), limit: None });
/// assert_eq!(now(&config.live(App::FIELDS.timeout)), Duration::from_secs(5));
/// assert_eq!(now(&config.live(App::FIELDS.limit)), None);
/// ```
pub trait LiveValue: Copy + Send + Sync + 'static {
    #[doc(hidden)]
    fn __to_bits(self) -> u64;
    #[doc(hidden)]
    fn __from_bits(bits: u64) -> Self;
}

macro_rules! unsigned {
    ($($ty:ty)*) => {$(
        impl LiveValue for $ty {
            #[inline]
            #[allow(clippy::cast_lossless)] // `usize` has no `From`
            fn __to_bits(self) -> u64 { self as u64 }
            #[inline]
            #[allow(clippy::cast_possible_truncation)] // the bits came from a value of this type
            fn __from_bits(bits: u64) -> Self { bits as Self }
        }
    )*};
}

macro_rules! signed {
    ($($ty:ty)*) => {$(
        impl LiveValue for $ty {
            #[inline]
            fn __to_bits(self) -> u64 { i64::from(self).cast_unsigned() }
            #[inline]
            #[allow(clippy::cast_possible_truncation)] // the bits came from a value of this type
            fn __from_bits(bits: u64) -> Self { bits.cast_signed() as Self }
        }
    )*};
}

/// `None` is 2⁶³: no value of 32 bits, and no `char` or `bool`, sets that bit.
macro_rules! optional {
    ($($ty:ty)*) => {$(
        impl LiveValue for Option<$ty> {
            #[inline]
            fn __to_bits(self) -> u64 { self.map_or(NONE, |v| v.__to_bits() & !NONE) }
            #[inline]
            fn __from_bits(bits: u64) -> Self {
                if bits == NONE { None } else { Some(LiveValue::__from_bits(bits)) }
            }
        }
    )*};
}

macro_rules! nonzero {
    ($($ty:ty: $inner:ty,)*) => {$(
        impl LiveValue for $ty {
            #[inline]
            fn __to_bits(self) -> u64 { self.get().__to_bits() }
            #[inline]
            fn __from_bits(bits: u64) -> Self {
                <$ty>::new(<$inner>::__from_bits(bits)).unwrap_or(<$ty>::MIN)
            }
        }
        impl LiveValue for Option<$ty> {
            #[inline]
            fn __to_bits(self) -> u64 { self.map_or(0, LiveValue::__to_bits) }
            #[inline]
            fn __from_bits(bits: u64) -> Self { <$ty>::new(<$inner>::__from_bits(bits)) }
        }
    )*};
}

const NONE: u64 = 1 << 63;

unsigned! { u8 u16 u32 u64 usize }
signed! { i8 i16 i32 i64 }
optional! { u8 u16 u32 i8 i16 i32 f32 bool char }
nonzero! {
    num::NonZeroU8: u8, num::NonZeroU16: u16, num::NonZeroU32: u32, num::NonZeroU64: u64, num::NonZeroUsize: usize,
    num::NonZeroI8: i8, num::NonZeroI16: i16, num::NonZeroI32: i32, num::NonZeroI64: i64, num::NonZeroIsize: isize,
}

impl LiveValue for isize {
    #[inline]
    fn __to_bits(self) -> u64 {
        self.cast_unsigned() as u64
    }
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the bits came from an isize
    fn __from_bits(bits: u64) -> Self {
        bits.cast_signed() as Self
    }
}

impl LiveValue for f64 {
    #[inline]
    fn __to_bits(self) -> u64 {
        self.to_bits()
    }
    #[inline]
    fn __from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

impl LiveValue for f32 {
    #[inline]
    fn __to_bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the bits came from an f32
    fn __from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
}

impl LiveValue for bool {
    #[inline]
    fn __to_bits(self) -> u64 {
        u64::from(self)
    }
    #[inline]
    fn __from_bits(bits: u64) -> Self {
        bits != 0
    }
}

impl LiveValue for char {
    #[inline]
    fn __to_bits(self) -> u64 {
        u64::from(self)
    }
    #[inline]
    fn __from_bits(bits: u64) -> Self {
        // Anything but a char's bits cannot be in there; the branch is what safe code pays for that.
        u32::try_from(bits).ok().and_then(Self::from_u32).unwrap_or(Self::REPLACEMENT_CHARACTER)
    }
}

impl LiveValue for Duration {
    /// Seconds in the upper 34 bits, nanoseconds in the lower 30: no division on the way out.
    #[inline]
    fn __to_bits(self) -> u64 {
        if self.as_secs() >> 34 != 0 {
            return u64::MAX >> 30 << 30 | u64::from(Self::MAX.subsec_nanos());
        }
        self.as_secs() << 30 | u64::from(self.subsec_nanos())
    }
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // 30 bits
    fn __from_bits(bits: u64) -> Self {
        Self::new(bits >> 30, (bits & ((1 << 30) - 1)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<V: LiveValue + PartialEq + fmt::Debug>(values: impl IntoIterator<Item = V>) {
        for value in values {
            assert_eq!(V::__from_bits(value.__to_bits()), value);
        }
    }

    #[test]
    fn every_kind_of_live_value_comes_back_as_it_went_in() {
        round_trip([0, 1, u64::MAX]);
        round_trip([i64::MIN, -1, 0, i64::MAX]);
        round_trip([i8::MIN, -1, i8::MAX]);
        round_trip([isize::MIN, -1, isize::MAX]);
        round_trip([0.0, -0.5, f64::MAX]);
        round_trip([f32::MIN_POSITIVE, -1.5]);
        round_trip([true, false]);
        round_trip(['a', char::MAX, '\0']);
        round_trip([Duration::ZERO, Duration::from_nanos(1), Duration::new((1 << 34) - 1, 999_999_999)]);
        round_trip([None, Some(0), Some(u32::MAX)]);
        round_trip([None, Some(i32::MIN), Some(-1), Some(0), Some(i32::MAX)]);
        round_trip([None, Some(false), Some(true)]);
        round_trip([None, Some('x')]);
        round_trip([None, Some(-1.5f32)]);
        round_trip([None, num::NonZeroU64::new(7), num::NonZeroU64::new(u64::MAX)]);
        round_trip([None, num::NonZeroI8::new(-1), num::NonZeroI8::new(i8::MIN)]);
        round_trip([None, num::NonZeroI64::new(i64::MIN), num::NonZeroI64::new(-1)]);
        round_trip([num::NonZeroI16::MIN, num::NonZeroI16::MAX]);
        round_trip([num::NonZeroI32::MIN, num::NonZeroI32::MAX]);
        round_trip([num::NonZeroIsize::MIN, num::NonZeroIsize::MAX]);
    }

    #[test]
    fn a_duration_of_more_than_544_years_saturates() {
        let longest = Duration::new((1 << 34) - 1, 999_999_999);
        assert_eq!(Duration::__from_bits(Duration::MAX.__to_bits()), longest);
    }
}
