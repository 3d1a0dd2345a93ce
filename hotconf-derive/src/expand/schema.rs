//! Writes the schema's constants: names, docs, shapes, defaults and flags.

use crate::attr::{Default, Merge};
use crate::model::{Body, Content, Field, Input, Variant, private, private_at};
use crate::range::Range;
use crate::types;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

/// An expression of type `&'static Schema`.
pub(crate) fn expand(input: &Input) -> TokenStream {
    let p = private();
    let name = input.ident.unraw().to_string();
    let doc = &input.doc;
    let foreign = !input.attrs.checks.is_empty()
        || input.attrs.default.is_some()
        || input.fields().into_iter().any(foreign);
    let made = match &input.body {
        Body::Struct(fields) => {
            let group = group(fields, input.attrs.default.is_some());
            quote!(#p::Schema::of_struct(#name, #doc, #group, #foreign))
        }
        Body::Enum(variants) => {
            let tag = input.attrs.tag.as_ref().map(syn::LitStr::value).unwrap_or_default();
            let variants = variants.iter().filter(|variant| !variant.skip).map(variant);
            quote! {
                #p::Schema::of_enum(#name, #doc, #tag, const { &#p::based([#(#variants),*]) }, #foreign)
            }
        }
        Body::Other => quote!(#p::Schema::of_struct(#name, #doc, #p::Group::new(&[], &[]), false)),
    };
    let removed = (!input.attrs.removed.is_empty()).then(|| {
        let pairs = input.attrs.removed.iter().map(|(key, hint)| quote!((#key, #hint)));
        quote!(.removed(&[#(#pairs),*]))
    });
    let deny = input.attrs.deny_unknown.then(|| quote!(.deny_unknown()));
    quote!(&#made #removed #deny)
}

fn variant(variant: &Variant) -> TokenStream {
    let p = private();
    let Variant { name, aliases, doc, shape, .. } = variant;
    let group = match shape {
        Content::Fields(fields) => group(fields, false),
        Content::Section(ty) => {
            let span = ty.span().resolved_at(proc_macro2::Span::call_site());
            let p = private_at(span);
            quote_spanned!(span=> #p::Group::of(<#ty as #p::Section>::SECTION))
        }
        Content::Unit | Content::Other => quote!(#p::Group::new(&[], &[])),
    };
    quote!(#p::Variant::new(#name, &[#(#aliases),*], #doc, #group))
}

/// `whole` is whether the type has a default of its own, for all its fields.
fn group(fields: &[Field], whole: bool) -> TokenStream {
    let p = private();
    let fields: Vec<_> = fields.iter().filter(|field| !field.is_skipped()).collect();
    let mut names: Vec<(String, u16, bool)> = Vec::new();
    for field in &fields {
        let index = u16::try_from(field.index).unwrap_or(u16::MAX);
        names.push((field.name.clone(), index, false));
        names.extend(field.attrs.aliases.iter().map(|alias| (alias.value(), index, true)));
    }
    names.sort();
    let names = names.iter().map(|(name, index, alias)| quote!((#name, #index, #alias)));
    let metas = fields.iter().map(|field| meta(field, whole));
    quote!(#p::Group::new(const { &#p::numbered([#(#metas),*]) }, &[#(#names),*]))
}

fn meta(field: &Field, whole: bool) -> TokenStream {
    let p = private_at(field.span());
    let Field { name, doc, ty, attrs, .. } = field;
    let written = types::text(ty);
    let mut meta = if field.is_nested() {
        quote_spanned!(field.span()=> #p::FieldMeta::section(#name, #doc, #written, <#ty as #p::Node>::SHAPE))
    } else {
        quote!(#p::FieldMeta::leaf(#name, #doc, #written))
    };
    if !field.is_nested() {
        // What a function of the user's reads may be written in any form.
        let own = attrs.with.is_some() || attrs.parse.is_some();
        if let Some(form) = types::form(ty).filter(|_| !own) {
            let form = quote::format_ident!("{form}");
            meta.extend(quote!(.form(#p::Form::#form)));
        }
        if types::option(ty).is_some() {
            meta.extend(quote!(.optional()));
        }
        if field.is_keyed() {
            meta.extend(quote!(.keyed()));
        }
    }
    meta.extend(default(field, whole));
    if let Some(Range { text: range, .. }) = &attrs.range {
        meta.extend(quote!(.range(#range)));
    }
    if attrs.restart.is_some() {
        meta.extend(quote!(.restart()));
    }
    meta.extend(secrecy(field));
    if let Some(hint) = &attrs.deprecated {
        meta.extend(quote!(.deprecated(#hint)));
    }
    match &attrs.merge {
        Some((Merge::Append, _)) => meta.extend(quote!(.merge(#p::Merge::Append))),
        Some((Merge::ByKey(key), _)) => meta.extend(quote!(.merge(#p::Merge::ByKey(#key)))),
        None => {}
    }
    if let Some(env) = &attrs.env {
        meta.extend(quote!(.env(#env)));
    }
    meta
}

/// What says whether the value may be shown: its name, or the type when it is asked.
fn secrecy(field: &Field) -> TokenStream {
    let (ty, attrs) = (&field.ty, &field.attrs);
    let p = private_at(field.span());
    if types::mentions(ty, "Secret") || types::mentions(ty, "SecretFile") {
        quote!(.secret())
    } else if field.is_nested() {
        TokenStream::new()
    } else if attrs.with.is_some() {
        quote_spanned!(field.span()=> .asked(#p::hides_with::<#ty>))
    } else if attrs.parse.is_some() {
        let ty = types::option(ty).unwrap_or(ty);
        quote_spanned!(field.span()=> .asked(#p::hides_parsed::<#ty>))
    } else if types::plain(ty) {
        TokenStream::new()
    } else {
        quote_spanned!(field.span()=> .asked(#p::hides::<#ty>))
    }
}

/// What the table shows as the default.
fn default(field: &Field, whole: bool) -> TokenStream {
    match &field.attrs.default {
        Some(Default::Value(value)) => match value.shown() {
            Some(text) => quote!(.shown(#text)),
            // A whole section may hold secrets.
            None if field.is_nested() => quote!(.implicit("default")),
            None => {
                let text = types::text(value);
                quote!(.implicit(#text))
            }
        },
        Some(Default::Call(path)) => {
            let text = types::text(path) + "()";
            quote!(.implicit(#text))
        }
        Some(Default::Trait) => match types::default(&field.ty) {
            Some(Ok(text)) => quote!(.shown(#text)),
            Some(Err(word)) => quote!(.implicit(#word)),
            None => quote!(.implicit("default")),
        },
        // Its value is in the type's own default, which is known when it is made.
        None if whole => quote!(.implicit("default")),
        // A function that reads an `Option` is not asked where there is nothing: the key is required.
        None if field.attrs.with.is_some() => TokenStream::new(),
        None if !field.is_nested() && types::option(&field.ty).is_some() => quote!(.implicit("none")),
        None => TokenStream::new(),
    }
}

/// Whether loading the field may run code of the user.
fn foreign(field: &Field) -> bool {
    let attrs = &field.attrs;
    if field.is_skipped() {
        return true;
    }
    let default = match &attrs.default {
        Some(Default::Value(value)) => value.shown().is_none(),
        Some(Default::Call(_)) => true,
        Some(Default::Trait) | None => false,
    };
    default
        || attrs.parse.is_some()
        || attrs.with.is_some()
        || !attrs.checks.is_empty()
        || !field.is_nested() && !types::plain(&field.ty)
}
