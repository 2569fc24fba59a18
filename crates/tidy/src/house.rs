//! The house as the checks get it: the tree, and every Rust file of it walked once.

use crate::walk::{Walked, walk};
use crate::{Finding, Tree};
use anyhow::Result;

/// The repository, read and walked.
#[derive(Debug)]
pub struct House {
    /// Its files and packages.
    pub tree: Tree,
    pub(crate) walked: Vec<Walked>,
    unparsed: Vec<Finding>,
}

impl House {
    /// Reads the repository this crate lies in.
    ///
    /// # Errors
    /// When git or cargo cannot be run here, or a file cannot be read.
    pub fn read() -> Result<Self> {
        Ok(Self::of(Tree::read()?))
    }

    fn of(tree: Tree) -> Self {
        let (walked, unparsed) = walk(&tree);
        Self { tree, walked, unparsed }
    }

    /// The files that are not Rust though they are called so: where a check that walks begins.
    pub(crate) fn unparsed(&self) -> Vec<Finding> {
        self.unparsed.clone()
    }

    /// A house of the given files, for proving a check.
    #[cfg(test)]
    pub(crate) fn sample(files: &[(&str, &str)]) -> Self {
        Self::of(Tree::sample(files))
    }
}
