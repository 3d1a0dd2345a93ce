//! Documents of what a store says: in place, or on a worker where they are long.
//!
//! What is under way lies in the [`Maker`], not in the future that waits for it: one that is dropped loses no work.

use super::assemble::{Content, Parsed, Place, assemble};
use super::store::{Entry, Map, Store};
use crate::error::Problem;
use crate::source::{BoxFuture, Context, SourceError};
use crate::sync::lock;
use crate::value::Layered;
use std::sync::{Arc, Mutex};

/// Documents of more bytes than this are made on a worker.
const LONG: usize = 64 << 10;

type Documents = Result<Vec<Layered>, Vec<Problem>>;

/// Makes documents, and knows those that it made last.
#[derive(Default)]
pub(super) struct Maker {
    parsed: Parsed,
    making: Option<Making>,
}

/// Documents that are being made on a worker.
struct Making {
    map: Arc<Map>,
    made: Arc<Mutex<Option<(Documents, Parsed)>>>,
    done: BoxFuture<'static, ()>,
}

impl Maker {
    /// How many documents were parsed since the last call.
    pub(super) fn take_fresh(&mut self) -> u64 {
        self.parsed.take_fresh()
    }

    /// Makes documents of all keys.
    pub(super) async fn make<S: Store>(
        &mut self,
        map: &Arc<Map>,
        cx: &Context,
        store: &Arc<S>,
        content: &Content,
    ) -> Documents {
        let bytes: usize = map.values().map(|entry| entry.value().len()).sum();
        if bytes <= LONG {
            return make(map, content, &Wanted::of(cx), &**store, &mut self.parsed);
        }
        let making = match self.making.take() {
            Some(making) if Arc::ptr_eq(&making.map, map) => making,
            _ => self.begin(map, cx, store, content),
        };
        (&mut self.making.insert(making).done).await;
        let made = self.making.take().and_then(|making| lock(&making.made).take());
        let (documents, parsed) = made.unwrap_or_else(|| {
            let message = "making documents of it was cut short";
            let problem = SourceError::invalid(message).into_problems();
            (Err(problem), Parsed::default())
        });
        self.parsed = parsed;
        documents
    }

    fn begin<S: Store>(&mut self, map: &Arc<Map>, cx: &Context, store: &Arc<S>, content: &Content) -> Making {
        let (store, content, wanted) = (store.clone(), content.clone(), Wanted::of(cx));
        let (mut parsed, made) = (std::mem::take(&mut self.parsed), Arc::new(Mutex::new(None)));
        let (of, place) = (map.clone(), made.clone());
        let done = cx.services().offload(Box::new(move || {
            let documents = make(&of, &content, &wanted, &*store, &mut parsed);
            *lock(&place) = Some((documents, parsed));
        }));
        Making { map: map.clone(), made, done }
    }
}

/// What documents are made for, owned.
struct Wanted {
    schema: &'static crate::schema::meta::Schema,
    above: Vec<String>,
    limits: crate::format::Limits,
}

impl Wanted {
    fn of(cx: &Context) -> Self {
        Self { schema: cx.schema, above: cx.above().to_vec(), limits: cx.limits }
    }
}

fn make<S: Store>(
    map: &Map,
    content: &Content,
    wanted: &Wanted,
    store: &S,
    parsed: &mut Parsed,
) -> Result<Vec<Layered>, Vec<Problem>> {
    let place = Place {
        source: &store.describe(),
        schema: wanted.schema,
        above: &wanted.above,
        limits: &wanted.limits,
        secret: S::SECRET,
        locate: &|key: &str, entry: &Entry| store.locate(key, entry),
    };
    assemble(map, content, &place, parsed)
}
