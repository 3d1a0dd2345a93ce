//! What stands in the store, as of one moment.

use super::super::refusal::{judge, wrong_type};
use super::super::wire::{Reply, command, literally};
use super::{Dirty, Live, News, Scope, next};
use crate::source::remote::Entry;
use crate::source::{Context, SourceError};
use std::collections::{BTreeMap, BTreeSet};
use tokio::io::{AsyncRead, AsyncWrite};

/// How many keys of the database one step of a `SCAN` looks at, about.
const COUNT: &str = "1000";

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Live<T> {
    /// Everything.
    pub(super) async fn list(&mut self, cx: &Context) -> Result<BTreeMap<Vec<u8>, Entry>, SourceError> {
        let settings = self.settings.clone();
        let all = match &settings.scope {
            Some(Scope::Key(key)) => self.key(key).await?,
            Some(Scope::Hash(key)) => self.hash(key).await?,
            Some(Scope::Prefix(prefix)) => self.prefix(prefix, cx).await?,
            None => BTreeMap::new(),
        };
        self.due = next(settings.every, cx);
        Ok(all)
    }

    async fn key(&mut self, key: &str) -> Result<BTreeMap<Vec<u8>, Entry>, SourceError> {
        self.dirty = Dirty::default();
        match self.ask(&["GET", key]).await? {
            Reply::Text(value) => Ok([(key.into(), Entry::new(value, 0))].into()),
            Reply::Null => Ok(BTreeMap::new()),
            Reply::Error(said) => Err(self.refused(&said, key, "a string").await?),
            _ => Err(self.lied()),
        }
    }

    async fn hash(&mut self, key: &str) -> Result<BTreeMap<Vec<u8>, Entry>, SourceError> {
        self.dirty = Dirty::default();
        let pairs = match self.ask(&["HGETALL", key]).await? {
            Reply::List(pairs) if pairs.len() % 2 == 0 => pairs,
            Reply::Error(said) => return Err(self.refused(&said, key, "a hash").await?),
            _ => return Err(self.lied()),
        };
        let (mut fields, mut pairs) = (BTreeMap::new(), pairs.into_iter().map(Reply::into_text));
        while let (Some(field), Some(value)) = (pairs.next(), pairs.next()) {
            let (Some(field), Some(value)) = (field, value) else { return Err(self.lied()) };
            fields.insert(field, Entry::new(value, 0));
        }
        Ok(fields)
    }

    async fn prefix(&mut self, prefix: &str, cx: &Context) -> Result<BTreeMap<Vec<u8>, Entry>, SourceError> {
        loop {
            self.dirty = Dirty::default();
            let keys = self.scan(prefix, cx).await?;
            let Some(values) = self.read(keys.clone()).await? else { continue };
            // Nobody tells of keys that came in between.
            if self.is_told() || self.scan(prefix, cx).await?.is_subset(&keys) {
                return Ok(values.into_iter().filter_map(|(key, entry)| Some((key, entry?))).collect());
            }
        }
    }

    /// The keys that begin with `prefix`. One that comes or goes meanwhile may be among them or not.
    async fn scan(&mut self, prefix: &str, cx: &Context) -> Result<BTreeSet<Vec<u8>>, SourceError> {
        let mut pattern = literally(prefix.as_bytes());
        pattern.push(b'*');
        let (mut keys, mut bytes, mut place) = (BTreeSet::new(), 0, b"0".to_vec());
        loop {
            let words = [b"SCAN", &place[..], b"MATCH", &pattern[..], b"COUNT", COUNT.as_bytes()];
            let step =
                self.done(&words).await?.into_list().and_then(|step| <[Reply; 2]>::try_from(step).ok());
            let Some([Reply::Text(next), Reply::List(found)]) = step else { return Err(self.lied()) };
            for key in found {
                let key = key.into_text().filter(|key| key.starts_with(prefix.as_bytes()));
                let Some(key) = key else { return Err(self.lied()) };
                bytes += key.len();
                keys.insert(key);
            }
            if bytes > cx.limits.bytes {
                return Err(SourceError::invalid(format!(
                    "expected at most {} bytes, found more in the keys alone: raise `max_document_bytes`",
                    cx.limits.bytes
                )));
            }
            if next == b"0" {
                return Ok(keys);
            }
            place = next;
        }
    }

    /// What stands at `keys` and at what else changed, as of one moment; `None`: everything is to be listed.
    ///
    /// `MGET` sees one moment. If nothing but these keys changed since what is known was read, then what is known and
    /// what was read are the state as of then. So what is heard before we know of that moment counts, and with
    /// anything new in it all is read once more: a second transaction may have come before its first key was read.
    pub(super) async fn read(
        &mut self,
        mut keys: BTreeSet<Vec<u8>>,
    ) -> Result<Option<BTreeMap<Vec<u8>, Option<Entry>>>, SourceError> {
        loop {
            let Dirty { all, keys: changed, .. } = std::mem::take(&mut self.dirty);
            if all {
                self.dirty.all = true;
                return Ok(None);
            }
            keys.extend(changed);
            let values = self.values(&keys).await?;
            // Keyspace events come before the replies to what is asked after them; what `CLIENT TRACKING` tells comes at
            // the end of the server's round, behind the reply perhaps, but before that of the next round.
            if self.news == News::Tracking {
                self.done(&["PING"]).await?;
            }
            if !self.dirty.all && self.dirty.keys.is_subset(&keys) {
                return Ok(Some(values));
            }
        }
    }

    /// What stands at `keys`, by one command.
    async fn values(
        &mut self,
        keys: &BTreeSet<Vec<u8>>,
    ) -> Result<BTreeMap<Vec<u8>, Option<Entry>>, SourceError> {
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let words: Vec<&[u8]> = std::iter::once(&b"MGET"[..]).chain(keys.iter().map(Vec::as_slice)).collect();
        let values = self.done(&words).await?.into_list().filter(|values| values.len() == keys.len());
        let Some(values) = values else { return Err(self.lied()) };
        let mut read = BTreeMap::new();
        for (key, value) in keys.iter().zip(values) {
            let value = match value {
                Reply::Text(value) => Some(Entry::new(value, 0)),
                Reply::Null => None,
                _ => return Err(self.lied()),
            };
            read.insert(key.clone(), value);
        }
        // `MGET` says of a list or a hash, too, that nothing is there.
        let absent: Vec<_> = read.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
        for key in &absent {
            self.line.say(command(&[b"TYPE", &key[..]]));
        }
        for key in absent {
            match self.answer().await? {
                Reply::Text(kind) if kind == b"none" || kind == b"string" => {}
                Reply::Text(kind) => return Err(wrong_type(key, "a string", &kind)),
                Reply::Error(said) => return Err(judge(&said)),
                _ => return Err(self.lied()),
            }
        }
        Ok(read)
    }

    /// Why a key could not be read that was to hold `expected`.
    async fn refused(&mut self, said: &str, key: &str, expected: &str) -> Result<SourceError, SourceError> {
        if !said.starts_with("WRONGTYPE") {
            return Ok(judge(said));
        }
        let kind = self.done(&["TYPE", key]).await?.into_text().unwrap_or_default();
        Ok(wrong_type(key.as_bytes(), expected, &kind))
    }
}
