//! Keys: the one that wraps, those that seal (one a segment, one a person), and where they lie.

mod elsewhere;
mod kek;
mod key_file;
mod place;
mod ring;

pub use elsewhere::KeyElsewhere;
pub(crate) use elsewhere::{forget_file, mark, must_not_be_elsewhere};
pub(crate) use kek::random;
pub use kek::{FileKek, KeyEncryption};
pub use place::{Identity, KeyPlaces};
pub(crate) use place::{read_secret, replace, secret_folder, sync_folder, write_secret};
pub use ring::Keys;
pub(crate) use ring::rewrap;
