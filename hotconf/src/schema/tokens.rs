//! Compile-checked names of fields.

/// Stand-in: replaced in the merge.
pub trait Select<Root, Out>: Clone + Send + Sync + 'static {
    #[doc(hidden)]
    fn __get(&self, root: &Root) -> Out;
    #[doc(hidden)]
    fn __same(&self, a: &Root, b: &Root) -> bool;
    #[doc(hidden)]
    fn __numbers(&self) -> std::ops::Range<u32>;
}
