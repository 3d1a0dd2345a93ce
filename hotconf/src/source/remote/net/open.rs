//! One open HTTP/1.1 connection: what hyper calls a connection is polled together with the request on it.

use super::begun::Begun;
use super::dial::{dial, dial_proxy};
use super::endpoint::Endpoint;
use super::http1::{Asked, Method, Response, failed};
use super::proxy::Proxy;
use super::stream::Stream;
use super::transport::Transport;
use crate::source::{Context, SourceError};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Uri};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context as Task, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 << 10;
const AGENT: &str = concat!("hotconf/", env!("CARGO_PKG_VERSION"));

/// A connection on which one question at a time is asked.
pub(super) struct Open {
    origin: Endpoint,
    /// A proxy that is given whole addresses.
    proxy: Option<Proxy>,
    sender: SendRequest<Payload>,
    connection: Driven,
}

/// What hyper calls a connection: it moves only while it is polled.
struct Driven {
    /// Until it ends.
    open: Option<Pin<Box<Connection<Io, Payload>>>>,
    /// Why it ended.
    error: Option<hyper::Error>,
    /// Where it is to be taken over: itself, once it has ended well.
    over: Option<Pin<Box<Connection<Io, Payload>>>>,
    /// It is to be taken over.
    kept: bool,
}

/// Why there is no answer.
pub(super) enum Failure {
    /// Nothing came back: on a connection that was kept, the question may be asked again on another.
    Unanswered(SourceError),
    /// An answer began.
    Broken(SourceError),
}

impl Failure {
    fn into_error(self) -> SourceError {
        let (Self::Unanswered(error) | Self::Broken(error)) = self;
        error
    }
}

impl Open {
    /// Connects to the server of `endpoint`.
    pub(super) async fn to(
        endpoint: &Endpoint,
        transport: &Transport,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        // Proxies mostly refuse a tunnel to a port that is not one of TLS.
        let proxy = if endpoint.is_tls() { None } else { transport.proxy_to(endpoint)? };
        Self::through(proxy, endpoint, transport, cx).await
    }

    /// Connects to the server of `endpoint`, for a protocol other than HTTP once the server agrees: past a proxy
    /// only a tunnel leads.
    pub(super) async fn to_take_over(
        endpoint: &Endpoint,
        transport: &Transport,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let mut open = Self::through(None, endpoint, transport, cx).await?;
        open.connection.kept = true;
        Ok(open)
    }

    async fn through(
        proxy: Option<Proxy>,
        endpoint: &Endpoint,
        transport: &Transport,
        cx: &Context,
    ) -> Result<Self, SourceError> {
        let stream = match &proxy {
            Some(proxy) => dial_proxy(proxy, transport, cx).await?,
            None => dial(endpoint, transport, &[b"http/1.1"], cx).await?,
        };
        let opened = Builder::new().max_buf_size(LONGEST_HEAD).handshake(Io(stream)).await;
        let (sender, connection) = opened.map_err(|error| failed(&endpoint.host_and_port(), &error))?;
        Ok(Self {
            origin: endpoint.clone(),
            proxy,
            sender,
            connection: Driven { open: Some(Box::pin(connection)), error: None, over: None, kept: false },
        })
    }

    /// The server that it leads to.
    pub(super) fn origin(&self) -> &Endpoint {
        &self.origin
    }

    /// Whether it is open, as far as this side knows.
    pub(super) async fn is_well(&mut self) -> bool {
        self.connection.glance().await;
        self.can_go_on()
    }

    /// Whether another question can be asked on it.
    pub(super) fn can_go_on(&self) -> bool {
        self.connection.open.is_some() && self.sender.is_ready()
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn exchange(&mut self, asked: &Asked<'_>) -> Result<Response, Failure> {
        let (mut head, mut body) = self.ask(asked).await?;
        let connection = &mut self.connection;
        let read = connection.beside(whole(&mut body, asked)).await;
        drop(body);
        let body = read.map_err(Failure::Broken)?;
        connection.glance().await;
        // What comes behind the end of an answer was cut off from it: its length was a lie.
        if connection.error.as_ref().is_some_and(|error| error.to_string().contains("unexpected message")) {
            let message = format!(
                "{} sent more than the length that it announced, {} bytes: the answer is not whole",
                asked.name,
                body.len()
            );
            return Err(Failure::Broken(SourceError::invalid(message)));
        }
        head.body = body;
        Ok(head)
    }

    /// Asks, and reads the head of the answer alone.
    pub(super) async fn begin(mut self, asked: &Asked<'_>) -> Result<Begun, SourceError> {
        let (head, body) = self.ask(asked).await.map_err(Failure::into_error)?;
        Ok(Begun { head, body, open: self })
    }

    /// Waits for something on this connection.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.connection.beside(work).await
    }

    /// What is beneath it, and what was read beyond the head of the answer that gave it away; `None`: it has ended.
    pub(super) async fn take_over(mut self) -> Option<(Stream, Vec<u8>)> {
        // No question comes any more.
        drop(self.sender);
        let connection = &mut self.connection;
        poll_fn(|task| {
            connection.advance(task);
            if connection.open.is_some() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let parts = Pin::into_inner(self.connection.over?).into_parts();
        Some((parts.io.0, parts.read_buf.into()))
    }

    async fn ask(&mut self, asked: &Asked<'_>) -> Result<(Response, Incoming), Failure> {
        let request = self.request(asked).map_err(Failure::Broken)?;
        let (connection, sender) = (&mut self.connection, &mut self.sender);
        let answered = connection.beside(sender.send_request(request)).await;
        let answer = answered.map_err(|error| Failure::Unanswered(failed(asked.name, &error)))?;
        let (head, body) = answer.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok((Response { status, headers, body: Vec::new(), from: asked.name.into() }, body))
    }

    fn request(&self, asked: &Asked<'_>) -> Result<Request<Payload>, SourceError> {
        let wrong = |error: &(dyn std::error::Error + 'static)| {
            let why = super::explain(error);
            SourceError::invalid(format!("asking {} is not possible: {why}", asked.name))
        };
        let uri = if self.proxy.is_some() {
            Uri::try_from(asked.to.whole()).map_err(|error| wrong(&error))?
        } else {
            PathAndQuery::try_from(asked.to.target()).map_err(|error| wrong(&error))?.into()
        };
        let method = match asked.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
            Method::Put => hyper::Method::PUT,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", asked.to.authority())
            .header("user-agent", AGENT);
        if let Some(authorization) = self.proxy.as_ref().and_then(Proxy::authorization) {
            request = request.header("proxy-authorization", authorization.as_str());
        }
        for header in asked.headers {
            request = request.header(header.name, header.value);
        }
        let payload = (!asked.body.is_empty()).then(|| Bytes::copy_from_slice(asked.body));
        request.body(Payload(payload)).map_err(|error| wrong(&error))
    }
}

/// Reads a body to its end, and no more than is allowed.
async fn whole(body: &mut Incoming, asked: &Asked<'_>) -> Result<Vec<u8>, SourceError> {
    let too_long = || {
        let (name, most) = (asked.name, asked.cap);
        SourceError::invalid(format!("{name} sent more than {most} bytes: raise `max_document_bytes`"))
    };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > asked.cap {
        return Err(too_long());
    }
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|task| Pin::new(&mut *body).poll_frame(task)).await {
        let frame = frame.map_err(|error| {
            let (name, length, why) = (asked.name, read.len(), super::explain(&error));
            SourceError::down(format!("{name} sent an answer that was cut after {length} bytes: {why}"))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if read.len() + data.len() > asked.cap {
            return Err(too_long());
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

impl Driven {
    /// Drives the connection while `work` waits for something on it.
    async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|task| {
            if let Poll::Ready(done) = work.as_mut().poll(task) {
                return Poll::Ready(done);
            }
            // Once it has ended, `work` learns from its being dropped that nothing more comes.
            if self.advance(task) { work.as_mut().poll(task) } else { Poll::Pending }
        })
        .await
    }

    /// Lets it see what lies in its socket.
    async fn glance(&mut self) {
        poll_fn(|task| Poll::Ready(self.advance(task))).await;
    }

    /// Moves it; tells whether it has ended just now.
    fn advance(&mut self, task: &mut Task<'_>) -> bool {
        let Some(open) = &mut self.open else { return false };
        let Poll::Ready(ended) = open.as_mut().poll(task) else { return false };
        let open = self.open.take();
        self.error = ended.err();
        self.over = open.filter(|_| self.kept && self.error.is_none());
        true
    }
}

/// The body of a request, in one piece.
struct Payload(Option<Bytes>);

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |data| data.len() as u64))
    }
}

/// A stream as hyper wants one.
struct Io(Stream);

impl hyper::rt::Read for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [0; 8 << 10];
        let room = buf.remaining().min(space.len());
        let mut read = ReadBuf::new(&mut space[..room]);
        ready!(Pin::new(&mut self.get_mut().0).poll_read(task, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Io {
    fn poll_write(self: Pin<&mut Self>, task: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(task, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(task)
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(task)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(task, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
