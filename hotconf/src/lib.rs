//! Live configuration: a struct with one derive, sources in layers, a value that is always whole, valid
//! and current, and typed news of the fields that changed.
//!
//! ```
//! use hotconf::{Env, Hot, HotConf, Inline};
//! use std::time::Duration;
//!
//! /// Settings of the shop service.
//! #[derive(Clone, Debug, HotConf)]
//! struct Shop {
//!     #[hotconf(nested)]
//!     http: Http,
//! }
//!
//! #[derive(Clone, Debug, HotConf)]
//! struct Http {
//!     /// Time to wait for upstream headers. 1 ms to 10 min; applies to new requests.
//!     #[hotconf(default = "5s", range = "1ms..=10m")]
//!     timeout: Duration,
//!     #[hotconf(default = 3)]
//!     retries: u32,
//! }
//!
//! let config: Hot<Shop> = Hot::builder()
//!     .source(Inline::toml("shop.toml", "http.timeout = \"2s\"")) // in a program: File::new("shop.toml")
//!     .source(Env::prefixed("SHOP"))                              // later sources override earlier ones
//!     .blocking_start()?;
//!
//! assert_eq!(config.load().http.timeout, Duration::from_secs(2));
//! assert_eq!(config.origin(Shop::FIELDS.http.timeout).to_string(), "shop.toml:1:16");
//! let _keep = config.on_change(Shop::FIELDS.http.retries, |change| {
//!     println!("retries: {} -> {}", change.old(), change.new());
//! });
//! config.blocking_shutdown(Duration::from_secs(5))?;
//! # Ok::<(), hotconf::Error>(())
//! ```
//!
//! # The pipeline
//!
//! ```text
//! source ─▶ format ─▶ layer ─▶ load ─▶ diff ─▶ control ─▶ publish ─▶ subscribe
//!                the engine executes; control decides; observe tells the story
//! ```
//!
//! | stage | does |
//! |---|---|
//! | source | brings documents, and is told what became of them |
//! | format | bytes → a flat tape, with line and column of every value |
//! | layer | the documents of all sources into one tree; *later sources override earlier ones* |
//! | load | tree → your type, through the derive: every problem in one pass |
//! | diff | which fields moved, typed |
//! | control | accepts or sets aside, what waits, what is told; `(input, now)` to effects; pure |
//! | publish | one atomic swap; readers take no lock |
//! | subscribe | tells exactly those whose field moved |
//! | observe | events, status, tracing |
//! | engine | time, threads, watching, workers, shutdown |
//!
//! That is the way of the data. Who may know whom is another order: a module imports only from the lines
//! above its own, and a test holds it.
//!
//! ```text
//! error named origin secret sync units  words that all share; they may know each other
//! value
//! format schema
//! grey
//! source layer diff
//! load
//! publish
//! subscribe
//! control
//! observe
//! engine
//! builder hot view private
//! ```
//!
//! # Features
//!
//! Each adds API and changes nothing of what is there.
//!
//! | feature | default | enables | costs | turn it off when |
//! |---|---|---|---|---|
//! | `derive` | yes | `#[derive(HotConf)]` | proc-macro2, quote, syn at build time, shared with serde's derive | you re-export the derive from a crate of your own |
//! | `toml` | yes | TOML 1.1 files; lists and tables in environment variables and arguments | `toml` and 4 small crates | you use YAML or JSON only |
//! | `yaml` | no | YAML 1.2 files (core schema) | `granit-parser` and its crates | – |
//! | `json` | no | JSON files | nothing: the parser is ours | – |
//! | `watch` | yes | file events through `notify` | `notify` and 8 crates; one thread | the content poll (2 s) is quick enough for you |
//! | `tracing` | yes | the story as `tracing` events and spans | `tracing`, `tracing-core`, `once_cell` | you read [`Events`] instead |
//! | `clap` | no | a layer of what was typed on a clap command line | `clap` without its default features | – |
//! | `semver` | no | rules of overlays that ask for versions | `semver` | – |
//! | `remote` | no | [`remote`]: remote stores of one's own, and their cache on disk | nothing; the engine may have sockets: two descriptors more | – |
//! | `sealed` | no | caches that are sealed with a key | `chacha20poly1305` and its crates | – |
//! | `http` | no | [`Http`]: a document behind an `http` or `https` address | 21 crates (hyper, rustls with ring, tokio's sockets) and a C compiler for ring | – |
//! | `etcd` | no | [`Etcd`]: keys of an etcd v3, and documents in them | those of `http`, and 6 more (h2) | – |
//! | `consul` | no | [`Consul`]: keys of a Consul, and documents in them | those of `http`; turns `json` on | – |
//! | `zookeeper` | no | [`ZooKeeper`]: its nodes, and documents in them | those of `http` | – |
//! | `vault` | no | [`Vault`]: secrets of `HashiCorp` Vault and `OpenBao` | those of `http`; turns `json` on | – |
//! | `nats` | no | [`Nats`]: keys of a NATS `JetStream` bucket, and documents in them | those of `http`; turns `json` on | – |
//! | `redis` | no | [`Redis`]: keys, hashes and documents of a Redis or Valkey | those of `http` | – |
//! | `nacos` | no | [`Nacos`]: documents of a Nacos | those of `http`; turns `json` on | – |
//! | `full` | no | all of these | their sum | – |
//!
//! # Tracing
//!
//! With the feature `tracing`, everything that is told has the target `hotconf` and the field `config`: the
//! configuration's name, which is its type's or that of [`Builder::name`]. Names and fields are stable, and
//! none of them holds a value of a setting but in an `error`, which shows what an [`Error`] shows: no secret.
//!
//! | span | level | covers | fields |
//! |---|---|---|---|
//! | `load` | debug | merging, decoding and checking a candidate; the first load and [`Builder::read`] too | `verdict`: `good` or `refused` |
//! | `reload` | debug | a window of documents, until all is told of it; holds the spans below and its `load`s | `verdict`: `applied`, `refused` or `unchanged` |
//! | `publish` | debug | the swap, and telling whoever is concerned | `version` |
//! | `refuse` | debug | telling of a refusal | `problems`: how many |
//!
//! | event | level | fields |
//! |---|---|---|
//! | `configuration applied` | info | `version`, `paths`: how many leaves moved; of version 1, how many there are |
//! | `configuration rejected` | error | `problems`: how many, `error`; also of a first load and of [`Builder::read`] |
//! | `source down` | error | `source`, `error` |
//! | `source up` | info | `source` |
//! | `configuration warning` | warn | `warning` |
//! | `restart required` | warn | `paths`: their names |
//!
//! A document that cannot be parsed is refused without a `reload`: there is nothing to load. One that fails at
//! the start gives no span `publish`.
//!
//! # Testing code that uses it
//!
//! No file and no thread is needed. [`Hot::fixed`] holds a value that never changes, [`View::fixed`] the
//! part that a library takes; [`Inline::channel`] is a source whose text the test changes, and
//! [`Watch::blocking_next`] waits until the change is there. What is refused is tested with
//! [`Builder::read`], which loads once and starts nothing.
//!
//! ```
//! use hotconf::{Format, Hot, HotConf, Inline, View};
//!
//! #[derive(Clone, Debug, HotConf)]
//! struct Pool {
//!     #[hotconf(default = 8, range = 1..=64)]
//!     size: u32,
//! }
//!
//! /// The code under test.
//! fn slots(pool: &View<Pool>) -> u32 {
//!     pool.load().size * 2
//! }
//!
//! // A fixed value.
//! assert_eq!(slots(&View::fixed(Pool { size: 4 })), 8);
//! assert_eq!(slots(&Hot::fixed(Pool { size: 5 }).view(Pool::FIELDS)), 10);
//!
//! // A value that changes while the code runs.
//! let (source, text) = Inline::channel("test", Format::Toml, "size = 4");
//! let config = Hot::<Pool>::builder().source(source).blocking_start()?;
//! let (view, mut size) = (config.view(Pool::FIELDS), config.watch(Pool::FIELDS.size));
//! text.set("size = 6");
//! assert_eq!(size.blocking_next()?, Some(6));
//! assert_eq!(slots(&view), 12);
//!
//! // A value that is refused.
//! let error = Hot::<Pool>::builder().source(Inline::toml("test", "size = 65")).read().unwrap_err();
//! assert_eq!(error.problems()[0].message(), "expected 1 to 64, found 65");
//! # Ok::<(), hotconf::Error>(())
//! ```
//!
//! # Files that settings name
//!
//! A leaf of type [`FileContent`] or [`SecretFile`] is a path in the document and the content in the value. The
//! files are read with the configuration and followed like sources; those that are replaced together, as a
//! certificate and its key, come in one version. `status()` lists them as one source while there are some.
//!
//! # Defaults
//!
//! | what | default | set by |
//! |---|---|---|
//! | files that settings name | 1 024, each as long as a document | – |
//! | waiting for a file that a new document names | 4 s; about 1 s for one that is missing | – |
//! | unknown keys | a warning with the nearest name | [`Builder::deny_unknown_keys`] |
//! | length of a document | 16 MiB | [`Builder::max_document_bytes`] |
//! | depth of a document | 128 tables and lists within each other | [`Builder::max_depth`] |
//! | size of a document | 1 000 000 keys and values, aliases expanded | [`Builder::max_nodes`] |
//! | content poll of files | every 2 s | [`Builder::poll`] |
//! | deadline of the first load | 10 s | [`Builder::startup_deadline`] |
//! | deadline of a [`reload`](Hot::reload) | 10 s | – |
//! | waiting for a writer that keeps a file open | 2 s after its last write | – |
//! | waiting for other sources that are about to bring something | 300 ms | – |
//! | events kept for a slow reader | 1 024 | [`Builder::event_capacity`] |
//! | workers | none at rest, 16 at most; one ends after 10 s without work | – |
//! | a callback that hangs is reported | after 5 s | – |
//! | connecting to a remote store, logging in, listing it | 10 s each | `remote::Remote::deadline` |
//! | attempts after a loss | drawn from 0 to 0.5 s, doubled each time, to 60 s; anew after a minute that went well | `remote::Remote::backoff` |
//! | a remote store that is silent counts as lost | after 30 s, or what its protocol asks for | – |
//! | a remote store is listed anew though nothing went wrong | every 5 min ± 20 % | `remote::Remote::resync` |
//! | a start waits for a store that is optional or cached | 2 s | – |
//! | a store that is out of touch is told once more | never | `remote::Remote::stale_after` |
//! | generations of a cache, and how old it may be | 3, any age | `remote::Cache::max_age` |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Generated code names this crate as `::hotconf`; inside of it that is us.

mod error;
mod named;
mod origin;
mod race;
mod secret;
mod sync;
mod units;
mod value;

mod format;
mod grey;
mod schema;

mod layer;
mod source;

mod control;
mod diff;
mod engine;
mod load;
mod observe;
mod publish;
mod subscribe;

mod builder;
mod hot;
mod view;

/// The README's code compiles.
#[cfg(all(doctest, feature = "derive", feature = "toml"))]
#[doc = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", env!("CARGO_PKG_README")))]
struct Readme;

#[doc(hidden)]
pub mod private;

pub use builder::{Builder, Loaded};
pub use diff::{Diff, DiffItem};
pub use error::{Error, Problem, ProblemKind};
pub use format::Format;
pub use grey::Instance;
pub use hot::{Hot, WeakHot};
#[cfg(feature = "derive")]
pub use hotconf_derive::HotConf;
pub use layer::{Candidate, Explanation, Explanations};
pub use load::{HotConf, SetError};
pub use named::{FileContent, SecretFile};
pub use observe::{
    Applied, Counters, Event, Events, FieldChange, RestartRequired, SourceDown, SourceState, SourceStatus,
    SourceUp, Status, Warning,
};
pub use origin::Origin;
pub use publish::{Guard, Live, LiveValue, Reader, Snapshot};
pub use schema::{
    DiffKind, Entry, Field, FieldInfo, FieldKind, Fields, MapField, Partial, Pick, Select, Total,
};
pub use secret::Secret;
#[cfg(feature = "clap")]
pub use source::Clap;
#[cfg(feature = "remote")]
pub use source::remote;
#[cfg(feature = "remote")]
#[allow(unused_imports, unreachable_pub)] // where the features of all stores are off
pub use source::remote::sources::*;
pub use source::{
    Args, BoxFuture, Context, Cursor, Dotenv, Env, File, Inline, InlineHandle, SecretsDir, Source,
    SourceError, SourceErrorKind, SourceExt, Stirring, Update, Verdict,
};
pub use subscribe::{Change, Subscription, Watch};
pub use units::ByteSize;
pub use value::Value;
pub use view::View;
