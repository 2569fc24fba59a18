//! Writing the lasting log: a bounded queue, one thread behind it, commits in groups.

mod deletion;
mod disk;
mod entry;
mod journal;
mod lasting;
mod opening;
mod persons;
mod pruning;
mod queue;
mod recovery;
mod rotation;
mod settings;
mod signing;
mod thread;
mod turns;

pub use disk::{Disk, RealDisk};
pub use lasting::{Health, LastingLog};
pub use settings::{Durability, LogSettings};

#[cfg(test)]
mod tests;
