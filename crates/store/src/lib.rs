//! What the hub must still know after a restart: API keys, revocations, approvals, in one embedded database.

mod error;
mod file;
mod migrate;
mod store;
mod tables;

pub use error::StoreError;
pub use migrate::Step;
pub use store::{FILE, Health, Stamp, Store};
pub use tables::{ApiKeyRow, ApprovalRow, PAGE_MAX, Page, RevocationRow};
