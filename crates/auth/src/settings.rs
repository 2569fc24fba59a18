//! The `auth` and `policy` sections of `omni.yaml` as they are written.

pub use crate::auth_settings::{
    AuthMode, AuthSettings, CertificateField, CertificateSettings, ClaimSettings, DpopSettings, IntrospectionSettings,
    ProviderSettings,
};
pub use crate::policy::settings::{PolicySettings, PolicySource, RoleSettings};
