//! Why something an administrator wants is not done.

use omni_store::StoreError;

use crate::approvals::ApprovalError;

/// Why something an administrator wants is not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What is asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// There is none of that name.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit what there is.
    #[error("{0}")]
    Conflict(String),
    /// The hub has no data directory.
    #[error("this hub keeps nothing: set `data_dir`, or $HOME, and start it again")]
    NothingIsKept,
    /// What is kept cannot be read, or nothing can be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give")]
    NoRandomness,
}

impl From<ApprovalError> for AdminError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Unknown(_) => Self::NotFound(error.to_string()),
            ApprovalError::Full(_) => Self::Conflict(error.to_string()),
            ApprovalError::Store(error) => Self::Store(error),
            ApprovalError::NoRandomness => Self::NoRandomness,
        }
    }
}
