//! Doing away with whole days whose time to be kept has passed, so that what stays can still be verified.

mod deleting;
mod plan;
mod reading;
mod statement;

pub(crate) use deleting::delete;
pub use plan::{Pruning, plan};
pub(crate) use statement::{Inherited, Pruned, inherited_from, kept_statement, pruned_path};

#[cfg(test)]
mod tests;
