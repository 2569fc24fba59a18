//! The admin API, `/admin/v1`: what an administrator asks of a running hub, on a listener of its own.

mod listener;
mod openapi;
mod problem;
mod reply;
mod request;
mod route;
mod routes;
mod service;
mod settings;
mod socket;

pub use listener::{AdminListener, AdminSocketError};
pub use openapi::openapi_text;
pub(crate) use problem::Problem;
pub use request::{ReloadRequest, Reloaded};
pub(crate) use service::BODY_BYTES_MAX;
pub use service::{AdminService, Answer};
pub use settings::AdminSettings;
pub use socket::{SOCKET, connect};
