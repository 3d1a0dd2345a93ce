//! Writes what stands around a decoded value: its range and its checks.

use crate::model::{Field, private};
use crate::types;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

/// Wraps `value`, an `Option` of the field's type, in the field's range and checks.
pub(crate) fn wrap(field: &Field, value: TokenStream) -> TokenStream {
    let p = private();
    let (ty, index, attrs) = (&field.ty, field.index, &field.attrs);
    let mut value = value;
    if attrs.range.is_some() {
        let ranged = match (attrs.parse.is_some(), types::option(ty)) {
            (false, _) => quote!(ranged),
            (true, None) => quote!(ranged_parsed),
            (true, Some(_)) => quote!(ranged_parsed_option),
        };
        // Bound first: the loader is borrowed by the inner call.
        value = quote_spanned!(field.span()=> { let value = #value; __cx.#ranged(__at, #index, value) });
    }
    for check in &attrs.checks {
        value = quote! {
            { let value: #p::Option<#ty> = #value; __cx.field_checked(__at, #index, value, |value: &#ty| #check(value)) }
        };
    }
    value
}
