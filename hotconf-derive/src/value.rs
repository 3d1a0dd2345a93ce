//! The value of `default = ..`: a literal, or any expression, kept as the tokens that it was written in.
//!
//! An expression is the compiler's to read, not ours: all that is asked here is where it ends. So syn is
//! built without its `full` grammar, as serde's derive builds it.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::buffer::Cursor;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, Lit, Token};

/// A default, as it was written.
#[derive(Clone)]
pub(crate) struct Value {
    tokens: TokenStream,
    literal: Option<Literal>,
}

/// A literal with its sign.
#[derive(Clone)]
pub(crate) struct Literal {
    pub(crate) negative: bool,
    pub(crate) lit: Lit,
}

impl Value {
    /// The literal that it is, if it is one.
    pub(crate) fn literal(&self) -> Option<&Literal> {
        self.literal.as_ref()
    }

    /// The text that it is, if it is one.
    pub(crate) fn text(&self) -> Option<String> {
        match self.literal()? {
            Literal { negative: false, lit: Lit::Str(text) } => Some(text.value()),
            _ => None,
        }
    }

    /// A literal, as a document would say it.
    pub(crate) fn shown(&self) -> Option<String> {
        self.literal()?.shown()
    }

    /// The value as an operand. In parentheses, a mistake in it is found at its own tokens: an expression
    /// that breaks off would otherwise be blamed on what follows it in generated code.
    pub(crate) fn operand(&self) -> TokenStream {
        if self.literal.is_some() {
            return self.tokens.clone();
        }
        let end = self.tokens.clone().into_iter().last().map_or_else(Span::call_site, |token| token.span());
        let mut group = Group::new(Delimiter::Parenthesis, self.tokens.clone());
        group.set_span(end.resolved_at(Span::call_site()));
        group.into_token_stream()
    }
}

impl Literal {
    /// As a document would say it.
    pub(crate) fn shown(&self) -> Option<String> {
        let plain = match &self.lit {
            Lit::Str(text) => text.value(),
            Lit::Int(int) => int.base10_digits().to_owned(),
            Lit::Float(float) => float.base10_digits().to_owned(),
            Lit::Bool(bool) => bool.value.to_string(),
            Lit::Char(char) => char.value().to_string(),
            _ => return None,
        };
        Some(if self.negative { format!("-{plain}") } else { plain })
    }
}

impl Parse for Literal {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let negative = input.parse::<Option<Token![-]>>()?.is_some();
        Ok(Self { negative, lit: input.parse()? })
    }
}

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() || input.peek(Token![,]) {
            return Err(input.error("expected a literal or an expression"));
        }
        let ahead = input.fork();
        let literal = ahead.parse::<Literal>().ok().filter(|_| ahead.is_empty() || ahead.peek(Token![,]));
        let tokens = input.step(|start| expression(*start))?;
        Ok(Self { tokens, literal })
    }
}

impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}

/// The tokens of an expression, and where it ends: at a comma, or where no operator stands between two
/// operands, so that a comma which was forgotten is missed at its place.
///
/// Commas in brackets are in groups of their own; those of generic arguments are told by the `<` that
/// opens them: it follows `::`, stands where an operand does, or belongs to the type after `as`.
fn expression(start: Cursor<'_>) -> syn::Result<(TokenStream, Cursor<'_>)> {
    let mut tokens = TokenStream::new();
    let mut cursor = start;
    let mut open: Vec<Span> = Vec::new();
    let (mut last, mut cast) = (None, false);
    while let Some((token, next)) = cursor.token_tree() {
        let operand = !last.as_ref().is_some_and(ends_operand);
        match &token {
            TokenTree::Punct(punct) => {
                match punct.as_char() {
                    ',' if open.is_empty() => break,
                    '<' if operand || cast || !open.is_empty() => open.push(punct.span()),
                    '>' if !is(last.as_ref(), '-') => drop(open.pop()),
                    _ => {}
                }
                cast &= !open.is_empty() || matches!(punct.as_char(), ':' | '<' | '>' | '&');
            }
            TokenTree::Ident(word) if word == "as" => cast = true,
            TokenTree::Ident(word) if !operand && word != "else" => break,
            TokenTree::Literal(_) if !operand => break,
            TokenTree::Ident(_) => {}
            TokenTree::Group(_) | TokenTree::Literal(_) => cast &= !open.is_empty(),
        }
        tokens.extend([token.clone()]);
        last = Some(token);
        cursor = next;
    }
    if let Some(open) = open.pop() {
        return Err(syn::Error::new(open, "this `<` is not closed"));
    }
    match last {
        // `0..`, `f()?` and `x as Vec<u8>` are whole.
        Some(TokenTree::Punct(end)) if !matches!(end.as_char(), '.' | '?' | '>') => {
            Err(syn::Error::new(end.span(), "the expression breaks off here"))
        }
        _ => Ok((tokens, cursor)),
    }
}

/// Tells whether an operand is complete with this token, so that an operator, or the end, must follow.
fn ends_operand(token: &TokenTree) -> bool {
    match token {
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Ident(word) => {
            let word = word.to_string();
            word == "self" || word == "Self" || syn::parse_str::<Ident>(&word).is_ok()
        }
        TokenTree::Group(_) | TokenTree::Literal(_) => true,
    }
}

fn is(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse::Parser;

    /// Splits as a list of attributes is split.
    fn split(text: &str) -> Vec<String> {
        let list = syn::punctuated::Punctuated::<Value, Token![,]>::parse_terminated;
        let values = list.parse_str(text).expect("the test's values are values");
        values.iter().map(crate::types::text).collect()
    }

    #[test]
    fn an_expression_ends_at_its_own_comma() {
        for whole in [
            "f(1, 2)",
            "vec![1, 2]",
            "HashMap::<String, u8>::new()",
            "<Map<u8, u16> as Trait<u8, u8>>::make::<A, B>(1)",
            "x as Map<A, B>",
            "&[1, 2]",
            "Pool { min: 1, max: 2 }",
            "if a < b { 1 } else { 2 }",
            "Vec::<fn(u8) -> u8>::new()",
        ] {
            let two = split(&format!("{whole}, restart"));
            assert_eq!(two.len(), 2, "{whole}: {two:?}");
            assert_eq!(two[1], "restart", "{whole}");
        }
        assert_eq!(split("a < b, c > d").len(), 2);
        assert_eq!(split("f()? < g(), c").len(), 2);
    }

    #[test]
    fn literals_are_known() {
        let shown = |text| syn::parse_str::<Value>(text).expect("the test's value is one").shown();
        assert_eq!(shown("-1.5").as_deref(), Some("-1.5"));
        assert_eq!(shown("1_000u32").as_deref(), Some("1000"));
        assert_eq!(shown("true").as_deref(), Some("true"));
        assert_eq!(shown("\"5s\"").as_deref(), Some("5s"));
        assert_eq!(shown("1 + 1"), None);
        assert_eq!(shown("-f()"), None);
    }

    #[test]
    fn what_is_no_expression_is_told_before_the_compiler_meets_it() {
        let error = |text| syn::parse_str::<Value>(text).err().map(|error| error.to_string());
        for (text, expected) in [
            ("", "expected a literal or an expression"),
            ("5 +", "breaks off"),
            ("Vec::<u8::new()", "not closed"),
            ("5 restart", "unexpected token"),
            ("f() restart", "unexpected token"),
            ("LEAST restart", "unexpected token"),
            ("Pool { min: 1 } restart", "unexpected token"),
            ("vec![] 5", "unexpected token"),
        ] {
            let found = error(text).unwrap_or_default();
            assert!(found.contains(expected), "{text}: {found}");
        }
        for whole in
            ["0..", "f()?", "x as u8", "x as Vec<u8>", "if a { b } else { c }", "unsafe { f() }", "(a) + 1"]
        {
            assert_eq!(error(whole), None, "{whole}");
        }
    }
}
