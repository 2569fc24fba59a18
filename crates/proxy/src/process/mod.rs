//! Processes of stdio servers: started with what their entry says, ended as a whole tree whatever happens to the hub.

mod guard;
mod spawn;
mod tail;

pub use guard::run as run_guard;
pub(crate) use spawn::{Child, spawn};
pub use spawn::{Guard, find_program};
pub(crate) use tail::Tail;
