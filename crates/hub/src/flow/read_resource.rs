//! `resources/read`: one resource of one server, read for one principal.

use std::sync::Arc;

use omni_types::Fault;

use crate::Hub;
use crate::record::CallRecord;
use crate::stage::{
    Approval, Authorized, Sanitized, Shelf, Term, Validated, admit, approve, authenticate, authorize, forward, route,
    sanitize,
};

/// The road of a tool call, with a shelf beside it: what was kept is given again, after policy decided and before a server
/// is asked.
pub(crate) async fn read_resource(
    hub: &Arc<Hub>,
    validated: Validated,
    record: &mut CallRecord,
) -> Result<Sanitized, Fault> {
    let authenticated = authenticate(hub, validated)?;
    let admitted = admit(hub, authenticated)?;
    let authorized = record.what(authorize(hub, admitted).await?);
    let approved = match approve(hub, authorized).await? {
        Approval::Given(approved) => approved,
        Approval::Asked(question) => return Ok(question),
    };
    record.begin().await?;
    let Some(mut shelf) = Shelf::of(hub, &approved) else {
        return ask(hub, approved, None).await.map(|(answer, _)| answer);
    };
    if let Some(kept) = shelf.answer(hub, &approved).await? {
        return Ok(kept);
    }
    match Box::pin(ask(hub, approved, Some(&shelf))).await {
        Ok((answer, term)) => Ok(shelf.keep(answer, term)),
        Err(fault) => shelf.stand_in(hub, fault),
    }
}

/// The server is asked.
async fn ask(hub: &Arc<Hub>, approved: Authorized, shelf: Option<&Shelf>) -> Result<(Sanitized, Option<Term>), Fault> {
    let routed = route(hub, approved).await?;
    let answered = forward(hub, routed).await?;
    let term = shelf.and_then(|shelf| shelf.term(&answered));
    Ok((sanitize(hub, answered).await?, term))
}
