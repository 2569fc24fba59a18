//! The hub's own encrypted store, asked as a provider.

use crate::fault::Fault;
use crate::held::Held;
use crate::local::LocalStore;

/// The value kept under `name`.
pub(crate) fn value(store: &LocalStore, name: &str) -> Result<Held, Fault> {
    match store.value(name) {
        Ok(Some(held)) => Ok(held),
        Ok(None) => Err(Fault::Missing(format!("the store holds no `{name}`: `omni secret set {name}` puts it in"))),
        Err(error) => Err(Fault::Unusable(format!("the store cannot be used: {error}"))),
    }
}
