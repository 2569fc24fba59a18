//! Answering a request: the route is found, the answer audited, whatever went wrong told as a problem.

use std::sync::Arc;

use http::{Method, StatusCode};
use omni_audit::{Event, EventKind, Origin, Outcome, Transport, Who};
use omni_hub::{Administration, Hub, Identified};
use omni_types::{Fault, FaultKind, Principal};
use tokio::sync::mpsc;

use crate::admin::openapi::openapi_text;
use crate::admin::problem::Problem;
use crate::admin::reply::Done;
use crate::admin::request::{Ask, ReloadRequest, decoded, query};
use crate::admin::route::BASE;
use crate::admin::routes::ROUTES;

/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What answers requests, be it over a socket or within the process.
#[derive(Debug, Clone)]
pub struct AdminService {
    pub(crate) administration: Arc<Administration>,
    pub(crate) reload: Option<mpsc::Sender<ReloadRequest>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body: JSON text, or nothing.
    pub json: String,
    /// The methods that there are instead, where this one is not.
    pub allow: Option<String>,
    /// After how many seconds it may be tried again, where it was too much.
    pub retry_after_s: Option<u64>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Asker<'a> {
    by: &'a Principal,
    /// Set where they came over the network: then policy decides.
    sender: Option<&'a Identified>,
}

impl AdminService {
    /// Answers for `administration`; `reload` takes wishes to read the configuration again.
    #[must_use]
    pub const fn new(administration: Arc<Administration>, reload: Option<mpsc::Sender<ReloadRequest>>) -> Self {
        Self { administration, reload }
    }

    /// The hub that is administered.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        self.administration.hub()
    }

    /// Answers one request of `by`, who runs the hub.
    pub async fn answer(&self, by: &Principal, method: &Method, target: &str, body: &[u8]) -> Answer {
        self.answer_to(Asker { by, sender: None }, method, target, body).await
    }

    /// Answers one request of `sender`, as far as policy lets them ask.
    pub async fn answer_sender(&self, sender: &Identified, method: &Method, target: &str, body: &[u8]) -> Answer {
        let asker = Asker { by: sender.principal(), sender: Some(sender) };
        self.answer_to(asker, method, target, body).await
    }

    async fn answer_to(&self, asker: Asker<'_>, method: &Method, target: &str, body: &[u8]) -> Answer {
        let (path, text) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let below = path.strip_prefix(BASE).unwrap_or_default();
        let here = || ROUTES.iter().filter_map(|route| Some((route, route.matches(below)?)));
        let Some((route, named)) = here().find(|(route, _)| route.method.as_str() == method.as_str()) else {
            let methods: Vec<&str> = here().map(|(route, _)| route.method.as_str()).collect();
            return if methods.is_empty() {
                Problem::not_found(format!("there is nothing at `{path}`; {BASE}/openapi.json lists what there is"))
                    .into()
            } else {
                let allow = methods.join(", ");
                let detail = format!("{method} is not for `{path}`; there are: {allow}");
                let answer: Answer = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into();
                Answer { allow: Some(allow), ..answer }
            };
        };
        // Held while it is answered.
        let _call = match asker.sender.map(|sender| self.administration.admit(sender, route.action)).transpose() {
            Ok(call) => call,
            Err(fault) => {
                let denied = event(asker, route.id, Outcome::Denied).because(fault.public().to_owned());
                self.administration.hub().audit().record(Who::from(asker.by), about(denied, named));
                return refused(&fault);
            }
        };
        let by = asker.by;
        let known: Vec<&str> = route.query.iter().map(|param| param.name).collect();
        let read = async {
            let query = query(text, &known)?;
            let named = decoded(named).ok_or_else(|| Problem::invalid("the path is not percent-encoded UTF-8"))?;
            if route.request.is_none() && !body.is_empty() {
                return Err(Problem::invalid("there is a body where none belongs"));
            }
            let (administration, reload) = (&*self.administration, self.reload.as_ref());
            (route.run)(Ask { administration, reload, openapi: openapi_text, by, named, query, body }).await
        };
        // Where nothing may be done without its record, its beginning is durable first.
        let begun = if route.changes() { self.begin(asker, route.id, named).await } else { Ok(()) };
        let done = match begun {
            Ok(()) => read.await,
            Err(problem) => Err(problem),
        };
        if route.changes() {
            self.audit(asker, route.id, named, &done);
        }
        match done {
            Ok(done) => Answer { status: done.status, json: done.json, allow: None, retry_after_s: None },
            Err(problem) => problem.into(),
        }
    }

    async fn begin(&self, asker: Asker<'_>, id: &str, named: &str) -> Result<(), Problem> {
        let audit = self.administration.hub().audit();
        if !audit.is_strict() {
            return Ok(());
        }
        let begun = about(event(asker, id, Outcome::Pending), named);
        audit.record_durably(Who::from(asker.by), begun).await.map_err(|error| {
            let detail =
                format!("nothing was done: the audit log does not take its record (audit.mode: strict): {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        })
    }

    fn audit(&self, asker: Asker<'_>, id: &str, named: &str, done: &Result<Done, Problem>) {
        let (outcome, what) = match done {
            Ok(done) => (Outcome::Success, done.what.as_deref()),
            Err(_) => (Outcome::Failed, None),
        };
        let mut event = about(event(asker, id, outcome), what.unwrap_or(named));
        if let Err(problem) = done {
            event = event.because(problem.detail.clone());
        }
        self.administration.hub().audit().record(Who::from(asker.by), event);
    }
}

/// What is done at the route `id`.
fn event(asker: Asker<'_>, id: &str, outcome: Outcome) -> Event {
    let kind = if id.starts_with("approvals") { EventKind::Approval } else { EventKind::Administration };
    let address = asker.sender.and_then(Identified::address);
    let origin = Origin { transport: Some(Transport::Admin), address, ..Origin::default() };
    Event::new(kind, id.replacen('-', "/", 1), outcome).from(origin)
}

/// The same about what it was done to, where that has a name.
fn about(event: Event, what: &str) -> Event {
    if what.is_empty() { event } else { event.on(None, what) }
}

/// Why somebody may not ask this, or not now.
fn refused(fault: &Fault) -> Answer {
    let status = match fault.kind() {
        FaultKind::Busy => StatusCode::TOO_MANY_REQUESTS,
        FaultKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    };
    let wait = fault.retry_after().map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    let retry_after_s = (status == StatusCode::TOO_MANY_REQUESTS).then(|| wait.unwrap_or(1));
    Answer { retry_after_s, ..Problem::new(status, fault.public()).into() }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, json: serde_json::to_string(&problem).unwrap_or_default(), allow: None, retry_after_s: None }
    }
}
