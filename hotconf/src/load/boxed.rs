//! A boxed section is the section.
//!
//! `Box` needs this instead of a [`Nested`](super::Nested) of its own: to the orphan rule a box is its
//! content, so that the two implementations could meet.

use super::{At, HotConf, Loader};
use crate::schema::Moved;
use crate::schema::meta::Schema;

impl<S: HotConf> HotConf for Box<S> {
    const SCHEMA: &'static Schema = S::SCHEMA;

    fn __load(cx: &mut Loader<'_>, at: At<'_>) -> Option<Self> {
        S::__load(cx, at).map(Self::new)
    }

    fn __update(&mut self, cx: &mut Loader<'_>, at: At<'_>) {
        (**self).__update(cx, at);
    }

    fn __differ(&self, other: &Self, base: u32, out: &mut Moved) {
        (**self).__differ(other, base, out);
    }

    fn __freeze(&mut self, running: &Self) {
        (**self).__freeze(running);
    }
}
