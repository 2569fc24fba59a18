//! The permission validator: what a principal may do, decided before anything is routed (rows TOOL-2 and AUTH-5).
//!
//! Rules of `omni.yaml` become Cedar policies (`rules`), those of `.cedar` files join them (`source`), and both are checked
//! against one schema. A decision looks only at the policies that can concern it (`index`), and is kept where it depends on
//! nothing but who, what and from where (`verdict`, `cache`).

mod access;
mod action;
mod cache;
mod context;
mod decision;
mod facts;
mod fault;
mod index;
mod path;
mod pattern;
#[cfg(test)]
mod properties;
mod reads;
mod rules;
pub(crate) mod settings;
mod source;
mod subject;
#[cfg(test)]
mod tests;
mod thing;
mod uri;
mod validator;
mod verdict;
mod words;

pub use access::{Access, Arguments, Hints, Surroundings};
pub use action::{Action, ThingKind};
pub use decision::{Approver, Ask, Decided, Decision, Denial, Explanation};
pub use fault::{Place as PolicyPlace, PolicyFault, Spot as PolicySpot};
pub use uri::plain as plain_uri;
pub use validator::Policy;
