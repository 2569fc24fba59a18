//! Characters that mean harm where text is shown, logged or put into a line-based protocol (row VAL-5). Text that is merely
//! foreign passes to the byte.

mod class;
mod escapes;
mod find;
mod neutral;
mod script;

#[cfg(test)]
mod tests;

pub use class::{Action, CharacterRules, Class};
pub use find::dangerous;
pub(crate) use find::might_hold;
pub use neutral::{Neutral, neutralise};
