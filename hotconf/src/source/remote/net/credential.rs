//! What goes into a header of each request to say who we are.

use super::base64::encode;
use super::token::Token;
use crate::source::remote::Identity;
use crate::source::{Context, SourceError};
use zeroize::Zeroizing;

/// A header that names us, made of a token as of each use.
#[derive(Clone)]
pub(crate) enum Credential {
    Bearer(Token),
    Basic(Box<str>, Token),
    Header(Box<str>, Token),
}

impl Credential {
    /// `Authorization: Basic` with this name and password.
    pub(crate) fn basic(user: &str, password: impl Into<Token>) -> Self {
        Self::Basic(user.into(), password.into())
    }

    /// A header of this name, in lower case.
    pub(crate) fn header(name: &str, value: impl Into<Token>) -> Self {
        Self::Header(name.to_ascii_lowercase().into(), value.into())
    }

    /// The name of its header.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bearer(_) | Self::Basic(..) => "authorization",
            Self::Header(name, _) => name,
        }
    }

    /// The value of its header, as of now.
    pub(crate) async fn read(&self, cx: &Context) -> Result<Zeroizing<String>, SourceError> {
        let token = self.token().read(cx).await?;
        Ok(self.value(&token))
    }

    /// Adds to an identity what tells these from others.
    pub(crate) fn identify(all: &[Self], identity: Identity) -> Identity {
        all.iter().fold(identity, |identity, credential| {
            let kind = match credential {
                Self::Bearer(_) => "bearer",
                Self::Basic(user, _) => user,
                Self::Header(name, _) => name,
            };
            identity.and(format!("{} {kind} {}", credential.name(), credential.token().identify()))
        })
    }

    fn token(&self) -> &Token {
        let (Self::Bearer(token) | Self::Basic(_, token) | Self::Header(_, token)) = self;
        token
    }

    /// What stands in the header.
    fn value(&self, token: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Bearer(_) => format!("Bearer {token}"),
            Self::Basic(user, _) => {
                let pair = Zeroizing::new(format!("{user}:{token}"));
                format!("Basic {}", *encode(pair.as_bytes()))
            }
            Self::Header(..) => token.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_stands_in_its_header_and_nowhere_else() {
        let basic = Credential::basic("Aladdin", "open sesame");
        assert_eq!(basic.value("open sesame").as_str(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let identity = |user| Credential::identify(&[Credential::basic(user, "x")], Identity::of(["a"]));
        assert_eq!(identity("Aladdin"), identity("Aladdin"));
        assert_ne!(identity("Aladdin"), identity("Jafar"));
    }
}
