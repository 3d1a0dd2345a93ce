//! Writes the errors, and impls that say nothing, so that one mistake yields one error.
//!
//! Without them every use of the type would be reported as well.

use crate::expand::{bounded, tokens, wrap};
use crate::model::{Input, private};
use proc_macro2::TokenStream;
use quote::quote;

pub(crate) fn expand(input: &Input, errors: &syn::Error) -> TokenStream {
    let errors = errors.to_compile_error();
    let p = private();
    let (name, tree) = (&input.ident, &input.tree);
    if input.generics.lifetimes().next().is_some() {
        return errors;
    }
    let generics = bounded(input);
    let (of, ty, bounds) = generics.split_for_impl();
    let arguments = tokens::arguments(&input.generics);
    let tokens = tokens::broken(input, &generics);
    let items = wrap(
        input,
        &quote! {
            impl #of #p::Section for #name #ty #bounds {
                const SECTION: &'static #p::Schema = &#p::Schema::of_struct("", "", #p::Group::new(&[], &[]), false);
                type Fields<__Root: 'static, __K: #p::Kind, __P: #p::Place> = #tree<__Root, __K, __P, #arguments>;
                fn __at(&self, _: #p::u32, _: #p::u32) -> #p::Option<&dyn #p::Any> { #p::None }
                fn __same(&self, _: &Self) -> #p::bool { true }
            }
            impl #of #p::HotConf for #name #ty #bounds {
                fn __load(_: &mut #p::Loader<'_>, _: #p::At<'_>) -> #p::Option<Self> { #p::None }
                fn __update(&mut self, _: &mut #p::Loader<'_>, _: #p::At<'_>) {}
                fn __differ(&self, _: &Self, _: #p::u32, _: &mut #p::Moved) {}
            }
            #tokens
        },
    );
    quote!(#errors #items)
}
