//! The routes, one file each kind of thing. A new one is a file and a line in the table.

mod approvals;
mod audit;
mod cache;
mod keys;
mod openapi;
mod reload;
mod revocations;
mod servers;
mod sessions;
mod status;

use crate::admin::route::Route;

/// All routes.
pub(crate) static ROUTES: &[Route] = &[
    status::GET,
    servers::LIST,
    sessions::LIST,
    keys::LIST,
    keys::CREATE,
    keys::ROTATE,
    keys::REVOKE,
    revocations::LIST,
    revocations::CREATE,
    revocations::REMOVE,
    approvals::LIST,
    approvals::APPROVE,
    approvals::DENY,
    audit::ROTATE,
    cache::GET,
    cache::PURGE,
    reload::RELOAD,
    openapi::GET,
];
