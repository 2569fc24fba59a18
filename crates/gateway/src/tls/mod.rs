//! TLS towards clients (row SHB-2): certificates from files, taken over when they change, client certificates checked.

mod files;
mod follow;
mod listener;
mod settings;

pub use crate::tls::files::TlsError;
pub(crate) use crate::tls::listener::{Handshake, Tls};
pub use crate::tls::settings::{ClientCertificateSettings, TlsSettings, TlsVersion};
