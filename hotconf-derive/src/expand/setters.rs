//! Writes loading and updating: one expression per field, of one call.

use super::{fallback, ranges};
use crate::attr::Default;
use crate::model::{Body, Content, Field, Input, Variant, private};
use crate::types;
use crate::value::Value;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};

/// The body of `__load`.
pub(crate) fn load(input: &Input) -> TokenStream {
    let p = private();
    match &input.body {
        Body::Struct(fields) => {
            let built = build(input, fields, &quote!(Self));
            checked(input, &built)
        }
        Body::Enum(variants) => {
            let arms = present(variants).map(|(index, variant)| {
                let ident = &variant.ident;
                let built = match &variant.shape {
                    Content::Fields(fields) => build(input, fields, &quote!(Self::#ident)),
                    Content::Section(ty) => {
                        quote! {
                            match __cx.newtype::<#ty>(__at) {
                                #p::Some(section) => #p::Some(Self::#ident(section)),
                                #p::None => #p::None,
                            }
                        }
                    }
                    Content::Unit | Content::Other => quote!(#p::Some(Self::#ident)),
                };
                quote!(#p::Some(#index) => { #built })
            });
            checked(input, &quote!(match __cx.variant(__at) { #(#arms)* _ => #p::None }))
        }
        Body::Other => quote!(#p::None),
    }
}

/// Wraps a built value in the type's own checks.
fn checked(input: &Input, built: &TokenStream) -> TokenStream {
    let p = private();
    let checks = &input.attrs.checks;
    if checks.is_empty() {
        return built.clone();
    }
    // A closure would be one more item: the block is labelled instead.
    quote! {
        let mut value: #p::Option<Self> = { #built };
        #( if let #p::Some(built) = value { value = __cx.checked(__at, built, #checks); } )*
        value
    }
}

/// Every field is evaluated before any is found missing, so that all problems are reported in one pass.
fn build(input: &Input, fields: &[Field], name: &TokenStream) -> TokenStream {
    let p = private();
    let read: Vec<_> = fields.iter().filter(|field| !field.is_skipped()).collect();
    let locals: Vec<_> = read.iter().map(|field| format_ident!("__f{}", field.index)).collect();
    let idents = read.iter().map(|field| &field.ident);
    let values = read.iter().map(|field| value(input, field, None));
    let skipped = fields.iter().filter(|field| field.is_skipped()).map(|field| {
        let (ident, ty) = (&field.ident, &field.ty);
        match fallback(input, field) {
            Some(default) => quote!(#ident: { let default: fn() -> #ty = #default; default() }),
            None => quote_spanned!(field.span()=> #ident: <#ty as #p::Default>::default()),
        }
    });
    quote! {
        #(let #locals = #values;)*
        match (#(#locals,)*) {
            (#(#p::Some(#locals),)*) => #p::Some(#name { #(#idents: #locals,)* #(#skipped,)* }),
            _ => #p::None,
        }
    }
}

/// The body of `__update`.
pub(crate) fn update(input: &Input) -> TokenStream {
    let p = private();
    let checks = &input.attrs.checks;
    let fields = match &input.body {
        Body::Struct(fields) => {
            let arms = arms(input, fields, |field| {
                let ident = &field.ident;
                quote!(&mut self.#ident)
            });
            moved(&arms)
        }
        Body::Enum(variants) => {
            let arms = present(variants).filter_map(|(_, variant)| {
                let ident = &variant.ident;
                match &variant.shape {
                    Content::Fields(fields) => {
                        let read: Vec<_> = fields.iter().filter(|field| !field.is_skipped()).collect();
                        let idents = read.iter().map(|field| &field.ident);
                        let locals = read.iter().map(|field| format_ident!("__f{}", field.index));
                        let arms = arms(input, fields, |field| {
                            let local = format_ident!("__f{}", field.index);
                            quote!(#local)
                        });
                        let moved = moved(&arms);
                        Some(quote!(Self::#ident { #(#idents: #locals,)* .. } => { #moved }))
                    }
                    Content::Section(_) => {
                        Some(quote!(Self::#ident(section) => __cx.update_newtype(__at, section),))
                    }
                    Content::Unit | Content::Other => None,
                }
            });
            let is = present(variants).map(|(index, variant)| {
                let ident = &variant.ident;
                quote!(Self::#ident { .. } => #index,)
            });
            quote! {
                if __cx.retagged(__at, match self { #(#is)* _ => #p::usize::MAX }) {
                    if let #p::Some(value) = Self::__load(__cx, __at) {
                        *self = value;
                    }
                    return;
                }
                match self { #(#arms)* _ => {} }
            }
        }
        Body::Other => return TokenStream::new(),
    };
    quote! {
        #fields
        #( __cx.check(__at, &*self, #checks); )*
    }
}

fn moved(arms: &[TokenStream]) -> TokenStream {
    if arms.is_empty() {
        return TokenStream::new();
    }
    quote!(for __i in __cx.moved(__at) { match __i { #(#arms)* _ => {} } })
}

fn arms(input: &Input, fields: &[Field], place: impl Fn(&Field) -> TokenStream) -> Vec<TokenStream> {
    let fields = fields.iter().filter(|field| !field.is_skipped());
    let arms = fields.map(|field| {
        let (index, place) = (field.index, place(field));
        let plain = field.is_nested() && field.attrs.checks.is_empty();
        if plain {
            let update = match fallback(input, field) {
                Some(default) => {
                    quote_spanned!(field.span()=> __cx.update_nested_or(__at, #index, #place, #default))
                }
                None => quote_spanned!(field.span()=> __cx.update_nested(__at, #index, #place)),
            };
            return quote!(#index => #update,);
        }
        let value = value(input, field, Some(&place));
        quote!(#index => { let value = #value; __cx.put(#place, value); })
    });
    arms.collect()
}

/// Reads one field: an expression of type `Option` of the field's type. `place` is where the value that it
/// replaces stands.
fn value(input: &Input, field: &Field, place: Option<&TokenStream>) -> TokenStream {
    let (ty, index, attrs) = (&field.ty, field.index, &field.attrs);
    let span = field.span();
    let text = match &attrs.default {
        Some(Default::Value(value)) => text(field, value),
        _ => None,
    };
    let default = fallback(input, field);
    let value = if field.is_nested() {
        match default {
            Some(default) => quote_spanned!(span=> __cx.nested_or::<#ty>(__at, #index, #default)),
            None => quote_spanned!(span=> __cx.nested::<#ty>(__at, #index)),
        }
    } else if let Some(read) = &attrs.with {
        let read = quote!(|source| #read(source));
        match (text, default) {
            (Some(text), _) => quote_spanned!(span=> __cx.with_text::<#ty>(__at, #index, #read, #text)),
            (None, Some(default)) => {
                quote_spanned!(span=> __cx.with_or::<#ty>(__at, #index, #read, #default))
            }
            (None, None) => quote_spanned!(span=> __cx.with::<#ty>(__at, #index, #read)),
        }
    } else {
        let inner = types::option(ty).filter(|_| attrs.parse.is_some());
        let verb = match (attrs.parse.is_some(), inner) {
            (false, _) => "leaf",
            (true, None) => "parsed",
            (true, Some(_)) => "parsed_option",
        };
        let ty = inner.unwrap_or(ty);
        let ident = |suffix: &str| format_ident!("{verb}{suffix}", span = span);
        match (text, default) {
            (Some(text), _) => {
                let call = ident("_text");
                quote_spanned!(span=> __cx.#call::<#ty>(__at, #index, #text))
            }
            (None, Some(default)) => {
                let call = ident("_or");
                quote_spanned!(span=> __cx.#call::<#ty>(__at, #index, #default))
            }
            (None, None) => {
                let call = ident("");
                quote_spanned!(span=> __cx.#call::<#ty>(__at, #index))
            }
        }
    };
    let value = match place.filter(|_| field.is_keyed()) {
        Some(place) => quote_spanned!(span=> { let value = #value; __cx.joined(__at, &*#place, value) }),
        None => value,
    };
    ranges::wrap(field, value)
}

/// A default that is read like a document's value: a text, and a literal of a primitive type, which
/// was checked. It costs no closure.
fn text(field: &Field, value: &Value) -> Option<String> {
    if let Some(text) = value.text() {
        return Some(text);
    }
    let ty = types::value(&field.ty);
    let primitive = types::integer(ty).is_some()
        || types::name(ty).is_some_and(|name| {
            // The standard library's other numbers have no literals of their own: they are read from text.
            matches!(name.as_str(), "bool" | "f32" | "f64") || name.starts_with("NonZero")
        });
    if primitive && field.attrs.with.is_none() { value.shown() } else { None }
}

/// The variants that are in the schema, with their indices there.
pub(crate) fn present(variants: &[Variant]) -> impl Iterator<Item = (usize, &Variant)> {
    variants.iter().filter(|variant| !variant.skip).enumerate()
}
