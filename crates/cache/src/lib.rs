//! Kept things: answers that may be given again, for a time, to whom they may be given.

mod cache;
mod clock;
mod entry;
mod epochs;
mod figures;
mod flight;
mod key;
mod memory;
pub mod settings;

pub use cache::{Cache, Found};
pub use clock::Clock;
pub use entry::{Entry, TAGS_MAX};
pub use epochs::Epoch;
pub use figures::Figures;
pub use flight::{Follow, Lead, Said, Turn};
pub use key::{Audience, Key, Kind, Tag};
