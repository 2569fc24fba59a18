//! The Auth module: who a call is from, and what they may do.

pub mod settings;
