//! Answers of requests that came together go out together.
//!
//! Each write to a reader that sleeps wakes it, on another CPU by an interrupt, which costs more than the write. Written one
//! right behind the other, answers find their readers awake: those of one process, or what takes packets from here.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests that are being answered.
#[derive(Debug, Default)]
pub(crate) struct Turns(AtomicUsize);

/// One of them.
pub(crate) struct Turn<'a>(&'a AtomicUsize);

impl Turns {
    pub(crate) fn begin(&self) -> Turn<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Turn(&self.0)
    }
}

impl Turn<'_> {
    /// Returns when whatever else is ready has had its turn; at once where nothing else is being answered.
    pub(crate) async fn together(&self) {
        if self.0.load(Ordering::Relaxed) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
