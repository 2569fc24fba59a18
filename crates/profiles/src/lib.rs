//! Profiles: Markdown files that say what a client is told and what of the servers it is shown.

mod bases;
mod document;
mod fault;
mod fill;
mod front;
mod glob;
mod inheritance;
mod library;
mod name;
mod offer;
mod profile;
pub mod remote;
mod resolve;
mod scan;
mod sections;
pub mod settings;
mod yaml;

pub use document::Document;
pub use fault::ProfileFault;
pub use library::{Library, Source};
pub use name::{ProfileName, ProfileNameError};
pub use offer::{Offer, Thing};
pub use profile::Profile;
pub use scan::{Scan, Stamp, look};
