//! Writes code from a model that was found good.
//!
//! All of it stands in one `const _`, calls functions of the crate's `private` module and holds no
//! logic. Items that the user can reach are `FIELDS` and the impls; `Section` is hidden from docs.

mod diff;
mod ranges;
mod schema;
mod setters;
pub(crate) mod tokens;

use crate::attr::Default;
use crate::model::{Body, Content, Field, Input, private, private_at};
use crate::types;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::collections::HashSet;
use syn::spanned::Spanned;
use syn::{Generics, Ident, Type, WherePredicate, parse_quote, parse_quote_spanned};

/// The whole output.
pub(crate) fn expand(input: &Input) -> TokenStream {
    let generics = bounded(input);
    let section = section(input, &generics);
    let hotconf = hotconf(input, &generics);
    let tokens = tokens::expand(input, &generics);
    wrap(input, &quote!(#section #hotconf #tokens))
}

/// Generated code is nobody's style: no lint of the user's crate judges it.
pub(crate) fn wrap(input: &Input, items: &TokenStream) -> TokenStream {
    let anchor = input.anchor();
    quote! {
        #[allow(warnings, clippy::all, clippy::pedantic, clippy::nursery, clippy::restriction)]
        const _: () = { #anchor #items };
    }
}

fn section(input: &Input, generics: &Generics) -> TokenStream {
    let p = private();
    let (name, tree) = (&input.ident, &input.tree);
    let (of, ty, bounds) = generics.split_for_impl();
    let arguments = tokens::arguments(&input.generics);
    let schema = schema::expand(input);
    let at = diff::at(input);
    quote! {
        #[automatically_derived]
        #[doc(hidden)]
        impl #of #p::Section for #name #ty #bounds {
            const SECTION: &'static #p::Schema = #schema;
            type Fields<__Root: 'static, __K: #p::Kind, __P: #p::Place> = #tree<__Root, __K, __P, #arguments>;
            #at
            fn __same(&self, other: &Self) -> #p::bool {
                #p::same(self, other)
            }
        }
    }
}

fn hotconf(input: &Input, generics: &Generics) -> TokenStream {
    let p = private();
    let name = &input.ident;
    let (of, ty, bounds) = generics.split_for_impl();
    let load = setters::load(input);
    let update = setters::update(input);
    let differ = diff::differ(input);
    let freeze = diff::freeze(input);
    quote! {
        #[automatically_derived]
        impl #of #p::HotConf for #name #ty #bounds {
            #[inline]
            fn __load(__cx: &mut #p::Loader<'_>, __at: #p::At<'_>) -> #p::Option<Self> { #load }
            fn __update(&mut self, __cx: &mut #p::Loader<'_>, __at: #p::At<'_>) { #update }
            fn __differ(&self, __other: &Self, __base: #p::u32, __out: &mut #p::Moved) { #differ }
            #freeze
        }
    }
}

/// The type's generics, with the bounds that its fields need.
pub(crate) fn bounded(input: &Input) -> Generics {
    let p = private();
    let mut generics = input.generics.clone();
    let params: Vec<_> = input.generics.type_params().map(|param| param.ident.clone()).collect();
    let mut more = gates(input);
    for param in &params {
        more.push(parse_quote!(#param: #p::Clone + #p::Send + #p::Sync + 'static));
    }
    for field in input.fields() {
        let used: Vec<_> =
            params.iter().filter(|param| types::mentions(&field.ty, &param.to_string())).collect();
        if used.is_empty() {
            continue;
        }
        let (ty, attrs) = (&field.ty, &field.attrs);
        if attrs.nested.is_some() {
            let section = types::section(ty);
            if types::uncontained(ty).is_some() {
                continue;
            }
            more.push(parse_quote!(#section: #p::HotConf));
        } else if attrs.parse.is_some() {
            let one = types::option(ty).unwrap_or(ty);
            more.push(parse_quote!(#one: #p::Parsed));
            more.push(parse_quote!(#ty: #p::PartialEq));
        } else if attrs.with.is_some() {
            more.push(parse_quote!(#ty: #p::PartialEq));
        } else if attrs.skip.is_none() {
            more.extend(used.iter().map(|param| -> WherePredicate { parse_quote!(#param: #p::Leaf) }));
        }
        let implicit = attrs.skip.is_some() && attrs.default.is_none() && input.attrs.default.is_none();
        if implicit || matches!(attrs.default, Some(Default::Trait)) {
            more.push(parse_quote!(#ty: #p::Default));
        }
        if attrs.range.is_some() {
            more.push(parse_quote!(#ty: #p::PartialOrd));
        }
    }
    if let Body::Enum(variants) = &input.body {
        for variant in variants {
            if let Content::Section(ty) = &variant.shape
                && params.iter().any(|param| types::mentions(ty, &param.to_string()))
            {
                more.push(parse_quote!(#ty: #p::HotConf));
            }
        }
    }
    if !more.is_empty() {
        generics.make_where_clause().predicates.extend(more);
    }
    generics
}

/// What fields ask of types that are not std's, stated once per impl. A type that does not keep it is
/// reported here, on the user's tokens, and no second time by the calls that rely on it.
fn gates(input: &Input) -> Vec<WherePredicate> {
    let generic =
        |ty: &Type| input.generics.type_params().any(|param| types::mentions(ty, &param.ident.to_string()));
    let mut seen = HashSet::new();
    let mut gates = Vec::new();
    let mut gate = |ty: &Type, name: &str| {
        // A section in itself is reported by `check`; as a bound it would be an endless one.
        if !generic(ty) && !types::path_ends(ty, &input.ident) && seen.insert(types::text(ty)) {
            let span = ty.span().resolved_at(Span::call_site());
            let (p, name) = (private_at(span), Ident::new(name, span));
            gates.push(parse_quote_spanned!(span=> #ty: #p::#name));
        }
    };
    for field in input.fields().into_iter().filter(|field| !field.is_skipped()) {
        if field.is_nested() {
            // A container that is not known is reported by `check`.
            if types::uncontained(&field.ty).is_none() {
                gate(types::section(&field.ty), "HotConf");
            }
        } else if field.attrs.parse.is_none() && field.attrs.with.is_none() && !types::plain(&field.ty) {
            gate(&field.ty, "Leaf");
        }
    }
    if let Body::Enum(variants) = &input.body {
        for variant in variants.iter().filter(|variant| !variant.skip) {
            if let Content::Section(ty) = &variant.shape {
                gate(ty, "HotConf");
            }
        }
    }
    gates
}

/// What a field is, where no source speaks of it: an expression of type `fn() -> T`.
pub(crate) fn fallback(input: &Input, field: &Field) -> Option<TokenStream> {
    let p = private();
    let (ty, ident) = (&field.ty, &field.ident);
    Some(match (&field.attrs.default, &input.attrs.default) {
        (Some(Default::Trait), _) => quote_spanned!(field.span()=> <#ty as #p::Default>::default),
        (Some(Default::Call(path)), _) => quote!(#path),
        (Some(Default::Value(value)), _) => {
            let value = value.operand();
            quote!(|| #value)
        }
        (None, Some(Default::Trait)) => quote!(|| #p::Clone::clone(&<Self as #p::Default>::default().#ident)),
        (None, Some(Default::Call(path))) => quote!(|| #p::Clone::clone(&#path().#ident)),
        (None, Some(Default::Value(value))) => {
            let value = value.operand();
            quote!(|| { let whole: Self = #value; #p::Clone::clone(&whole.#ident) })
        }
        (None, None) => return None,
    })
}
