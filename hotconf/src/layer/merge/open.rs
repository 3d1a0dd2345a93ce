//! Documents as they enter a merge: the part that is taken, the tables they are mounted below, and
//! what their reserved table says.
//!
//! A mount becomes a document of its own, with the mounting keys and one link to the real one; the
//! paths of `hotconf.unset` become a document of nulls directly above their own. The merge then knows
//! tables only.

use super::{Link, Voice, noun};
use crate::error::{Problem, ProblemKind};
use crate::layer::overlays::Overlays;
use crate::origin::Origin;
use crate::schema::keys;
use crate::schema::meta::Schema;
use crate::schema::nearest::{did_you_mean, nearest};
use crate::value::{Builder, Document, Kind, Layered};
use std::sync::Arc;

/// The top-level table that belongs to hotconf in every format.
pub(in crate::layer) const RESERVED: &str = "hotconf";

/// More documents than this are refused: a node says in 16 bits which one it is of.
const MOST_DOCUMENTS: usize = 20_000;

/// Documents ready to be merged.
pub(in crate::layer) struct Opened {
    pub(in crate::layer) docs: Vec<Arc<Document>>,
    pub(in crate::layer) owners: Vec<u16>,
    pub(super) links: Vec<Link>,
    /// The tables that speak at the top, lowest first.
    pub(in crate::layer) roots: Vec<Voice>,
    /// The roots that are overlays: index, and number of the overlay.
    pub(in crate::layer) overlays: Vec<(usize, usize)>,
    pub(super) problems: Vec<Problem>,
}

/// Opens `docs` with those of their overlays that hold; all of them where somebody asks who says what.
pub(in crate::layer) fn open(
    docs: &[Layered],
    overlays: &Overlays,
    all: bool,
    schema: &'static Schema,
) -> Opened {
    let mut opened = Opened {
        docs: Vec::with_capacity(docs.len()),
        owners: Vec::with_capacity(docs.len()),
        links: Vec::new(),
        roots: Vec::with_capacity(docs.len()),
        overlays: Vec::new(),
        problems: Vec::new(),
    };
    if docs.len() > MOST_DOCUMENTS {
        let message =
            format!("{} documents are too many; at most {MOST_DOCUMENTS} can be merged", docs.len());
        opened.problems.push(Problem::new(ProblemKind::Usage, "", message));
    }
    for (owner, layered) in docs.iter().take(MOST_DOCUMENTS).enumerate() {
        let Some(doc) = opened.layer(owner, layered, schema) else { continue };
        for (number, node, holds) in overlays.of(owner) {
            if holds || all {
                opened.overlays.push((opened.roots.len(), number));
                opened.mount(owner, &layered.doc, Voice { doc, node, slot: 0 }, &layered.under);
            }
        }
    }
    opened
}

/// A problem of a document by the path that it has in the configuration.
fn placed(problem: &Problem, layered: &Layered) -> Problem {
    let mut problem = problem.clone();
    let at = keys::join(layered.at.iter().map(String::as_str));
    let inner = match problem.path.strip_prefix(&*at) {
        Some(rest) if at.is_empty() || rest.is_empty() => rest,
        // What is wrong outside of the part that is taken keeps the path that the document has for it.
        rest => match rest.and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) => rest,
            None => return problem,
        },
    };
    let under = keys::join(layered.under.iter().map(String::as_str));
    let dot = if under.is_empty() || inner.is_empty() { "" } else { "." };
    problem.path = format!("{under}{dot}{inner}");
    problem
}

impl Opened {
    /// Goes on into the mounted document where `voice` is the place it is mounted at.
    pub(in crate::layer) fn follow(&self, voice: Voice) -> Voice {
        super::follow(&self.links, voice)
    }

    fn add(&mut self, owner: usize, doc: Arc<Document>) -> u16 {
        let index = short(self.docs.len());
        self.docs.push(doc);
        self.owners.push(short(owner));
        index
    }

    /// Takes one document in; where it is a table, its index.
    fn layer(&mut self, owner: usize, layered: &Layered, schema: &'static Schema) -> Option<u16> {
        let doc = self.add(owner, layered.doc.clone());
        let document = &layered.doc;
        self.problems.extend(document.problems().iter().map(|problem| placed(problem, layered)));
        let node = layered.part()?;
        let root = Voice { doc, node, slot: 0 };
        match document.kind(node) {
            Kind::Table => self.mount(owner, document, root, &layered.under),
            Kind::Null => return None,
            _ if !layered.under.is_empty() => {
                self.mount(owner, document, root, &layered.under);
                return None;
            }
            kind => {
                let path = keys::join(layered.at.iter().map(String::as_str));
                let message = format!("expected a table, found {}", noun(kind));
                self.problems.push(Problem::new(ProblemKind::Type, path, message).at(document.origin(node)));
                return None;
            }
        }
        if let Some((key, table)) = document.entries(node).find(|&(k, _)| document.str(k) == RESERVED)
            && let Some(nulls) = self.reserved(document, key, table, &layered.under, schema)
        {
            let nulls = Arc::new(nulls);
            let doc = self.add(owner, nulls.clone());
            self.mount(owner, &nulls, Voice { doc, node: Document::ROOT, slot: 0 }, &layered.under);
        }
        Some(doc)
    }

    /// Lets `root` speak at the top, through the tables of `under`.
    fn mount(&mut self, owner: usize, document: &Document, root: Voice, under: &[String]) {
        if under.is_empty() {
            self.roots.push(root);
            return;
        }
        let mut builder = Builder::keyed(document.name().clone());
        let mut open = Vec::new();
        for key in under {
            open.push(builder.table(0));
            builder.key_owned(0, key);
        }
        let node = u32::try_from(builder.len()).expect("a path is short");
        builder.null(0);
        while let Some(table) = open.pop() {
            builder.close(table, 1);
        }
        let mount = self.add(owner, Arc::new(builder.finish()));
        self.links.push(Link { mount, node, target: root });
        self.roots.push(Voice { doc: mount, node: Document::ROOT, slot: 0 });
    }

    /// Reads the reserved table; what it unsets comes back as a document of nulls.
    fn reserved(
        &mut self,
        doc: &Document,
        key: u32,
        table: u32,
        under: &[String],
        schema: &'static Schema,
    ) -> Option<Document> {
        if doc.kind(table) != Kind::Table {
            let message = "the top-level key `hotconf` is reserved: expected a table with `unset` and `when`";
            self.refuse(RESERVED, message.into(), doc.origin(key));
            return None;
        }
        let mut unset = Nulls::default();
        for (key, value) in doc.entries(table) {
            match doc.str(key) {
                "unset" => self.unset(doc, value, under, schema, &mut unset),
                "when" => self.problems.extend(crate::grey::read(doc, value).1),
                other => {
                    let hint = did_you_mean(
                        nearest(other, ["unset", "when"])
                            .map(|known| keys::join([RESERVED, known]))
                            .as_deref(),
                    );
                    let path = keys::join([RESERVED, other]);
                    self.refuse(&path, format!("unknown key in the reserved table{hint}"), doc.origin(key));
                }
            }
        }
        unset.into_document(doc.name())
    }

    fn unset(
        &mut self,
        doc: &Document,
        list: u32,
        under: &[String],
        schema: &'static Schema,
        nulls: &mut Nulls,
    ) {
        if doc.kind(list) != Kind::Array {
            let message = format!("expected a list of paths, found {}", noun(doc.kind(list)));
            return self.refuse("hotconf.unset", message, doc.origin(list));
        }
        for element in doc.elements(list) {
            let origin = doc.origin(element);
            if !matches!(doc.kind(element), Kind::Str | Kind::Text) {
                let message = format!("expected a path as a string, found {}", noun(doc.kind(element)));
                self.refuse("hotconf.unset", message, origin);
                continue;
            }
            let path = match keys::split(doc.str(element)) {
                Ok(path) => path,
                Err(reason) => {
                    self.refuse("hotconf.unset", format!("not a path: {reason}"), origin);
                    continue;
                }
            };
            let full: Vec<&String> = under.iter().chain(&path).collect();
            match schema.locate(&full) {
                Ok(_) => nulls.put(&path, origin),
                Err(miss) => {
                    let path = keys::join(full.iter().map(|key| key.as_str()));
                    let hint = did_you_mean(miss.suggestion(schema, full[miss.at]).as_deref());
                    self.refuse(&path, format!("cannot be unset: there is no such setting{hint}"), origin);
                }
            }
        }
    }

    fn refuse(&mut self, path: &str, message: String, origin: Origin) {
        self.problems.push(Problem::new(ProblemKind::Unknown, path, message).at(origin));
    }
}

/// Paths that are unset: tables of nulls in the making.
#[derive(Default)]
struct Nulls {
    entries: Vec<(String, Origin, Option<Nulls>)>,
}

impl Nulls {
    fn put(&mut self, path: &[String], origin: Origin) {
        let Some((key, rest)) = path.split_first() else { return };
        let at = self.entries.iter().position(|(k, ..)| k == key).unwrap_or_else(|| {
            let inner = (!rest.is_empty()).then(Nulls::default);
            self.entries.push((key.clone(), origin.clone(), inner));
            self.entries.len() - 1
        });
        let (_, place, inner) = &mut self.entries[at];
        match inner {
            // The whole is unset: its parts say nothing more.
            Some(_) if rest.is_empty() => (*place, *inner) = (origin, None),
            Some(inner) => inner.put(rest, origin),
            None => {}
        }
    }

    fn into_document(self, name: &Arc<str>) -> Option<Document> {
        if self.entries.is_empty() {
            return None;
        }
        let mut builder = Builder::keyed(name.clone());
        self.write(&mut builder);
        Some(builder.finish())
    }

    fn write(self, builder: &mut Builder) {
        let open = builder.table(0);
        let count = self.entries.len();
        for (key, origin, inner) in self.entries {
            let place = builder.place(origin);
            builder.key_owned(place, &key);
            match inner {
                Some(inner) => inner.write(builder),
                None => builder.null(place),
            }
        }
        builder.close(open, count);
    }
}

fn short(n: usize) -> u16 {
    u16::try_from(n).expect("the number of documents was capped")
}
