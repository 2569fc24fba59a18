//! Doing away with whole days whose time to be kept has passed, so that what stays can still be verified.

mod plan;
mod statement;

pub(crate) use plan::delete;
pub use plan::{Pruning, plan};
pub(crate) use statement::{Inherited, Pruned, kept_statement, pruned_path};

#[cfg(test)]
mod tests;
