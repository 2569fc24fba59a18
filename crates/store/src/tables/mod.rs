//! The tables, one file each: rows as plain data, and the statements that are made of them.

mod api_keys;
mod approvals;
mod page;
mod profile_choices;
mod revocations;

pub use api_keys::ApiKeyRow;
pub use approvals::ApprovalRow;
pub use page::{PAGE_MAX, Page};
pub use revocations::RevocationRow;
