//! When content is kept and when it is taken: one keeper per source with a cache.

use super::Cache;
use super::codec::Record;
use super::known::known;
use super::shelf::Shelf;
use crate::source::{Context, Cursor};
use crate::sync::lock;
use crate::value::{Document, Layered};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The cache of one source.
pub(in crate::source::remote) struct Keeper {
    shelf: Shelf,
    source: String,
    max_age: Option<Duration>,
    /// It is sealed: secrets may be in it.
    sealed: bool,
    /// Each value of the source is a secret.
    secret: bool,
    /// What was applied last.
    applied: Option<(Cursor, Vec<Layered>)>,
    written: Option<Instant>,
    desk: Arc<Mutex<Desk>>,
}

/// What the one writer at a time has before it.
#[derive(Default)]
struct Desk {
    next: Option<Record>,
    busy: bool,
}

/// What a start takes from the cache.
pub(in crate::source::remote) struct Kept {
    pub(in crate::source::remote) documents: Vec<Layered>,
    pub(in crate::source::remote) cursor: Cursor,
    /// How long ago it was last known to be current, by the wall clock.
    pub(in crate::source::remote) age: Duration,
    /// Secrets may be in it.
    pub(in crate::source::remote) sealed: bool,
}

impl Keeper {
    pub(in crate::source::remote) fn new(cache: &Cache, source: &str, secret: bool, cx: &Context) -> Self {
        let whole = format!("{source}\n{}\n{}", cx.schema.name, cx.above().join("\n"));
        Self {
            shelf: Shelf::new(&cache.dir, source, &whole, cache.key.clone()),
            source: source.to_owned(),
            max_age: cache.max_age,
            sealed: cache.key.is_some(),
            secret,
            applied: None,
            written: None,
            desk: Arc::default(),
        }
    }

    /// What can be started from; whatever is wrong with it is warned of.
    pub(in crate::source::remote) fn take(&self, cx: &Context) -> Option<Kept> {
        let (record, trouble) = self.shelf.read();
        for trouble in trouble {
            cx.warn(trouble);
        }
        let record = record?;
        let age = Duration::from_secs(seconds_now().saturating_sub(record.as_of));
        if let Some(most) = self.max_age.filter(|most| age > *most) {
            cx.warn(format!("its cache is {age:?} old and was not taken: at most {most:?} is allowed"));
            return None;
        }
        let name = match record.cursor.order {
            0 => format!("cache of {}", self.source),
            order => format!("cache of {} @ revision {order}", self.source),
        };
        let document = |value| {
            let mut doc = Document::of(&name, value);
            if self.secret {
                doc.set_secret();
            }
            Layered::from(Arc::new(doc))
        };
        let documents = record.documents.iter().map(document).collect();
        Some(Kept { documents, cursor: record.cursor, age, sealed: self.sealed })
    }

    /// These documents are in force: they are kept, off the way of everything else.
    pub(in crate::source::remote) fn applied(
        &mut self,
        cursor: Cursor,
        documents: Vec<Layered>,
        cx: &Context,
    ) {
        self.applied = Some((cursor, documents));
        self.write(cx);
    }

    /// The store says that what is in force is current: its age begins anew.
    pub(in crate::source::remote) fn current(&mut self, cx: &Context) {
        let due = self
            .max_age
            .zip(self.written)
            .is_some_and(|(most, written)| cx.now().saturating_duration_since(written) >= most / 10);
        if due {
            self.write(cx);
        }
    }

    fn write(&mut self, cx: &Context) {
        let Some((cursor, documents)) = &self.applied else { return };
        self.written = Some(cx.now());
        let record = Record {
            source: self.source.clone(),
            cursor: cursor.clone(),
            as_of: seconds_now(),
            documents: documents.iter().map(|doc| known(doc, cx.schema, cx.above(), self.sealed)).collect(),
        };
        {
            let mut desk = lock(&self.desk);
            desk.next = Some(record);
            if std::mem::replace(&mut desk.busy, true) {
                return;
            }
        }
        let (shelf, desk, warn) = (self.shelf.clone(), self.desk.clone(), cx.clone());
        cx.see_through(move || {
            while let Some(record) = next(&desk) {
                if let Err(trouble) = shelf.write(&record) {
                    warn.warn(trouble);
                }
            }
        });
    }
}

/// The newest record, or the end of the writer.
fn next(desk: &Mutex<Desk>) -> Option<Record> {
    let mut desk = lock(desk);
    let next = desk.next.take();
    desk.busy = next.is_some();
    next
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
