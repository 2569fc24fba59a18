//! The checks, one a file; a new one is its file, its line here and its test in `tests/house.rs`.

pub mod arrows;
pub mod circles;
pub mod doors;
pub mod face;
pub mod headline;
pub mod ids;
pub mod links;
pub mod paths;
pub mod places;
pub mod shown;
pub mod waivers;
