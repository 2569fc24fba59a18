//! Tests of the house itself: who may use whom, how long a file may be, what a face may hold. Ships nothing.
//!
//! Each check is a function from the [`House`] (every tracked or new file of the repository) to [`Finding`]s. The checks
//! run over the real tree in `tests/house.rs`; each proves itself on a bad sample in its own unit tests.

pub mod checks;

mod finding;
mod house;
mod modules;
mod ratchet;
mod table;
mod tree;
mod walk;

pub use finding::{Finding, report};
pub use house::House;
pub use ratchet::{Measured, RATCHET_FILE, Ratchet};
pub use table::{Row, TABLE};
pub use tree::{Package, Source, Tree};
