//! What the operator may know of the cache, and do to it.

use omni_cache::Figures;

use crate::Hub;
use crate::stage::{server_tag, uri_tag};

impl Hub {
    /// What was counted of the cache.
    #[must_use]
    pub fn cache_figures(&self) -> Figures {
        self.snapshot().cache().figures()
    }

    /// Forgets what is kept: everything, what is `server`'s, or its resource `uri`. Says how many things went.
    #[must_use]
    pub fn forget_kept(&self, server: Option<&str>, uri: Option<&str>) -> u64 {
        let tag = server.map(|server| uri.map_or_else(|| server_tag(server), |uri| uri_tag(server, uri)));
        self.snapshot().cache().forget(tag)
    }
}
