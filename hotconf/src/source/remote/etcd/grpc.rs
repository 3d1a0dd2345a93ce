//! Calls of gRPC over one connection of HTTP/2, on any stream of bytes.
//!
//! Nothing runs by itself: the connection is polled together with whatever waits for an answer on it, and
//! stands still in between. So a [`Channel`] needs no task, and dropping it closes all that it opened. No
//! call has a deadline of its own: whoever waits has one.

use super::wire::{Frames, Malformed, frame};
use crate::source::remote::net::explain;
use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, RecvStream, SendStream};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// What may be under way to us on one stream before we have read it, and on all of them.
const WINDOW: u32 = 1 << 20;
/// Headers and trailers of an answer, of which etcd's have a few hundred bytes.
const LONGEST_HEADERS: u32 = 32 << 10;

/// Why a call did not bring its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The server says so.
    Status(Status),
    /// What came is no answer, or none came.
    Broken(String),
    /// The answer is larger than what may be taken.
    TooLong(String),
}

/// How a call ended, in gRPC's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) message: String,
}

/// A connection on which calls are made.
pub(super) struct Channel<T> {
    connection: Connection<T, Bytes>,
    requests: SendRequest<Bytes>,
    pings: PingPong,
    /// `http://host:port`.
    origin: Box<str>,
}

/// A call that is answered by a stream of messages, and to which further ones can be sent.
pub(super) struct Call {
    /// Until the headers are there.
    response: Option<ResponseFuture>,
    /// From then on.
    body: Option<RecvStream>,
    /// Until we say no more.
    requests: Option<SendStream<Bytes>>,
    frames: Frames,
    most: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Channel<T> {
    /// Begins to speak HTTP/2 on `stream`, to the server at `origin`.
    pub(super) async fn open(stream: T, origin: &str) -> Result<Self, Fault> {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(2 * WINDOW)
            .max_header_list_size(LONGEST_HEADERS);
        let (requests, mut connection) = builder.handshake(stream).await.map_err(|error| broken(&error))?;
        let pings = connection.ping_pong().expect("it is taken once");
        Ok(Self { connection, requests, pings, origin: origin.into() })
    }

    /// One question, one answer of at most `most` bytes.
    pub(super) async fn unary(
        &mut self,
        path: &str,
        token: Option<&HeaderValue>,
        question: &[u8],
        most: usize,
    ) -> Result<Bytes, Fault> {
        let mut call = self.call(path, token, question, most).await?;
        call.requests
            .as_mut()
            .map_or(Ok(()), |requests| requests.send_data(Bytes::new(), true))
            .map_err(|e| broken(&e))?;
        let answer = self.message(&mut call).await?;
        // What counts is how the call ended: an answer may be followed by an error.
        match self.message(&mut call).await {
            Err(Fault::Status(Status { code: 0, .. })) => Ok(answer),
            Err(fault) => Err(fault),
            Ok(_) => Err(Fault::Broken("expected one message, found two".to_owned())),
        }
    }

    /// Begins a call with its first message. The headers of the answer may come only later, with the first
    /// message that the server has to say.
    pub(super) async fn call(
        &mut self,
        path: &str,
        token: Option<&HeaderValue>,
        first: &[u8],
        most: usize,
    ) -> Result<Call, Fault> {
        let request = request(&self.origin, path, token)?;
        let requests = &mut self.requests;
        let opening = async {
            poll_fn(|task| requests.poll_ready(task)).await.map_err(|error| broken(&error))?;
            requests.send_request(request, false).map_err(|error| broken(&error))
        };
        let (response, requests) = with(&mut self.connection, opening).await?;
        let (response, body) = (Some(response), None);
        let mut call = Call { response, body, requests: Some(requests), frames: Frames::default(), most };
        call.say(first)?;
        Ok(call)
    }

    /// The next message of a call; how it ended is an error, also where it ended well.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(super) async fn message(&mut self, call: &mut Call) -> Result<Bytes, Fault> {
        with(&mut self.connection, call.message()).await
    }

    /// Asks the server whether it lives, and waits until it says so.
    pub(super) async fn pong(&mut self) -> Result<(), Fault> {
        let pings = &mut self.pings;
        let pong = async { pings.ping(Ping::opaque()).await.map(drop).map_err(|error| broken(&error)) };
        with(&mut self.connection, pong).await
    }

    /// Asks the server whether it lives, and waits until it says so, or a message comes: `None` is the former.
    pub(super) async fn message_or_pong(&mut self, call: &mut Call) -> Result<Option<Bytes>, Fault> {
        // An earlier one that is still under way will do.
        let _ = self.pings.send_ping(Ping::opaque());
        let pings = &mut self.pings;
        let heard = async {
            let mut message = pin!(call.message());
            poll_fn(|task| {
                if let Poll::Ready(message) = message.as_mut().poll(task) {
                    return Poll::Ready(message.map(Some));
                }
                pings.poll_pong(task).map(|pong| pong.map(|_| None).map_err(|error| broken(&error)))
            })
            .await
        };
        with(&mut self.connection, heard).await
    }
}

impl Call {
    /// Sends one more message. It is on its way as soon as somebody waits on the channel.
    pub(super) fn say(&mut self, message: &[u8]) -> Result<(), Fault> {
        let Some(requests) = &mut self.requests else { return Ok(()) };
        requests.send_data(frame(message), false).map_err(|error| broken(&error))
    }

    async fn message(&mut self) -> Result<Bytes, Fault> {
        loop {
            if let Some(message) = self.frames.next(self.most).map_err(malformed)? {
                return Ok(message);
            }
            if let Some(response) = &mut self.response {
                let response = response.await.map_err(|error| broken(&error))?;
                self.response = None;
                self.body = Some(self.accept(response)?);
            }
            let body = self.body.as_mut().expect("the headers are there");
            if let Some(piece) = body.data().await {
                let piece = piece.map_err(|error| broken(&error))?;
                self.frames.push(&piece);
                // It is taken: as much may follow.
                let _ = body.flow_control().release_capacity(piece.len());
                continue;
            }
            let trailers = body.trailers().await.map_err(|error| broken(&error))?;
            self.requests = None;
            return Err(match trailers.as_ref().and_then(status) {
                Some(status) if status.code == 0 && !self.frames.is_empty() => malformed(Malformed::Cut),
                Some(status) => Fault::Status(status),
                None => Fault::Broken("the answer ended without a status".to_owned()),
            });
        }
    }

    fn accept(&mut self, response: Response<RecvStream>) -> Result<RecvStream, Fault> {
        let (head, body) = response.into_parts();
        // An error may come as headers alone.
        if let Some(status) = status(&head.headers) {
            self.requests = None;
            return Err(Fault::Status(status));
        }
        let kind =
            head.headers.get(CONTENT_TYPE).map_or("no type", |kind| kind.to_str().unwrap_or("another type"));
        if head.status != StatusCode::OK || !kind.starts_with("application/grpc") {
            return Err(Fault::Broken(format!("expected gRPC, found HTTP {} with {kind}", head.status)));
        }
        Ok(body)
    }
}

/// Polls the connection together with what waits for it.
async fn with<T: AsyncRead + AsyncWrite + Unpin, R>(
    connection: &mut Connection<T, Bytes>,
    wait: impl Future<Output = Result<R, Fault>>,
) -> Result<R, Fault> {
    let mut wait = pin!(wait);
    poll_fn(|task| {
        let ended = Pin::new(&mut *connection).poll(task);
        // What came before the end of a connection counts.
        if let Poll::Ready(answer) = wait.as_mut().poll(task) {
            return Poll::Ready(answer);
        }
        // What was said just now is sent at once.
        let ended = if ended.is_ready() { ended } else { Pin::new(&mut *connection).poll(task) };
        ended.map(|ended| {
            Err(ended.map_or_else(
                |error| broken(&error),
                |()| Fault::Broken("the server closed the connection".to_owned()),
            ))
        })
    })
    .await
}

fn request(origin: &str, path: &str, token: Option<&HeaderValue>) -> Result<Request<()>, Fault> {
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .method(Method::POST)
        .uri(format!("{origin}{path}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header("te", "trailers")
        .header("user-agent", concat!("hotconf/", env!("CARGO_PKG_VERSION")))
        // A member that is cut off from the others must say so, rather than keep a silent stream.
        .header("hasleader", "true")
        .body(())
        .map_err(|error| Fault::Broken(format!("the address is no URI: {error}")))?;
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.clone());
    }
    Ok(request)
}

/// A token as a header, which shows itself nowhere and is not kept for compression.
pub(super) fn authorization(token: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(token).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn status(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = headers.get("grpc-message").map_or_else(String::new, |it| decoded(it.as_bytes()));
    Some(Status { code, message })
}

/// Text in which a byte may be written as `%` and two digits of sixteen.
fn decoded(text: &[u8]) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| byte == b'%');
        let value = digits.and_then(|[a, b]| {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            u8::try_from(digit(*a)? * 16 + digit(*b)?).ok()
        });
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn malformed(why: Malformed) -> Fault {
    match why {
        Malformed::TooLong { .. } | Malformed::TooMany(_) => Fault::TooLong(why.to_string()),
        _ => Fault::Broken(why.to_string()),
    }
}

impl From<Malformed> for Fault {
    fn from(why: Malformed) -> Self {
        malformed(why)
    }
}

/// An error of HTTP/2, or of the TLS below it, with its whole chain of causes.
fn broken(error: &h2::Error) -> Fault {
    Fault::Broken(explain(error))
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 17] = [
            "ok",
            "cancelled",
            "unknown",
            "invalid argument",
            "deadline exceeded",
            "not found",
            "already exists",
            "permission denied",
            "resource exhausted",
            "failed precondition",
            "aborted",
            "out of range",
            "unimplemented",
            "internal",
            "unavailable",
            "data loss",
            "unauthenticated",
        ];
        let name =
            usize::try_from(self.code).ok().and_then(|code| NAMES.get(code)).unwrap_or(&"no known code");
        let space = if self.message.is_empty() { "" } else { " " };
        write!(f, "{}{space}(gRPC {}, {name})", self.message, self.code)
    }
}
