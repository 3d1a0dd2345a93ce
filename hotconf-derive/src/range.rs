//! The value of `range = ..`: `1..=10`, or a text that the field's own type reads, `"1ms..=10m"`.

use crate::value::Literal;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Lit, LitStr, Token};

/// A range, as it was written.
pub(crate) struct Range {
    /// With its numbers as a document has them.
    pub(crate) text: String,
    /// What an error points at.
    pub(crate) tokens: TokenStream,
}

const EXPECTED: &str = "expected a range of literals such as `1..=10`, or a text such as \"1ms..=10m\"";

impl Parse for Range {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (text, tokens) = if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            (text.value(), text.into_token_stream())
        } else {
            literals(input)?
        };
        let ends = input.is_empty() || input.peek(Token![,]);
        match bounds(&text) {
            Some([low, high]) if ends && !(low.is_empty() && high.is_empty()) => {
                Ok(Self { text: plain(&text), tokens })
            }
            _ => Err(syn::Error::new_spanned(tokens, EXPECTED)),
        }
    }
}

/// `1..=10`, `..10` or `1..`, of literals.
fn literals(input: ParseStream<'_>) -> syn::Result<(String, TokenStream)> {
    let (mut text, mut tokens) = (String::new(), TokenStream::new());
    if !input.peek(Token![..]) {
        text += &bound(input, &mut tokens)?;
    }
    if let Some(dots) = input.parse::<Option<Token![..=]>>()? {
        dots.to_tokens(&mut tokens);
        text += "..=";
    } else if let Some(dots) = input.parse::<Option<Token![..]>>()? {
        dots.to_tokens(&mut tokens);
        text += "..";
    }
    if !input.is_empty() && !input.peek(Token![,]) {
        text += &bound(input, &mut tokens)?;
    }
    Ok((text, tokens))
}

/// A number, without its suffix, or a character.
fn bound(input: ParseStream<'_>, tokens: &mut TokenStream) -> syn::Result<String> {
    let expected = input.error(EXPECTED);
    let minus: Option<Token![-]> = input.parse()?;
    let lit: Lit = input.parse().map_err(|_| expected.clone())?;
    minus.to_tokens(tokens);
    lit.to_tokens(tokens);
    match lit {
        Lit::Int(_) | Lit::Float(_) | Lit::Char(_) => {
            Literal { negative: minus.is_some(), lit }.shown().ok_or(expected)
        }
        _ => Err(expected),
    }
}

/// The two bounds of a range; one may be empty.
pub(crate) fn bounds(range: &str) -> Option<[&str; 2]> {
    let (low, high) = range.split_once("..")?;
    Some([low.trim(), high.strip_prefix('=').unwrap_or(high).trim()])
}

/// The text without Rust's `_` between two digits, which no source's number has either.
fn plain(text: &str) -> String {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut plain = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c != '_' || !digit(plain.chars().last()) || !digit(text[at + 1..].chars().next()) {
            plain.push(c);
        }
    }
    plain
}
