//! What tells a server who we are: a value, a file that is read at each use, or a callback.

use crate::secret::Secret;
use crate::source::file::read_small;
use crate::source::{Context, SourceError};
use crate::sync::lock;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use zeroize::Zeroizing;

/// A token or a password for a remote store: it is shown nowhere, and wiped when it is dropped.
///
/// One that runs out is best read from a file that something else keeps fresh, or made by a callback: both
/// are asked again at each use.
///
/// ```
/// use hotconf::remote::Token;
///
/// let fixed = Token::value("hunter2");
/// assert_eq!(format!("{fixed:?}"), "Token(value)");
/// let projected = Token::file("/var/run/secrets/tokens/config");
/// let minted = Token::callback(|| Ok(format!("{}.{}", "header", "claims")));
/// # let _ = (projected, minted);
/// ```
#[derive(Clone)]
pub struct Token {
    kind: Kind,
    /// Held by whoever reads a file or calls back, also when nobody waits for it any more: one that hangs holds one
    /// worker up, and not one more with each attempt.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone)]
enum Kind {
    Value(Arc<Secret<String>>),
    File(PathBuf),
    /// With a number of its own, by which two of them are told apart.
    Callback(u64, Callback),
}

type Callback = Arc<dyn Fn() -> Result<String, Box<dyn Error + Send + Sync>> + Send + Sync>;

impl Token {
    /// This text, for as long as the program runs.
    pub fn value(token: impl Into<String>) -> Self {
        Self::of(Kind::Value(Arc::new(Secret::from(token.into()))))
    }

    /// The text of a file, without the space around it. It is read at each use, so that a rotation is seen.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(Kind::File(path.into()))
    }

    /// What `make` returns. It is called at each use, once at a time, on a thread where it may block; what its error
    /// says is told to the user.
    pub fn callback<F>(make: F) -> Self
    where
        F: Fn() -> Result<String, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::of(Kind::Callback(NEXT.fetch_add(1, Ordering::Relaxed), Arc::new(make)))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, turn: Arc::default() }
    }

    /// The text as of now.
    ///
    /// # Errors
    ///
    /// Why there is none, without a letter of it.
    pub(crate) async fn read(&self, cx: &Context) -> Result<Zeroizing<String>, SourceError> {
        let made = match &self.kind {
            Kind::Value(token) => Ok(Zeroizing::new(token.expose().clone())),
            Kind::File(path) => {
                let (path, turn) = (path.clone(), self.turn.clone().lock_owned().await);
                let read = move || {
                    let _turn = turn;
                    from_file(&path)
                };
                elsewhere(cx, read).await.unwrap_or_else(cut_short)
            }
            Kind::Callback(_, make) => {
                let (make, turn) = (make.clone(), self.turn.clone().lock_owned().await);
                let called = move || {
                    let _turn = turn;
                    make().map(Zeroizing::new).map_err(|error| {
                        format!("the callback for the token failed: {}", super::explain(&*error))
                    })
                };
                elsewhere(cx, called).await.unwrap_or_else(cut_short)
            }
        };
        match made {
            Err(why) => Err(SourceError::denied(why)),
            Ok(token) if token.is_empty() => Err(SourceError::denied(format!("{} is empty", self.name()))),
            Ok(token) if token.chars().any(char::is_control) => Err(SourceError::denied(format!(
                "{} has a line break or a control character in it",
                self.name()
            ))),
            Ok(token) => Ok(token),
        }
    }

    /// Equal for tokens that are the same, and never the token itself.
    pub(crate) fn identify(&self) -> String {
        match &self.kind {
            Kind::Value(token) => format!("value {}", fingerprint(token.expose().as_bytes())),
            Kind::File(path) => format!("file {}", path.display()),
            Kind::Callback(number, _) => format!("callback {number}"),
        }
    }

    fn name(&self) -> String {
        match &self.kind {
            Kind::Value(_) => "the token".to_owned(),
            Kind::File(path) => format!("the token in {}", path.display()),
            Kind::Callback(..) => "the token of the callback".to_owned(),
        }
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::value(token)
    }
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self::value(token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Value(_) => f.write_str("Token(value)"),
            Kind::File(path) => write!(f, "Token(file {})", path.display()),
            Kind::Callback(..) => f.write_str("Token(callback)"),
        }
    }
}

fn from_file(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let name = path.display();
    let bytes = read_small(path).map_err(|why| format!("the token in {name} cannot be read: it {why}"))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("the token in {name} is no text in UTF-8"))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn cut_short<T>() -> Result<T, String> {
    Err("reading the token was cut short: the callback for it panicked".to_owned())
}

/// Runs what may block on a worker; `None` where it panicked.
pub(crate) async fn elsewhere<T: Send + 'static>(
    cx: &Context,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let place = Arc::new(Mutex::new(None));
    let made = place.clone();
    cx.services()
        .offload(Box::new(move || {
            let result = work();
            *lock(&made) = Some(result);
        }))
        .await;
    lock(&place).take()
}

/// 128 bits that tell secrets apart within this process, and from which none can be found again: their keys
/// are drawn anew in each process.
pub(super) fn fingerprint(secret: &[u8]) -> String {
    static KEYS: OnceLock<(RandomState, RandomState)> = OnceLock::new();
    let (first, second) = KEYS.get_or_init(Default::default);
    format!("{:016x}{:016x}", first.hash_one(secret), second.hash_one(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tokens_have_equal_identities_that_do_not_show_them() {
        let token = Token::from("hunter2");
        assert_eq!(token.identify(), Token::value("hunter2").identify());
        assert_ne!(token.identify(), Token::value("hunter3").identify());
        assert!(!token.identify().contains("hunter2"));
        let made = Token::callback(|| Ok("x".into()));
        assert_eq!(made.identify(), made.clone().identify());
        assert_ne!(made.identify(), Token::callback(|| Ok("x".into())).identify());
    }

    #[test]
    fn no_debug_shows_a_token() {
        assert_eq!(format!("{:?}", Token::value("hunter2")), "Token(value)");
        assert_eq!(format!("{:?}", Token::callback(|| Ok("hunter2".into()))), "Token(callback)");
    }
}
