//! What was read of a type: fields and variants with their names settled.
//!
//! The model is complete even where attributes were wrong: the errors are in the context, and what
//! they concern is left out.

use crate::attr;
use crate::case::{Rule, snake};
use crate::ctxt::Ctxt;
use crate::types;
use proc_macro2::Span;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Expr, Fields, Generics, Ident, Lit, Meta, Path, Type, Visibility};

/// The type that derives.
pub(crate) struct Input {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    pub(crate) doc: String,
    pub(crate) attrs: attr::Container,
    pub(crate) body: Body,
    /// Name of the type that holds its tokens.
    pub(crate) tree: Ident,
}

/// What it is made of.
pub(crate) enum Body {
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
    /// A shape that cannot be a section; the error is reported.
    Other,
}

/// One variant of an enum; skipped ones are in it.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    /// Name of its token.
    pub(crate) token: Ident,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) doc: String,
    pub(crate) skip: bool,
    pub(crate) shape: Content,
}

/// What a variant holds.
pub(crate) enum Content {
    Unit,
    Fields(Vec<Field>),
    Section(Box<Type>),
    Other,
}

/// One field; skipped ones are in it.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) attrs: attr::Field,
    /// Its index in the schema; meaningless for a skipped field.
    pub(crate) index: usize,
}

impl Input {
    pub(crate) fn read(ctxt: &Ctxt, input: &DeriveInput) -> Self {
        let attrs = attr::Container::read(ctxt, &input.attrs);
        let body = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(fields) => Body::Struct(read(ctxt, &fields.named, attrs.rename_all)),
                Fields::Unnamed(fields) => {
                    ctxt.error(
                        fields,
                        "a section has named fields; to read this type as one value, derive serde's `Deserialize` instead",
                    );
                    Body::Other
                }
                Fields::Unit => {
                    ctxt.error(
                        &input.ident,
                        "a section has named fields; this struct has none: write `{}` after its name",
                    );
                    Body::Other
                }
            },
            Data::Enum(data) => {
                Body::Enum(data.variants.iter().map(|variant| Variant::read(ctxt, variant, &attrs)).collect())
            }
            Data::Union(data) => {
                ctxt.error(data.union_token, "a section is a struct or an enum, not a union");
                Body::Other
            }
        };
        let name = input.ident.unraw();
        let mut tree = format_ident!("{name}Fields", span = Span::call_site());
        if types::mentions(input, &tree.to_string()) {
            tree = format_ident!("__{tree}");
        }
        Self {
            ident: input.ident.clone(),
            vis: input.vis.clone(),
            generics: input.generics.clone(),
            doc: doc(&input.attrs),
            attrs,
            body,
            tree,
        }
    }

    /// Imports the crate's hidden module that generated code calls. A crate that is not where the type
    /// says is missed here, once, and not at every call.
    pub(crate) fn anchor(&self) -> proc_macro2::TokenStream {
        let root: Path = self.attrs.krate.clone().unwrap_or_else(|| syn::parse_quote!(::hotconf));
        let name = private();
        quote!(use #root::private as #name;)
    }

    /// All fields, of all variants.
    pub(crate) fn fields(&self) -> Vec<&Field> {
        match &self.body {
            Body::Struct(fields) => fields.iter().collect(),
            Body::Enum(variants) => variants.iter().flat_map(Variant::fields).collect(),
            Body::Other => Vec::new(),
        }
    }
}

impl Variant {
    fn read(ctxt: &Ctxt, variant: &syn::Variant, container: &attr::Container) -> Self {
        let attrs = attr::Variant::read(ctxt, &variant.attrs);
        let plain = variant.ident.unraw().to_string();
        let shape = match &variant.fields {
            Fields::Unit => Content::Unit,
            Fields::Named(fields) => {
                let rule = attrs.rename_all.or(container.rename_all_fields);
                Content::Fields(read(ctxt, &fields.named, rule))
            }
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let field = &fields.unnamed[0];
                attr::Field::judge_section(ctxt, &field.attrs);
                Content::Section(Box::new(field.ty.clone()))
            }
            Fields::Unnamed(_) if attrs.skip => Content::Other,
            Fields::Unnamed(fields) => {
                ctxt.error(fields, "a variant of a section has named fields, one section, or nothing");
                Content::Other
            }
        };
        let lower = snake(&plain);
        let span = variant.ident.span();
        // A keyword is written raw; the few that cannot be get an underscore.
        let token = match lower.as_str() {
            "crate" | "self" | "super" | "_" => Ident::new(&format!("{lower}_"), span),
            _ if syn::parse_str::<Ident>(&lower).is_err() => Ident::new_raw(&lower, span),
            _ => Ident::new(&lower, span),
        };
        Self {
            token,
            name: attrs.rename.as_ref().map_or_else(
                || container.rename_all.map_or_else(|| plain.clone(), |rule| rule.variant(&plain)),
                syn::LitStr::value,
            ),
            aliases: attrs.aliases.iter().map(syn::LitStr::value).collect(),
            doc: doc(&variant.attrs),
            skip: attrs.skip,
            ident: variant.ident.clone(),
            shape,
        }
    }

    pub(crate) fn fields(&self) -> &[Field] {
        match &self.shape {
            Content::Fields(fields) => fields,
            _ => &[],
        }
    }
}

/// The name by which generated code calls the crate's hidden module.
pub(crate) fn private() -> proc_macro2::TokenStream {
    quote!(__hotconf)
}

/// The same, for a call whose errors belong to `span`.
pub(crate) fn private_at(span: Span) -> proc_macro2::TokenStream {
    quote_spanned!(Span::call_site().located_at(span)=> __hotconf)
}

fn read<'f>(ctxt: &Ctxt, fields: impl IntoIterator<Item = &'f syn::Field>, rule: Option<Rule>) -> Vec<Field> {
    let mut next = 0;
    let fields = fields.into_iter().filter_map(|field| {
        let ident = field.ident.clone()?;
        let attrs = attr::Field::read(ctxt, &field.attrs);
        let plain = ident.unraw().to_string();
        let name = match (&attrs.rename, rule) {
            (Some(name), _) => name.value(),
            (None, Some(rule)) => rule.field(&plain),
            (None, None) => plain,
        };
        let index = next;
        next += usize::from(attrs.skip.is_none());
        Some(Field {
            ident,
            vis: field.vis.clone(),
            ty: field.ty.clone(),
            name,
            doc: doc(&field.attrs),
            attrs,
            index,
        })
    });
    fields.collect()
}

impl Field {
    pub(crate) fn is_nested(&self) -> bool {
        self.attrs.nested.is_some()
    }

    /// A map of leaves whose entries can be set one by one.
    pub(crate) fn is_keyed(&self) -> bool {
        let leaf = !self.is_nested() && self.attrs.parse.is_none() && self.attrs.with.is_none();
        leaf && types::keyed(&self.ty)
    }

    pub(crate) fn is_skipped(&self) -> bool {
        self.attrs.skip.is_some()
    }

    /// Where an error of a call on the field's type belongs.
    pub(crate) fn span(&self) -> Span {
        self.ty.span().resolved_at(Span::call_site())
    }
}

/// The doc comment, one line per line, without the space that follows `///`.
fn doc(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> =
        lines.map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n").trim().to_owned()
}
