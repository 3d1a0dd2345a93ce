//! Writes comparing, freezing and the walk from a number to a value.

use super::setters::present;
use crate::model::{Body, Content, Field, Input, private, private_at};
use crate::types;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

/// The body of `__differ`.
pub(crate) fn differ(input: &Input) -> TokenStream {
    let p = private();
    match &input.body {
        Body::Struct(fields) => {
            let calls = compared(input, fields, 0, |field| {
                let ident = &field.ident;
                (quote!(&self.#ident), quote!(&__other.#ident))
            });
            quote!(#(#calls)*)
        }
        Body::Enum(variants) => {
            let arms = present(variants).map(|(index, variant)| {
                let ident = &variant.ident;
                match &variant.shape {
                    Content::Fields(fields) => {
                        let a = pattern(fields, "__a");
                        let b = pattern(fields, "__b");
                        let calls = compared(input, fields, index, |field| {
                            let (a, b) = (local(field, "__a"), local(field, "__b"));
                            (quote!(#a), quote!(#b))
                        });
                        quote!((Self::#ident { #a }, Self::#ident { #b }) => { #(#calls)* })
                    }
                    Content::Section(_) => quote! {
                        (Self::#ident(a), Self::#ident(b)) => {
                            #p::HotConf::__differ(a, b, __base + #p::base(<Self as #p::Section>::SECTION, #index), __out);
                        }
                    },
                    Content::Unit | Content::Other => quote!((Self::#ident, Self::#ident) => {}),
                }
            });
            quote! {
                match (self, __other) {
                    #(#arms)*
                    _ => #p::differ_all(<Self as #p::Section>::SECTION, __base, __out),
                }
            }
        }
        Body::Other => TokenStream::new(),
    }
}

fn compared(
    input: &Input,
    fields: &[Field],
    variant: usize,
    pair: impl Fn(&Field) -> (TokenStream, TokenStream),
) -> Vec<TokenStream> {
    let p = private();
    let mut flat = matches!(input.body, Body::Struct(_));
    let fields = fields.iter().filter(|field| !field.is_skipped());
    let calls = fields.map(|field| {
        let (a, b) = pair(field);
        let index = field.index;
        // Up to the first section, numbers are indices.
        let number = if flat {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            quote!(#number)
        } else {
            quote!(#p::number(<Self as #p::Section>::SECTION, #variant, #index))
        };
        let call = if field.is_nested() {
            flat = false;
            quote!(Nested::differ)
        } else if types::option(&field.ty).is_some() {
            quote!(differ_option)
        } else {
            quote!(differ)
        };
        let p = private_at(field.span());
        quote_spanned!(field.span()=> #p::#call(#a, #b, __base + #number, __out);)
    });
    calls.collect()
}

/// `__freeze`, where a field could be frozen.
pub(crate) fn freeze(input: &Input) -> Option<TokenStream> {
    let p = private();
    let frozen = |field: &&Field| !field.is_skipped() && (field.is_nested() || field.attrs.restart.is_some());
    let call = |field: &Field, place: &TokenStream, start: &TokenStream| {
        if field.attrs.restart.is_some() {
            quote!(#p::Clone::clone_from(#place, #start);)
        } else {
            quote!(#p::Nested::freeze(#place, #start);)
        }
    };
    let body = match &input.body {
        Body::Struct(fields) => {
            let calls: Vec<_> = fields
                .iter()
                .filter(frozen)
                .map(|field| {
                    let ident = &field.ident;
                    call(field, &quote!(&mut self.#ident), &quote!(&start.#ident))
                })
                .collect();
            if calls.is_empty() {
                return None;
            }
            quote!(#(#calls)*)
        }
        Body::Enum(variants) => {
            let arms: Vec<_> = present(variants)
                .filter_map(|(_, variant)| {
                    let ident = &variant.ident;
                    if let Content::Section(_) = &variant.shape {
                        return Some(
                            quote!((Self::#ident(a), Self::#ident(b)) => #p::HotConf::__freeze(a, b),),
                        );
                    }
                    let fields = variant.fields();
                    let calls: Vec<_> = fields
                        .iter()
                        .filter(frozen)
                        .map(|field| {
                            let (a, b) = (local(field, "__a"), local(field, "__b"));
                            call(field, &quote!(#a), &quote!(#b))
                        })
                        .collect();
                    let (a, b) = (pattern(fields, "__a"), pattern(fields, "__b"));
                    (!calls.is_empty())
                        .then(|| quote!((Self::#ident { #a }, Self::#ident { #b }) => { #(#calls)* }))
                })
                .collect();
            if arms.is_empty() {
                return None;
            }
            quote!(match (self, start) { #(#arms)* _ => {} })
        }
        Body::Other => return None,
    };
    Some(quote!(fn __freeze(&mut self, start: &Self) { #body }))
}

/// `Section::__at`.
pub(crate) fn at(input: &Input) -> TokenStream {
    let p = private();
    let found = |field: &Field, place: TokenStream| {
        if field.is_nested() {
            let p = private_at(field.span());
            quote_spanned!(field.span()=> return #p::Node::at(#place, number, depth - 1))
        } else {
            place
        }
    };
    let body = match &input.body {
        Body::Struct(fields) => {
            let arms = fields.iter().filter(|field| !field.is_skipped()).map(|field| {
                let (index, ident) = (field.index, &field.ident);
                let found = found(field, quote!(&self.#ident));
                quote!(#index => #found,)
            });
            quote!(match field { #(#arms)* _ => return #p::None })
        }
        Body::Enum(variants) => {
            let arms = present(variants).flat_map(|(index, variant)| {
                let ident = &variant.ident;
                if let Content::Section(_) = &variant.shape {
                    return vec![quote! {
                        (#index, Self::#ident(section)) => return #p::variant_at(section, <Self as #p::Section>::SECTION, #index, leaf, depth - 1),
                    }];
                }
                let arms = variant.fields().iter().filter(|field| !field.is_skipped()).map(|field| {
                    let (at, name) = (field.index, &field.ident);
                    let found = found(field, quote!(found));
                    quote!((#index, Self::#ident { #name: found, .. }) if field == #at => #found,)
                });
                arms.collect()
            });
            quote!(match (variant, self) { #(#arms)* _ => return #p::None })
        }
        Body::Other => quote!(return #p::None),
    };
    // Of all numbers of an enum only the tag's leads to no variant.
    let tag = match &input.body {
        Body::Enum(_) => quote!(#p::Some(self)),
        Body::Struct(_) | Body::Other => quote!(#p::None),
    };
    quote! {
        fn __at(&self, leaf: #p::u32, depth: #p::u32) -> #p::Option<&dyn #p::Any> {
            let (variant, field, number) = match #p::step(<Self as #p::Section>::SECTION, leaf) {
                #p::Some(step) => step,
                #p::None => return #tag,
            };
            let found: &dyn #p::Any = #body;
            #p::Some(found)
        }
    }
}

fn local(field: &Field, prefix: &str) -> Ident {
    format_ident!("{prefix}{}", field.index)
}

/// Binds the fields that are not skipped.
fn pattern(fields: &[Field], prefix: &str) -> TokenStream {
    let fields = fields.iter().filter(|field| !field.is_skipped());
    let bound = fields.map(|field| {
        let (ident, local) = (&field.ident, local(field, prefix));
        quote!(#ident: #local)
    });
    quote!(#(#bound,)* ..)
}
