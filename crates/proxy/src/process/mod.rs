//! Processes of stdio servers: started with what their entry says, ended as a whole tree whatever happens to the hub.

mod guard;
mod orphans;
mod spawn;
mod tail;
mod tree;

pub use guard::run as run_guard;
pub(crate) use orphans::GuardWatch;
pub(crate) use spawn::{Child, spawn};
pub use spawn::{Guard, find_program};
pub(crate) use tail::Tail;
