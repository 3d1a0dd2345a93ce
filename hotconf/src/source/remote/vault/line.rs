//! One question at a time over a connection that is kept, also when nobody waits for the answer any more.

use super::super::net::{Header, Http1, Method, Response};
use crate::source::{BoxFuture, Context, SourceError};
use zeroize::Zeroizing;

/// The way to the server: one question at a time.
#[allow(clippy::large_enum_variant)] // there is one for each source, and it is free most of the time
pub(super) enum Line {
    Free(Http1),
    /// A question is under way. Whoever asked may be gone: it is then answered before the next, so that the connection
    /// outlasts a future that was dropped.
    Busy(BoxFuture<'static, (Http1, Result<Response, SourceError>)>),
}

/// A question, with all that it needs.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) namespace: Option<Box<str>>,
    pub(super) token: Option<Zeroizing<String>>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Line {
    /// Asks, once what is under way has been answered.
    ///
    /// # Cancel safety
    ///
    /// The question stays under way, and its answer is lost.
    pub(super) async fn ask(&mut self, question: Question, cx: &Context) -> Result<Response, SourceError> {
        if let Self::Busy(before) = self {
            let (http, _) = before.await;
            *self = Self::Free(http);
        }
        // Nothing waits until the question is in its place, so that no drop finds the line without its connection.
        if let Self::Free(http) = std::mem::replace(self, Self::Busy(Box::pin(std::future::pending()))) {
            *self = Self::Busy(Box::pin(question.put(http, cx.clone())));
        }
        let Self::Busy(asking) = self else { unreachable!("it was just put there") };
        let (http, answer) = asking.await;
        *self = Self::Free(http);
        answer
    }
}

impl Question {
    async fn put(self, mut http: Http1, cx: Context) -> (Http1, Result<Response, SourceError>) {
        // Agents may ask for the first, which no page in a browser can send.
        let mut headers = vec![Header::new("x-vault-request", "true")];
        if let Some(namespace) = &self.namespace {
            headers.push(Header::new("x-vault-namespace", namespace));
        }
        if let Some(token) = &self.token {
            headers.push(Header::secret("x-vault-token", token));
        }
        if !self.body.is_empty() {
            headers.push(Header::new("content-type", "application/json"));
        }
        let answer = http.request(self.method, &self.target, &headers, &self.body, &cx).await;
        (http, answer)
    }
}
