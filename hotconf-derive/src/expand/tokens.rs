//! Writes the tree of tokens and `FIELDS`.
//!
//! The tree has the type's visibility and its members the fields', so that a token can be named
//! exactly where its field can.

use crate::expand::setters::present;
use crate::model::{Body, Content, Field, Input, private, private_at};
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{GenericParam, Generics, Ident, Visibility, parse_quote};

/// A struct of tokens.
struct Tree<'i> {
    input: &'i Input,
    name: Ident,
    doc: String,
    members: Vec<Member>,
}

struct Member {
    doc: String,
    vis: Visibility,
    name: Ident,
    ty: TokenStream,
    here: TokenStream,
}

/// The names of the parameters, for use.
pub(crate) fn arguments(generics: &Generics) -> TokenStream {
    let arguments = generics.params.iter().map(|param| match param {
        GenericParam::Type(param) => {
            let ident = &param.ident;
            quote!(#ident)
        }
        GenericParam::Const(param) => {
            let ident = &param.ident;
            quote!(#ident)
        }
        GenericParam::Lifetime(param) => {
            let lifetime = &param.lifetime;
            quote!(#lifetime)
        }
    });
    quote!(#(#arguments),*)
}

pub(crate) fn expand(input: &Input, generics: &Generics) -> TokenStream {
    let own = quote!(__K);
    let name = input.ident.unraw().to_string();
    let doc = format!("The fields of `{name}`, as tokens.");
    let mut trees = TokenStream::new();
    let members = match &input.body {
        Body::Struct(fields) => members(input, fields, 0, &own),
        Body::Enum(variants) => present(variants)
            .filter_map(|(index, variant)| {
                let doc = doc_or(&variant.doc, &variant.ident);
                let (token, vis) = (variant.token.clone(), Visibility::Inherited);
                let vis = if matches!(input.vis, Visibility::Inherited) { vis } else { input.vis.clone() };
                match &variant.shape {
                    Content::Fields(fields) => {
                        let partial = partial();
                        let tree = Tree {
                            input,
                            name: format_ident!("{}{}", input.tree, variant.ident.unraw()),
                            doc: format!("The fields of variant `{}` of `{name}`, as tokens.", variant.ident),
                            members: members(input, fields, index, &partial)
                                .into_iter()
                                .map(|member| Member { vis: vis.clone(), ..member })
                                .collect(),
                        };
                        trees.extend(tree.items(generics));
                        let (ty, here) = (tree.applied(), tree.here());
                        Some(Member { doc, vis, name: token, ty, here })
                    }
                    Content::Section(ty) => {
                        let (p, whole) = (private(), whole(input));
                        let place = quote!(#p::Of<__P, #whole, #index>);
                        let partial = partial();
                        Some(Member {
                            doc,
                            vis,
                            name: token,
                            ty: quote!(<#ty as #p::Node>::Token<__Root, #partial, #place>),
                            here: quote!(#p::Make::<#place>::HERE),
                        })
                    }
                    Content::Unit | Content::Other => None,
                }
            })
            .collect(),
        Body::Other => Vec::new(),
    };
    let tree = Tree { input, name: input.tree.clone(), doc, members };
    trees.extend(tree.items(generics));
    trees.extend(tree.section(generics));
    trees.extend(fields_const(input, generics));
    trees
}

/// Tokens of a type that was refused: they can be named, and say nothing.
pub(crate) fn broken(input: &Input, generics: &Generics) -> TokenStream {
    let p = private();
    let fields: &[Field] = match &input.body {
        Body::Struct(fields) => fields,
        _ => &[],
    };
    let fields = fields.iter().filter(|field| !field.is_skipped());
    let members = fields.map(|field| {
        let ty = &field.ty;
        Member {
            doc: String::new(),
            vis: field.vis.clone(),
            name: field.ident.clone(),
            ty: quote!(#p::Field<__Root, #ty, __K>),
            here: quote!(#p::Field::__NONE),
        }
    });
    let tree = Tree { input, name: input.tree.clone(), doc: String::new(), members: members.collect() };
    let (items, section, fields) =
        (tree.items(generics), tree.section(generics), fields_const(input, generics));
    quote!(#items #section #fields)
}

/// `FIELDS`.
fn fields_const(input: &Input, generics: &Generics) -> TokenStream {
    let p = private();
    let (name, tree, vis) = (&input.ident, &input.tree, &input.vis);
    let (of, ty, bounds) = generics.split_for_impl();
    let arguments = arguments(&input.generics);
    let doc = format!("The fields of `{}`, as tokens: what a subscriber names.", input.ident.unraw());
    quote! {
        #[automatically_derived]
        impl #of #name #ty #bounds {
            #[doc = #doc]
            #vis const FIELDS: #tree<Self, #p::Total, #p::Here<Self>, #arguments> =
                #p::Make::<#p::Here<Self>>::HERE;
        }
    }
}

fn partial() -> TokenStream {
    let p = private();
    quote!(#p::Partial)
}

/// The type with its parameters.
fn whole(input: &Input) -> TokenStream {
    let (name, (_, ty, _)) = (&input.ident, input.generics.split_for_impl());
    quote!(#name #ty)
}

fn doc_or(doc: &str, name: &Ident) -> String {
    if doc.is_empty() { format!("The token of `{}`.", name.unraw()) } else { doc.to_owned() }
}

fn members(input: &Input, fields: &[Field], variant: usize, kind: &TokenStream) -> Vec<Member> {
    let whole = whole(input);
    let fields = fields.iter().filter(|field| !field.is_skipped());
    let members = fields.map(|field| {
        let (ty, index) = (&field.ty, field.index);
        let p = private_at(field.span());
        let (token, here) = if field.is_nested() {
            let place = quote_spanned!(field.span()=> #p::In<__P, #whole, #variant, #index>);
            (
                quote_spanned!(field.span()=> <#ty as #p::Node>::Token<__Root, #kind, #place>),
                quote_spanned!(field.span()=> #p::Make::<#place>::HERE),
            )
        } else {
            (
                quote!(#p::Field<__Root, #ty, #kind>),
                quote_spanned!(field.span()=> #p::Field::__leaf::<__P, #whole>(#variant, #index)),
            )
        };
        Member {
            doc: doc_or(&field.doc, &field.ident),
            vis: field.vis.clone(),
            name: field.ident.clone(),
            ty: token,
            here,
        }
    });
    members.collect()
}

impl Tree<'_> {
    /// The parameters: whose tokens, of which kind, at which place, and the type's own.
    fn generics(generics: &Generics) -> Generics {
        let p = private();
        let mut generics = generics.clone();
        for param in &mut generics.params {
            if let GenericParam::Type(param) = param {
                param.default = None;
            }
            if let GenericParam::Const(param) = param {
                param.default = None;
            }
        }
        let own: [GenericParam; 3] =
            [parse_quote!(__Root: 'static), parse_quote!(__K: #p::Kind), parse_quote!(__P: #p::Place)];
        for (at, param) in own.into_iter().enumerate() {
            generics.params.insert(at, param);
        }
        generics
    }

    fn applied(&self) -> TokenStream {
        let (name, arguments) = (&self.name, arguments(&self.input.generics));
        quote!(#name<__Root, __K, __P, #arguments>)
    }

    /// The struct, and that it is `Copy`.
    fn items(&self, generics: &Generics) -> TokenStream {
        let p = private();
        let generics = Self::generics(generics);
        let (of, ty, bounds) = generics.split_for_impl();
        let (name, doc, vis) = (&self.name, &self.doc, &self.input.vis);
        let whole = whole(self.input);
        let members = self
            .members
            .iter()
            .map(|Member { doc, vis, name, ty, .. }| quote!(#[doc = #doc] #vis #name: #ty,));
        quote! {
            #[doc = #doc]
            #vis struct #name #of #bounds {
                #(#members)*
                __hotconf: #p::PhantomData<fn() -> (__Root, __K, __P, #whole)>,
            }
            #[automatically_derived]
            impl #of #p::Clone for #name #ty #bounds {
                fn clone(&self) -> Self { *self }
            }
            #[automatically_derived]
            impl #of #p::Copy for #name #ty #bounds {}
        }
    }

    /// The value, at the place `__P`.
    fn here(&self) -> TokenStream {
        let p = private();
        let name = &self.name;
        let members = self.members.iter().map(|Member { name, here, .. }| quote!(#name: #here,));
        quote!(#name { #(#members)* __hotconf: #p::PhantomData })
    }

    /// That the tree is the section's own token.
    fn section(&self, generics: &Generics) -> TokenStream {
        let p = private();
        let generics = Self::generics(generics);
        let (of, ty, bounds) = generics.split_for_impl();
        let (name, whole, here) = (&self.name, whole(self.input), self.here());
        quote! {
            #[automatically_derived]
            impl #of #p::Tree for #name #ty #bounds {
                type Root = __Root;
                type Value = #whole;
                type Kind = __K;
                type Place = __P;
            }
            #[automatically_derived]
            impl #of #p::Make<__P> for #name #ty #bounds {
                const HERE: Self = #here;
            }
        }
    }
}
