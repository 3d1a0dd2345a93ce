//! A client of `ZooKeeper` by which tests write: one question at a time, on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What one transaction does to one node.
pub(crate) enum Change<'a> {
    Create(&'a str, &'a [u8], Acl<'a>),
    Set(&'a str, &'a [u8]),
    Delete(&'a str),
}

/// Who may do what.
#[derive(Clone, Copy)]
pub(crate) enum Acl<'a> {
    /// Everybody all.
    Open,
    /// These rights, as a sum of bits, for those of a scheme.
    Only(i32, &'a str, &'a str),
}

const NO_NODE: i32 = -101;

/// A session.
pub(crate) struct Client {
    stream: TcpStream,
    number: i32,
}

impl Client {
    pub(crate) fn connect(at: SocketAddr) -> io::Result<Self> {
        Self::resume(at, &[0; 24])
    }

    /// With the number and the password of a session, which it takes over.
    pub(crate) fn resume(at: SocketAddr, session: &[u8]) -> io::Result<Self> {
        let limit = Duration::from_secs(10);
        let stream = TcpStream::connect_timeout(&at, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream, number: 0 };
        let (number, password) = session.split_at(8);
        let mut hello = Fields::default().int(0).long(0).int(10_000);
        hello.0.extend_from_slice(number);
        client.send(&hello.bytes(password).truth(false).0)?;
        let welcome = client.receive()?;
        match int(&welcome, 4) {
            0 => Err(io::Error::other("there is no such session")),
            _ => Ok(client),
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).expect("short");
        self.stream.write_all(&[&length.to_be_bytes()[..], message].concat())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut message)?;
        Ok(message)
    }

    /// The error, and what follows it.
    fn ask(&mut self, kind: i32, question: Fields) -> io::Result<(i32, Vec<u8>)> {
        self.number += 1;
        let number = if kind == 100 { -4 } else { self.number };
        self.send(&Fields::default().int(number).int(kind).and(&question).0)?;
        let answer = self.receive()?;
        assert_eq!(int(&answer, 0), number, "one question at a time");
        Ok((int(&answer, 12), answer[16..].to_vec()))
    }

    fn must(&mut self, kind: i32, question: Fields) -> io::Result<Vec<u8>> {
        match self.ask(kind, question)? {
            (0, answer) => Ok(answer),
            (error, _) => Err(io::Error::other(format!("error {error}"))),
        }
    }

    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> io::Result<()> {
        let id = format!("{user}:{password}");
        self.must(100, Fields::default().int(0).text("digest").text(&id)).map(drop)
    }

    pub(crate) fn exists(&mut self, path: &str) -> io::Result<bool> {
        match self.ask(3, Fields::default().text(path).truth(false))? {
            (0, _) => Ok(true),
            (NO_NODE, _) => Ok(false),
            (error, _) => Err(io::Error::other(format!("error {error}"))),
        }
    }

    pub(crate) fn set_acl(&mut self, path: &str, acl: Acl<'_>) -> io::Result<()> {
        self.must(7, Fields::default().text(path).acl(acl).int(-1)).map(drop)
    }

    /// One transaction.
    pub(crate) fn transact(&mut self, changes: &[Change<'_>]) -> io::Result<()> {
        let mut all = Fields::default();
        for change in changes {
            all = match change {
                Change::Create(path, data, acl) => {
                    all.int(1).truth(false).int(-1).text(path).bytes(data).acl(*acl).int(0)
                }
                Change::Set(path, data) => all.int(5).truth(false).int(-1).text(path).bytes(data).int(-1),
                Change::Delete(path) => all.int(2).truth(false).int(-1).text(path).int(-1),
            };
        }
        let answer = self.must(14, all.int(-1).truth(true).int(-1))?;
        // The first result is an error where any is.
        match int(&answer, 0) {
            -1 => Err(io::Error::other("the transaction failed")),
            _ => Ok(()),
        }
    }

    /// One transaction that makes these nodes be so, or be gone; folders above them come before.
    pub(crate) fn change(&mut self, changes: &[(String, Option<String>)]) -> io::Result<()> {
        let mut all = Vec::new();
        for (path, data) in changes {
            let there = self.exists(path)?;
            match data {
                Some(data) if there => all.push(Change::Set(path, data.as_bytes())),
                Some(data) => {
                    self.folders(path)?;
                    all.push(Change::Create(path, data.as_bytes(), Acl::Open));
                }
                None if there => all.push(Change::Delete(path)),
                None => {}
            }
        }
        if all.is_empty() { Ok(()) } else { self.transact(&all) }
    }

    fn folders(&mut self, path: &str) -> io::Result<()> {
        for (at, _) in path.match_indices('/').skip(1) {
            if !self.exists(&path[..at])? {
                self.transact(&[Change::Create(&path[..at], b"", Acl::Open)])?;
            }
        }
        Ok(())
    }

    /// Ends the session.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.must(-11, Fields::default()).map(drop)
    }
}

fn int(message: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"))
}

/// A record.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn and(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    fn int(mut self, int: i32) -> Self {
        self.0.extend_from_slice(&int.to_be_bytes());
        self
    }

    fn long(mut self, long: i64) -> Self {
        self.0.extend_from_slice(&long.to_be_bytes());
        self
    }

    fn truth(mut self, truth: bool) -> Self {
        self.0.push(truth.into());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.int(i32::try_from(bytes.len()).expect("short"));
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn acl(self, acl: Acl<'_>) -> Self {
        let (rights, scheme, id) = match acl {
            Acl::Open => (31, "world", "anyone"),
            Acl::Only(rights, scheme, id) => (rights, scheme, id),
        };
        self.int(1).int(rights).text(scheme).text(id)
    }
}
