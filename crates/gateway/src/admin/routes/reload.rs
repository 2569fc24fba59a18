//! `POST /reload`: the configuration is read again now.

use std::time::Duration;

use http::StatusCode;
use omni_hub::Action;
use tokio::sync::oneshot;

use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::request::Reloaded;
use crate::admin::route::{Answering, Route, Verb, reads};

/// For the configuration to be read and put in force.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const RELOAD: Route = Route {
    method: Verb::Post,
    action: Action::AdminConfiguration,
    summary: "Reads the configuration again; a bad one is refused and changes nothing.",
    problems: &[409, 422, 504],
    ..reads(
        "/reload",
        "configuration-reload",
        |ask| -> Answering<'_> {
            Box::pin(async move {
                let Some(reload) = ask.reload else {
                    let detail = "this hub runs without a configuration file: there is nothing to read again";
                    return Err(Problem::new(StatusCode::CONFLICT, detail));
                };
                let (tell, told) = oneshot::channel();
                let gone = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the hub is stopping");
                reload.send(tell).await.map_err(|_| gone())?;
                match tokio::time::timeout(PATIENCE, told).await {
                    Ok(Ok(Ok(reloaded))) => Done::ok(&reloaded),
                    Ok(Ok(Err(why))) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why)),
                    Ok(Err(_)) => Err(gone()),
                    Err(_) => {
                        let detail = format!("nothing was heard of it within {} s; the log tells", PATIENCE.as_secs());
                        Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail))
                    }
                }
            })
        },
        |schemas| schemas.subschema_for::<Reloaded>(),
    )
};
