//! Events for other programs: JSON lines, CEF, OCSF.

mod cef;
mod json;
mod ocsf;

pub use cef::cef;
pub use json::json;
pub use ocsf::ocsf;

#[cfg(test)]
mod tests;
