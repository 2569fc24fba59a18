//! Signed checkpoints: what the log says it holds, in the form of C2SP signed-note and tlog-checkpoint.

mod checkpoint;
mod history;
mod key;
pub(crate) mod lines;
mod signed;

pub use checkpoint::Checkpoint;
pub use history::append_note;
pub(crate) use history::whole_end;
pub use key::{SigningKey, VerifierKey};
pub use signed::{Note, Signature, parse_notes};
