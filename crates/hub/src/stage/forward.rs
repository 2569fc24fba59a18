//! `Routed → Answered`: the server has its say. What it says is still untrusted.

use std::sync::Arc;

use omni_proxy::{Exchange, Link, Place};
use omni_types::{Fault, FaultKind};

use crate::Hub;
use crate::calls::Booked;
use crate::stage::authorize::Authorized;
use crate::stage::route::Routed;

/// A server's answer, or its beginning.
#[derive(Debug)]
pub struct Answered {
    pub(super) authorized: Authorized,
    pub(super) link: Arc<Link>,
    pub(super) exchange: Exchange,
    pub(super) booked: Option<Booked>,
    pub(super) place: Place,
}

/// Sends the message and waits for the first thing that comes back.
///
/// # Errors
/// When the server fails, or the client cancels the call.
pub async fn forward(_hub: &Arc<Hub>, routed: Routed) -> Result<Answered, Fault> {
    let Routed { authorized, link, outgoing, place } = routed;
    let validated = &authorized.admitted.authenticated.validated;
    let calls = validated.received().calls.as_ref();
    let booked = calls.zip(validated.message().id()).map(|(calls, id)| calls.book(id));
    let exchanging = async { link.exchange(outgoing).await.map_err(|e| link.fault(&e)) };
    let exchange = unless_cancelled(booked.as_ref(), exchanging).await?;
    Ok(Answered { authorized, link, exchange, booked, place })
}

/// Does `work` unless the client cancels the call before.
pub(super) async fn unless_cancelled<T>(
    booked: Option<&Booked>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let Some(booked) = booked else { return work.await };
    tokio::select! {
        done = work => done,
        () = booked.cancelled() => Err(Fault::new(FaultKind::Cancelled, "the client cancelled the call")),
    }
}
