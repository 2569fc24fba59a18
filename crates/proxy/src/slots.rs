//! The links of one server, made and being made.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::error::LinkError;
use crate::link::Link;
use crate::profile::LinkKey;
use crate::watch_channel;

/// A link, or one on its way; those who wait for it wait together.
pub(crate) type Connecting = watch_channel::Receiver<Option<Result<Arc<Link>, LinkError>>>;

/// All links of a server, looked up with every call. In an order that is not of chance: which of two that fit is taken, and
/// which ends first, is the same in every life of a simulated world.
pub(crate) type Links = IndexMap<LinkKey, Vec<Connecting>, foldhash::fast::RandomState>;

/// Takes one out of the table.
pub(crate) fn forget(links: &mut Links, key: &LinkKey, connecting: &Connecting) {
    if let Some(all) = links.get_mut(key) {
        all.retain(|c| !c.same_channel(connecting));
        if all.is_empty() {
            links.swap_remove(key);
        }
    }
}

/// Ends those that are made.
pub(crate) fn close_all(links: &[Connecting]) {
    for connecting in links {
        if let Some(Ok(link)) = &*connecting.borrow() {
            link.close();
        }
    }
}
