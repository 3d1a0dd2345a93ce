//! What can be told of a type from its tokens: wrappers, secrets, plain std types, its text.
//!
//! A guess from tokens may err on the safe side only: an unknown type is foreign, and any mention of
//! `Secret` makes a secret.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, Ident, PathArguments, PathSegment, Type};

fn last(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        Type::Group(group) => last(&group.elem),
        Type::Paren(paren) => last(&paren.elem),
        _ => None,
    }
}

fn arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// The type inside `Option<..>`.
pub(crate) fn option(ty: &Type) -> Option<&Type> {
    let segment = last(ty)?;
    (segment.ident == "Option").then(|| arguments(segment)).and_then(|types| types.first().copied())
}

/// The type inside the wrappers that read as what they hold: `Option<Secret<u16>>` is a `u16`.
pub(crate) fn value(ty: &Type) -> &Type {
    let Some(segment) = last(ty) else { return ty };
    match (segment.ident.to_string().as_str(), arguments(segment).as_slice()) {
        ("Option" | "Secret" | "Box" | "NonZero", [inner]) => value(inner),
        _ => ty,
    }
}

/// What can be told of a leaf's type from its name: a variant of the runtime's `Form`.
pub(crate) fn form(ty: &Type) -> Option<&'static str> {
    let ty = value(ty);
    if matches!(ty, Type::Array(_) | Type::Tuple(_) | Type::Slice(_)) {
        return Some("List");
    }
    let segment = last(ty)?;
    let inner_is_text = || arguments(segment).first().is_some_and(|inner| form(inner) == Some("Text"));
    Some(match segment.ident.to_string().as_str() {
        "String" | "str" | "FileContent" | "SecretFile" => "Text",
        "Arc" | "Rc" if inner_is_text() => "Text",
        "Vec" | "VecDeque" | "HashSet" | "BTreeSet" => "List",
        name if name.ends_with("Map") => "Map",
        _ if plain(ty) => "Scalar",
        _ => return None,
    })
}

/// The section's type inside the containers that `nested` knows.
pub(crate) fn section(ty: &Type) -> &Type {
    let Some(segment) = last(ty) else { return ty };
    let types = arguments(segment);
    match (segment.ident.to_string().as_str(), types.as_slice()) {
        ("Option" | "Vec" | "Box", [inner]) | ("HashMap" | "BTreeMap", [_, inner, ..]) => section(inner),
        _ => ty,
    }
}

/// The type of a list's items.
pub(crate) fn item(ty: &Type) -> Option<&Type> {
    if let Type::Array(array) = ty {
        return Some(&array.elem);
    }
    let segment = last(ty)?;
    let is_list = matches!(segment.ident.to_string().as_str(), "Vec" | "VecDeque" | "HashSet" | "BTreeSet");
    arguments(segment).first().copied().filter(|_| is_list)
}

/// Why the type cannot hold sections, where it is a container of std's that `nested` does not know.
pub(crate) fn uncontained(ty: &Type) -> Option<String> {
    let refused = || Some(format!("`nested` does not know `{}`", text(ty)));
    let Some(segment) = last(ty) else { return contains(ty).then(refused).flatten() };
    let types = arguments(segment);
    match (segment.ident.to_string().as_str(), types.as_slice()) {
        ("HashMap" | "BTreeMap", [key, ..]) if plain(key) && name(key).is_none_or(|key| key != "String") => {
            Some(format!("the keys of sections are `String`s, not `{}`s", text(key)))
        }
        ("Option" | "Vec", [inner]) | ("HashMap" | "BTreeMap", [_, inner, ..]) => {
            let boxed = unboxed(inner);
            contains(boxed).then(refused).flatten()
        }
        ("Box", [inner]) => contains(unboxed(inner)).then(refused).flatten(),
        _ => contains(ty).then(refused).flatten(),
    }
}

/// The type inside any number of boxes.
fn unboxed(ty: &Type) -> &Type {
    match last(ty).map(|segment| (segment.ident == "Box", arguments(segment))) {
        Some((true, types)) if types.len() == 1 => unboxed(types[0]),
        _ => ty,
    }
}

/// Tells whether the type is one of std's that holds others.
fn contains(ty: &Type) -> bool {
    let Some(segment) = last(ty) else { return !matches!(ty, Type::Macro(_)) };
    let std = [
        "Option",
        "Vec",
        "HashMap",
        "BTreeMap",
        "HashSet",
        "BTreeSet",
        "VecDeque",
        "LinkedList",
        "Arc",
        "Rc",
        "Mutex",
        "RwLock",
        "Cell",
        "RefCell",
        "Cow",
    ];
    !segment.arguments.is_none() && std.iter().any(|name| segment.ident == name)
}

/// Tells whether the type is a map of std's, by `String`.
pub(crate) fn keyed(ty: &Type) -> bool {
    last(ty).is_some_and(|segment| {
        (segment.ident == "HashMap" || segment.ident == "BTreeMap")
            && matches!(arguments(segment).as_slice(), [key, _, ..] if name(key).is_some_and(|key| key == "String"))
    })
}

/// Tells whether the type is `name`, or `Self`, whatever its parameters.
pub(crate) fn path_ends(ty: &Type, name: &Ident) -> bool {
    match ty {
        Type::Path(path) => {
            path.path.segments.len() == 1
                && path
                    .path
                    .segments
                    .last()
                    .is_some_and(|segment| segment.ident == *name || segment.ident == "Self")
        }
        _ => false,
    }
}

/// The name of a primitive type, or of any other type without parameters.
pub(crate) fn name(ty: &Type) -> Option<String> {
    last(ty).filter(|segment| segment.arguments.is_none()).map(|segment| segment.ident.to_string())
}

/// A word for the `Default` of a type, where it is known.
pub(crate) fn default(ty: &Type) -> Option<Result<&'static str, &'static str>> {
    Some(match last(ty)?.ident.to_string().as_str() {
        "Option" => Err("none"),
        "Vec" | "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" => Err("empty"),
        "bool" => Ok("false"),
        "String" => Ok(""),
        "Duration" => Ok("0s"),
        "f32" | "f64" => Ok("0.0"),
        _ if integer(ty).is_some() => Ok("0"),
        _ => return None,
    })
}

/// The least and the greatest value of a primitive integer type.
pub(crate) fn integer(ty: &Type) -> Option<(i128, u128)> {
    integer_named(&name(ty)?)
}

/// The same by its name.
pub(crate) fn integer_named(name: &str) -> Option<(i128, u128)> {
    Some(match name {
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" | "usize" => (0, u64::MAX.into()),
        "u128" => (0, u128::MAX),
        "i8" => (i8::MIN.into(), i8::MAX as u128),
        "i16" => (i16::MIN.into(), i16::MAX as u128),
        "i32" => (i32::MIN.into(), i32::MAX as u128),
        "i64" | "isize" => (i64::MIN.into(), i64::MAX as u128),
        "i128" => (i128::MIN, i128::MAX as u128),
        _ => return None,
    })
}

/// Tells whether reading the type runs no code but std's, serde's and ours.
pub(crate) fn plain(ty: &Type) -> bool {
    let Some(segment) = last(ty) else {
        return match ty {
            Type::Tuple(tuple) => tuple.elems.iter().all(plain),
            Type::Array(array) => plain(&array.elem),
            _ => false,
        };
    };
    let name = segment.ident.to_string();
    let leaf = matches!(
        name.as_str(),
        "bool"
            | "char"
            | "f32"
            | "f64"
            | "String"
            | "Duration"
            | "PathBuf"
            | "IpAddr"
            | "Ipv4Addr"
            | "Ipv6Addr"
            | "SocketAddr"
            | "SocketAddrV4"
            | "SocketAddrV6"
            | "ByteSize"
            | "SystemTime"
            | "FileContent"
            | "SecretFile"
    ) || name.starts_with("NonZero")
        || integer(ty).is_some();
    let wrapper = matches!(
        name.as_str(),
        "Option" | "Vec" | "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" | "Secret" | "Box" | "Arc"
    );
    leaf || wrapper && arguments(segment).into_iter().all(plain)
}

/// Tells whether an identifier of this name occurs among the tokens.
pub(crate) fn mentions(tokens: impl ToTokens, name: &str) -> bool {
    fn among(stream: TokenStream, name: &str) -> bool {
        stream.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == name,
            TokenTree::Group(group) => among(group.stream(), name),
            _ => false,
        })
    }
    among(tokens.into_token_stream(), name)
}

/// The type as one writes it: `HashMap<String, u16>`.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = String::with_capacity(spaced.len());
    let mut chars = spaced.chars().peekable();
    while let Some(c) = chars.next() {
        let before = text.chars().last();
        if c == ' ' {
            let tight = |c: Option<char>| c.is_some_and(|c| "<>:&([.!".contains(c));
            let close = chars.peek().is_some_and(|c| "<>:,)].;(!?".contains(*c));
            if tight(before) || close {
                continue;
            }
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).expect("the test's type is Rust")
    }

    #[test]
    fn types_read_as_they_were_written() {
        for written in
            ["Option<u16>", "HashMap<String, Vec<u8>>", "std::time::Duration", "[u8; 4]", "(u8, u16)"]
        {
            assert_eq!(text(ty(written)), written);
        }
    }

    #[test]
    fn only_known_types_are_plain() {
        assert!(plain(&ty("Option<Vec<std::time::Duration>>")));
        assert!(!plain(&ty("Option<Url>")));
        assert!(!plain(&ty("Custom<u8>")));
    }
}
