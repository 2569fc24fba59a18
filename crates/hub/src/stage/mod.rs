//! The stages of a call, in their order. Each takes by value what the stage before made, and makes something that only
//! it can make: a flow that forgets one does not compile.
//!
//! `Received → Validated → Authenticated → Admitted → Authorized → Routed → Answered → Sanitized`
//!
//! A flow that keeps the order compiles:
//!
//! ```
//! use omni_hub::stage::{admit, authenticate, authorize, validate, Authorized, Received};
//! # async fn flow(hub: &std::sync::Arc<omni_hub::Hub>, received: Received) -> Result<Authorized, omni_types::Fault> {
//! let validated = validate(hub, received)?;
//! let authenticated = authenticate(hub, validated)?;
//! let admitted = admit(hub, authenticated)?;
//! authorize(hub, admitted).await
//! # }
//! ```
//!
//! One that leaves out admission does not, though it differs in that alone:
//!
//! ```compile_fail,E0308
//! use omni_hub::stage::{authenticate, authorize, validate, Authorized, Received};
//! # async fn flow(hub: &std::sync::Arc<omni_hub::Hub>, received: Received) -> Result<Authorized, omni_types::Fault> {
//! let validated = validate(hub, received)?;
//! let authenticated = authenticate(hub, validated)?;
//! authorize(hub, authenticated).await
//! # }
//! ```
//!
//! One that leaves out authentication does not:
//!
//! ```compile_fail,E0308
//! use omni_hub::stage::{admit, authorize, validate, Authorized, Received};
//! # async fn flow(hub: &std::sync::Arc<omni_hub::Hub>, received: Received) -> Result<Authorized, omni_types::Fault> {
//! let validated = validate(hub, received)?;
//! let admitted = admit(hub, validated)?;
//! authorize(hub, admitted).await
//! # }
//! ```
//!
//! One that routes what was not authorized does not:
//!
//! ```compile_fail,E0308
//! use omni_hub::stage::{admit, authenticate, route, validate, Received, Routed};
//! # async fn flow(hub: &std::sync::Arc<omni_hub::Hub>, received: Received) -> Result<Routed, omni_types::Fault> {
//! let validated = validate(hub, received)?;
//! let authenticated = authenticate(hub, validated)?;
//! let admitted = admit(hub, authenticated)?;
//! route(hub, admitted).await
//! # }
//! ```
//!
//! One that lets an answer out unsanitized does not:
//!
//! ```compile_fail,E0308
//! use omni_hub::stage::{forward, Routed, Sanitized};
//! # async fn flow(hub: &std::sync::Arc<omni_hub::Hub>, routed: Routed) -> Result<Sanitized, omni_types::Fault> {
//! forward(hub, routed).await
//! # }
//! ```
//!
//! And nobody outside a stage makes what it makes:
//!
//! ```compile_fail,E0451
//! use omni_hub::stage::{Admitted, Authorized};
//! # fn forge(admitted: Admitted) -> Authorized {
//! Authorized { admitted, access: None, ask: None, permits: None }
//! # }
//! ```

mod admit;
mod approve;
mod around;
mod authenticate;
mod authorize;
mod failure;
mod fit;
mod forward;
mod input;
mod kept;
mod leaving;
mod mirror;
mod passage;
mod received;
mod result_type;
mod rounds;
mod route;
mod sanitize;
mod stream;
mod translate;
mod validate;

pub use crate::channel::Channel;
pub use admit::{Admitted, admit};
pub use approve::{Approval, approve};
pub(crate) use around::{around, around_for_long};
pub use authenticate::{Authenticated, authenticate};
pub use authorize::{Authorized, authorize};
pub(crate) use authorize::{refused, resource_for};
pub use forward::{Answered, forward};
pub(crate) use kept::{Shelf, Term, server_tag, updated_tags, uri_tag};
pub(crate) use leaving::{leave, told};
pub use received::{ClientHeaders, Received};
pub(crate) use route::link_for;
pub use route::{Routed, route};
pub use sanitize::{Sanitized, sanitize};
pub use stream::SanitizedStream;
pub(crate) use validate::ID_BYTES_MAX;
pub use validate::{Caller, Parts, Validated, validate};
