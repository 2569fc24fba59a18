//! The right edge of a tree that grows: all that appending and its root need.

use super::hash::{Hash, empty_root, node_hash};

/// The roots of the perfect subtrees a tree consists of, from the left (largest) to the right (smallest).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of `size` leaves, whose peaks these are. There is one for each bit set in `size`.
    #[must_use]
    pub fn of(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; `made` hears of each node that became complete: its height (0: the leaf), its index at that
    /// height, its hash.
    pub fn append(&mut self, leaf: Hash, mut made: impl FnMut(u32, u64, &Hash)) {
        let (mut hash, mut height, mut index) = (leaf, 0, self.size);
        made(0, index, &hash);
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            height += 1;
            index >>= 1;
            made(height, index, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The tree's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else { return empty_root() };
        peaks.fold(last, |right, left| node_hash(left, &right))
    }
}
