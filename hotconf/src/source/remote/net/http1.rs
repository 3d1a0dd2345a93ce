//! HTTP/1.1 with one server: requests one after the other, on a connection that is kept.
//!
//! Rules: a body is counted while it is read; credentials go to the server that they are for and to no other;
//! what was asked may be asked a second time, when a kept connection turns out to be closed, unless
//! [`Http1::asks_once`] says that it may not. Nothing is compressed: it is not asked for, and refused where it
//! comes all the same.

use super::begun::Begun;
use super::date;
use super::endpoint::Endpoint;
use super::explain::explain;
use super::open::{Failure, Open};
use super::transport::Transport;
use crate::source::{Context, SourceError};
use hyper::HeaderMap;
use std::time::Duration;

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// The server, and one that it sends us on to.
const KEPT: usize = 2;

/// A server that is asked one thing at a time.
pub(crate) struct Http1 {
    endpoint: Endpoint,
    transport: Transport,
    cap: Option<usize>,
    /// A question on a kept connection that closes is not asked again on another.
    once: bool,
    kept: Vec<Open>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
}

/// A line of a request's head. What is `secret` is sent to the server itself, and to none that it points to.
#[derive(Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) secret: bool,
}

/// What is asked, of whom.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) to: &'a Endpoint,
    /// What it is called in messages.
    pub(super) name: &'a str,
    pub(super) headers: &'a [Header<'a>],
    pub(super) body: &'a [u8],
    /// The longest body of an answer.
    pub(super) cap: usize,
}

/// An answer, whole.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(super) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Who answered, after redirects: "it" for the address that was given, which stands in front of each message.
    pub(crate) from: Box<str>,
}

impl<'a> Header<'a> {
    pub(crate) fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value, secret: false }
    }

    pub(crate) fn secret(name: &'a str, value: &'a str) -> Self {
        Self { name, value, secret: true }
    }
}

impl Http1 {
    /// Connects with the first request.
    pub(crate) fn new(endpoint: Endpoint, transport: Transport) -> Self {
        Self { endpoint, transport, cap: None, once: false, kept: Vec::new() }
    }

    /// The longest body that is read; without it what the builder allows for a document.
    pub(crate) fn cap(self, bytes: usize) -> Self {
        Self { cap: Some(bytes), ..self }
    }

    /// Asks each question once: where the kept connection closes before the answer, that is the answer. For
    /// questions that the server holds, since the one that comes back may have another history.
    pub(crate) fn asks_once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Opens the connection, where none is kept.
    pub(crate) async fn open(&mut self, cx: &Context) -> Result<(), SourceError> {
        if self.kept.is_empty() {
            self.kept.push(Open::to(&self.endpoint, &self.transport, cx).await?);
        }
        Ok(())
    }

    /// Asks for `target`, path and query from the slash on. Redirects are followed; any other answer is
    /// returned, whatever its status.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection that is at work.
    pub(crate) async fn request(
        &mut self,
        method: Method,
        target: &str,
        headers: &[Header<'_>],
        body: &[u8],
        cx: &Context,
    ) -> Result<Response, SourceError> {
        let cap = self.cap.unwrap_or(cx.limits.bytes);
        let public: Vec<Header<'_>> = headers.iter().copied().filter(|header| !header.secret).collect();
        let mut to = self.endpoint.at(target);
        for _ in 0..=REDIRECTS {
            let own = to.is_same_origin(&self.endpoint);
            let headers = if own { headers } else { &public };
            let name = if to == self.endpoint { "it".to_owned() } else { to.to_string() };
            let answer = self.once(Asked { method, to: &to, name: &name, headers, body, cap }, cx).await?;
            let Some(location) = answer.redirect() else { return answer.uncompressed() };
            to = next(&to, &name, location, answer.status, method)?;
        }
        Err(too_far(&to))
    }

    /// Asks for the place itself on a connection of its own, and reads the head of the answer alone. Redirects are
    /// followed. With `taken_over` the connection is one that may be [taken over](Begun::take_over).
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection.
    pub(crate) async fn begin(
        &self,
        headers: &[Header<'_>],
        taken_over: bool,
        cx: &Context,
    ) -> Result<Begun, SourceError> {
        let public: Vec<Header<'_>> = headers.iter().copied().filter(|header| !header.secret).collect();
        let (mut to, method, cap) = (self.endpoint.clone(), Method::Get, 0);
        for _ in 0..=REDIRECTS {
            let headers = if to.is_same_origin(&self.endpoint) { headers } else { &public };
            let name = if to == self.endpoint { "it".to_owned() } else { to.to_string() };
            let open = if taken_over {
                Open::to_take_over(&to, &self.transport, cx).await?
            } else {
                Open::to(&to, &self.transport, cx).await?
            };
            let begun = open.begin(&Asked { method, to: &to, name: &name, headers, body: b"", cap }).await?;
            let head = begun.head();
            let Some(location) = head.redirect() else {
                return match head.encoding() {
                    Some(encoding) if head.status == 200 => Err(head.packed(encoding)),
                    _ => Ok(begun),
                };
            };
            to = next(&to, &name, location, head.status, method)?;
        }
        Err(too_far(&to))
    }

    async fn once(&mut self, asked: Asked<'_>, cx: &Context) -> Result<Response, SourceError> {
        if let Some(at) = self.kept.iter().position(|open| open.origin().is_same_origin(asked.to)) {
            // Taken out: whoever drops this future leaves no connection behind with half an answer.
            let mut open = self.kept.remove(at);
            if open.is_well().await {
                match open.exchange(&asked).await {
                    Ok(answer) => return Ok(self.keep(open, answer)),
                    Err(Failure::Unanswered(error)) if self.once => return Err(error),
                    // It was closed while nobody looked.
                    Err(Failure::Unanswered(_)) => {}
                    Err(Failure::Broken(error)) => return Err(error),
                }
            } else if self.once {
                return Err(SourceError::down(format!("{} closed the connection", self.endpoint)));
            }
        }
        let others = self.transport.for_others();
        let own = asked.to.is_same_origin(&self.endpoint);
        let mut open = Open::to(asked.to, if own { &self.transport } else { &others }, cx).await?;
        match open.exchange(&asked).await {
            Ok(answer) => Ok(self.keep(open, answer)),
            Err(Failure::Unanswered(error) | Failure::Broken(error)) => Err(error),
        }
    }

    fn keep(&mut self, open: Open, answer: Response) -> Response {
        if open.can_go_on() {
            self.kept.truncate(KEPT - 1);
            self.kept.insert(0, open);
        }
        answer
    }
}

fn too_far(to: &Endpoint) -> SourceError {
    SourceError::invalid(format!(
        "sends us on more than {REDIRECTS} times, last to {to}: give the address of the place itself"
    ))
}

/// Where a redirect leads.
fn next(
    from: &Endpoint,
    name: &str,
    location: &str,
    status: u16,
    method: Method,
) -> Result<Endpoint, SourceError> {
    let refused =
        |why: String| SourceError::invalid(format!("{name} answered {status} and sends us on: {why}"));
    let to = from.join(location).map_err(|error| refused(error.to_string()))?;
    if from.is_tls() && !to.is_tls() {
        return Err(refused(format!("to {to}, which is not encrypted; this is never followed")));
    }
    if method != Method::Get && !(matches!(status, 307 | 308) && from.is_same_origin(&to)) {
        return Err(refused(format!("what was written is not sent on to {to}: use that address")));
    }
    Ok(to)
}

impl Response {
    /// A header, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        date::retry_after(self.header("retry-after")?, self.header("date"))
    }

    /// The failure that the status means, with what the server asks for.
    pub(crate) fn failure(&self) -> SourceError {
        let (from, status) = (&self.from, self.status);
        let error = match status {
            401 => SourceError::denied(format!("{from} answered 401: it does not accept our credentials")),
            403 => SourceError::denied(format!("{from} answered 403: our credentials do not allow this")),
            404 => SourceError::down(format!("{from} answered 404: there is nothing at this address")),
            407 => SourceError::denied(format!(
                "the proxy on the way to {from} answered 407: it asks who we are"
            )),
            429 => SourceError::down(format!("{from} answered 429: it is asked too often")),
            500..=599 => SourceError::down(format!("{from} answered {status}: it has trouble of its own")),
            _ => SourceError::down(format!("{from} answered {status}, which is no answer to a question")),
        };
        match self.retry_after() {
            Some(delay) => error.with_retry_after(delay),
            None => error,
        }
    }

    fn redirect(&self) -> Option<&str> {
        if matches!(self.status, 301 | 302 | 303 | 307 | 308) { self.header("location") } else { None }
    }

    /// An answer that nobody has to unpack, whatever it would grow to.
    fn uncompressed(self) -> Result<Self, SourceError> {
        match self.encoding() {
            Some(encoding) if !self.body.is_empty() => Err(self.packed(encoding)),
            _ => Ok(self),
        }
    }

    /// How its body is packed, if it is.
    fn encoding(&self) -> Option<&str> {
        let encoding = self.headers.get("content-encoding")?.to_str().unwrap_or("?").trim();
        (!matches!(encoding, "" | "identity")).then_some(encoding)
    }

    fn packed(&self, encoding: &str) -> SourceError {
        let encoding: String = encoding.chars().take(32).collect();
        let from = &self.from;
        SourceError::invalid(format!(
            "{from} sent a body in the encoding `{encoding}`, which was not asked for: turn compression off"
        ))
    }
}

/// Says of an exchange with `name` why it failed.
pub(super) fn failed(name: &str, error: &(dyn std::error::Error + 'static)) -> SourceError {
    SourceError::down(format!("asking {name} failed: {}", explain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(url: &str) -> Endpoint {
        Endpoint::parse(url).unwrap()
    }

    #[test]
    fn no_redirect_leads_from_tls_to_plain_text() {
        let said = next(&end("https://h/a"), "it", "http://h/a", 302, Method::Get).unwrap_err().to_string();
        assert!(said.contains("it answered 302") && said.contains("not encrypted"), "{said}");
        assert!(next(&end("http://h/a"), "it", "https://h/a", 301, Method::Get).is_ok());
        assert!(next(&end("https://h/a"), "it", "/b", 303, Method::Get).is_ok());
    }

    #[test]
    fn what_was_written_goes_to_no_other_server() {
        assert!(next(&end("https://h/a"), "it", "/b", 307, Method::Post).is_ok());
        assert!(next(&end("https://h/a"), "it", "https://other/b", 307, Method::Post).is_err());
        assert!(next(&end("https://h/a"), "it", "/b", 302, Method::Put).is_err());
    }
}
