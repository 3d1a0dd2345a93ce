//! Whether two subtrees say the same, which is what tells whether anything moved.

use super::{Document, Kind};

impl Document {
    /// Tells whether two subtrees say the same, wherever they stand: order of keys apart, bit for bit.
    pub(crate) fn same(&self, node: u32, other: &Self, other_node: u32) -> bool {
        if std::ptr::eq(self, other) && node == other_node {
            return true;
        }
        let (a, b) = (&self.nodes[node as usize], &other.nodes[other_node as usize]);
        if a.kind != b.kind {
            return false;
        }
        match a.kind {
            Kind::Null => true,
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Float => a.bits == b.bits,
            Kind::Str | Kind::Text | Kind::Datetime | Kind::Key => self.str(node) == other.str(other_node),
            Kind::Array => {
                a.bits == b.bits
                    && self
                        .elements(node)
                        .zip(other.elements(other_node))
                        .all(|(x, y)| self.same(x, other, y))
            }
            Kind::Table => a.bits == b.bits && self.same_entries(node, other, other_node),
        }
    }

    /// Compares tables of equal size: in step while the keys come in the same order, else sorted.
    fn same_entries(&self, node: u32, other: &Self, other_node: u32) -> bool {
        let in_step = self
            .entries(node)
            .zip(other.entries(other_node))
            .all(|((key, _), (their_key, _))| self.str(key) == other.str(their_key));
        if in_step {
            return self
                .entries(node)
                .zip(other.entries(other_node))
                .all(|((_, value), (_, theirs))| self.same(value, other, theirs));
        }
        let (ours, theirs) = (self.sorted(node), other.sorted(other_node));
        ours.iter().zip(&theirs).all(|((name, value), (their_name, their))| {
            name == their_name && self.same(*value, other, *their)
        })
    }

    /// A table's entries by key, so that tables in different orders compare in O(n log n).
    fn sorted(&self, table: u32) -> Vec<(&str, u32)> {
        let mut entries: Vec<(&str, u32)> =
            self.entries(table).map(|(key, value)| (self.str(key), value)).collect();
        entries.sort_unstable();
        entries
    }
}
