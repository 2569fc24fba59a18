//! What is fuzzed: one function a target, each feeding bytes of chance to something that reads strangers' bytes.
//!
//! `cargo xtask fuzz` runs them under libFuzzer; the test `replay` runs what is kept in `corpus/` through them everywhere.

mod frames;
mod pieces;
mod planted;
mod target;
mod targets;
mod tree;

pub use planted::planted;
pub use target::{TARGETS, Target, target};
