//! The same document with one scalar changed: its token replaced, everything behind it moved.
//!
//! What stands behind the token keeps its node and gets another offset; nothing is parsed here. That
//! the result is what a parser would have made of the new text is for the caller to see to.

use super::tape::{Document, Kind, Node, narrow};
use std::ops::Range;
use std::sync::OnceLock;
use zeroize::Zeroizing;

impl Document {
    /// The scalar value whose token covers `range` of the text, and from where to where that token is.
    ///
    /// `None` also for a string with escapes or with longer quotes, and for a document without one text.
    pub(crate) fn scalar_around(&self, range: Range<usize>) -> Option<(u32, Range<usize>)> {
        let start = u32::try_from(range.start).ok()?;
        // Tables of TOML may stand in pieces, so the tape need not be in the order of the text.
        let scalars = self.nodes.iter().enumerate().filter(|(_, node)| {
            !matches!(node.kind, Kind::Table | Kind::Array | Kind::Key) && node.pos <= start
        });
        let (node, _) = scalars.max_by_key(|(_, node)| node.pos)?;
        let node = narrow(node);
        let (start, end) = match self.kind(node) {
            // What stands for it is a word of the format; of YAML it may be nothing at all.
            Kind::Null => self.offset(node).map(|start| (start, start + NULL.len()))?,
            _ => self.span(node)?,
        };
        (range.end <= end).then_some((node, start..end))
    }

    /// The same with `token` instead of the token at `place`, which is all of the scalar `node`.
    ///
    /// `token` is a document whose whole text is the new token and whose only node is its value.
    pub(crate) fn with_scalar(&self, node: u32, place: Range<usize>, token: &Self) -> Self {
        let new = token.text();
        let mut text = String::with_capacity(self.text.len() - place.len() + new.len());
        text.push_str(&self.text[..place.start]);
        text.push_str(new);
        text.push_str(&self.text[place.end..]);
        let (old_end, new_end) = (narrow(place.end), narrow(place.start + new.len()));
        let moved = |offset: u32| if offset >= old_end { offset - old_end + new_end } else { offset };
        let mut nodes = Vec::with_capacity(self.nodes.len());
        nodes.extend(self.nodes.iter().map(|&node| {
            let bits = if is_slice(node.kind) {
                let start = narrow((node.bits >> 32) as usize);
                u64::from(moved(start)) << 32 | (node.bits & 0xffff_ffff)
            } else {
                node.bits
            };
            Node { pos: moved(node.pos), bits, ..node }
        }));
        let value = token.nodes[Self::ROOT as usize];
        let changed = &mut nodes[node as usize];
        changed.kind = value.kind;
        changed.bits =
            if is_slice(value.kind) { value.bits + ((place.start as u64) << 32) } else { value.bits };
        Self {
            name: self.name.clone(),
            text_len: self.text_len - place.len() + new.len(),
            text: Zeroizing::new(text),
            nodes,
            places: Vec::new(),
            problems: Vec::new(),
            dir: self.dir.clone(),
            lines: OnceLock::new(),
            secret: self.secret,
        }
    }

    /// Whether every string of it stands in the text as it reads.
    pub(crate) fn is_plain(&self) -> bool {
        self.text.len() == self.text_len
    }

    /// Whether both are the same in all that anybody can ask of them, offsets included.
    #[cfg(test)]
    pub(crate) fn is_identical(&self, other: &Self) -> bool {
        let nodes = |doc: &Self| -> Vec<_> {
            doc.nodes.iter().map(|node| (node.kind, node.pos, node.end, node.bits)).collect()
        };
        self.name == other.name
            && self.text == other.text
            && self.text_len == other.text_len
            && nodes(self) == nodes(other)
            && self.places == other.places
            && self.problems.is_empty()
            && other.problems.is_empty()
    }
}

/// As JSON has it: TOML has none.
const NULL: &str = "null";

fn is_slice(kind: Kind) -> bool {
    matches!(kind, Kind::Str | Kind::Text | Kind::Datetime | Kind::Key)
}
