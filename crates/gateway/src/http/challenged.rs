//! The mark on an answer whose head has to tell how to log in: put on where the fault is known, settled where the request is.

use http::Response;
use omni_types::{Fault, FaultKind};

use crate::http::body::Body;

/// The mark.
#[derive(Debug, Clone)]
pub(crate) struct Challenged(Fault);

impl Challenged {
    /// Marks `response` where `fault` has to be answered by a challenge.
    pub(crate) fn mark(response: &mut Response<Body>, fault: &Fault) {
        if matches!(fault.kind(), FaultKind::Unauthenticated | FaultKind::InsufficientScope) {
            response.extensions_mut().insert(Self(fault.clone()));
        }
    }

    /// Takes the mark off; the fault that it was put on for.
    pub(crate) fn take(response: &mut Response<Body>) -> Option<Fault> {
        response.extensions_mut().remove::<Self>().map(|Self(fault)| fault)
    }
}
