//! Lines and lengths over TCP, and HTTP/1.1 of them, one question at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(super) struct Line(BufReader<TcpStream>);

impl Line {
    pub(super) fn open(at: SocketAddr) -> io::Result<Self> {
        Self::new(TcpStream::connect(at)?)
    }

    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The next line without its end.
    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    pub(super) fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// What an HTTP server says: the value of a header, and the body, whose length it must tell.
    pub(super) fn http(
        &mut self,
        asked: &str,
        headers: &str,
        body: &str,
        wanted: &str,
    ) -> io::Result<(String, String)> {
        let length = body.len();
        self.say(
            format!("{asked} HTTP/1.1\r\nhost: bench\r\n{headers}content-length: {length}\r\n\r\n{body}")
                .as_bytes(),
        )?;
        let status = self.line()?;
        let (mut length, mut found) = (None, String::new());
        loop {
            let line = self.line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(": ") else { break };
            if name == "content-length" {
                length = value.parse().ok();
            } else if name == wanted {
                value.clone_into(&mut found);
            }
        }
        let length = length.ok_or_else(|| io::Error::other("a body of no length"))?;
        let body = String::from_utf8(self.bytes(length)?).map_err(io::Error::other)?;
        if status.contains(" 200") { Ok((found, body)) } else { Err(io::Error::other(status + &body)) }
    }
}
