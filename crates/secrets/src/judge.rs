//! Who decides beside the operator's grants: policy, which this wing does not know.

use std::fmt::Debug;

use crate::requester::Requester;

/// Decides whether somebody may have what is granted to them.
pub trait Judge: Debug + Send + Sync {
    /// Why `requester` may not have the secret that is kept as `name`; `None` where nothing speaks against it.
    fn refusal(&self, name: &str, requester: &Requester) -> Option<String>;
}
