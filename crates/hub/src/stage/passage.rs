//! What has to be known to carry a message from a server to its client, and the carrying of one message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_protocol::{
    Era, ErrorCode, Message, MessageKind, Method, Splice, Version, error_response, member, might_have, response,
};
use omni_proxy::{Account, Link, can_be_asked};
use omni_types::{Fault, Principal};

use crate::Hub;
use crate::log_level::rank;
use crate::parking::{Identity, Parked};
use crate::rewrite::rewrite_uris;
use crate::session::Session;
use crate::stage::around::around;
use crate::stage::authenticate::Authenticated;
use crate::stage::failure::says_failure;
use crate::stage::fit::output_fits;
use crate::stage::input::{URL_ELICITATION_REQUIRED, input_required, may_ask, required_to_ask, urls_of, wants_input};
use crate::stage::leaving::{error_without_leaks, leave, told};
use crate::stage::result_type::with_result_type;
use crate::stage::translate::{error_for, result_for};
use crate::stage::validate::{Caller, Validated};
use crate::task_id::{TaskId, are_sealed};
use crate::throttle::Share;
use crate::view::Found;

/// Where a message says to which task of 2025-11-25 it belongs.
const RELATED_TASK: [&str; 3] = ["_meta", "io.modelcontextprotocol/related-task", "taskId"];

/// How a server of 2025-11-25 tells of a task's state, if it does.
const TASK_STATUS: &str = "notifications/tasks/status";

/// Whose call it is, how they speak, and over which link it runs.
#[derive(Debug)]
pub(super) struct Passage {
    hub: Arc<Hub>,
    validated: Validated,
    principal: Principal,
    _share: Option<Share>,
    link: Arc<Link>,
    name: String,
    /// JSON text of the progress token that the server knows, where the call began under another one.
    began_with: Option<String>,
}

/// What becomes of a message before the answer.
pub(super) enum Carried {
    /// It goes to the client.
    Ready(Bytes),
    /// It is not for the client.
    Dropped,
    /// A client of 2026-07-28 has to be asked this in the way of its era.
    Asked(Message),
    /// It cannot be asked of the client, which did not declare these capabilities (JSON text); the server was told.
    Undeclared(&'static str),
}

impl Passage {
    /// `name` is what the server calls what is called.
    pub(super) fn new(hub: &Arc<Hub>, authenticated: Authenticated, link: Arc<Link>, name: String) -> Self {
        let Authenticated { validated, principal, share } = authenticated;
        Self { hub: Arc::clone(hub), validated, principal, _share: share, link, name, began_with: None }
    }

    pub(super) const fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(super) fn version(&self) -> Version {
        self.validated.version()
    }

    /// JSON text of the id under which the client asked.
    pub(super) fn id(&self) -> &str {
        self.validated.message().id().unwrap_or("null")
    }

    /// On whose account the call waits for a place.
    pub(super) fn account(&self) -> Account {
        self.hub.account(&self.principal)
    }

    pub(super) fn session(&self) -> Option<&Arc<Session>> {
        match &self.validated.caller {
            Caller::Session(session) => Some(session),
            _ => None,
        }
    }

    pub(super) fn input_wait(&self) -> Duration {
        self.hub.limits().input_wait
    }

    fn method(&self) -> &Method {
        self.validated.method().unwrap_or(&Method::Ping)
    }

    fn crosses(&self) -> bool {
        self.version().era() != self.link.version().era()
    }

    /// The call goes on that was begun under the progress token `began_with`.
    pub(super) fn known_token(&mut self, began_with: Option<String>) {
        self.began_with = began_with.filter(|token| self.own_token() != Some(token));
    }

    fn own_token(&self) -> Option<&String> {
        self.validated.params().meta.as_ref().and_then(|meta| meta.progress_token.as_ref())
    }

    /// JSON text of the progress token that the server's messages carry on this passage.
    pub(super) fn token(&self) -> Option<&str> {
        self.began_with.as_deref().or_else(|| self.own_token().map(String::as_str))
    }

    /// Whether an answer is more than to be handed on.
    pub(super) fn needs_more(&self, first: &Message) -> bool {
        first.kind() != MessageKind::Response
            || (self.crosses() && (self.input_wanted(first).is_some() || self.asks_for_urls(first)))
    }

    /// The result by which a server of 2026-07-28 asks a client of an earlier revision for input.
    pub(super) fn input_wanted<'a>(&self, message: &'a Message) -> Option<&'a str> {
        let may = self.session().is_some() && self.link.version().era() == Era::Modern;
        message.result().filter(|result| may && wants_input(result))
    }

    fn asks_for_urls(&self, message: &Message) -> bool {
        self.crosses() && self.version().era() == Era::Modern && message.error_code() == Some(URL_ELICITATION_REQUIRED)
    }

    /// The HTTP status of an answer that came under `said`. One other than 200 means something only to a client of
    /// 2026-07-28.
    pub(super) fn status(&self, said: u16, code: Option<ErrorCode>) -> u16 {
        if self.version().era() == Era::Legacy {
            return 200;
        }
        match code {
            // A pipe has no status: where the server chose none, it is the one that goes with the code.
            _ if self.link.version().era() == Era::Modern && said != 200 => said,
            Some(ErrorCode::METHOD_NOT_FOUND) => 404,
            Some(
                ErrorCode::HEADER_MISMATCH | ErrorCode::MISSING_CLIENT_CAPABILITY | ErrorCode::UNSUPPORTED_VERSION,
            ) => 400,
            _ => 200,
        }
    }

    /// What a client of 2026-07-28 is told where a server of 2025-11-25 wants URLs visited before the call is made again,
    /// and the HTTP status that goes with it.
    pub(super) fn urls_wanted(&self, message: &Message) -> Option<(Bytes, u16)> {
        let urls = urls_of(message.error().filter(|_| self.asks_for_urls(message))?);
        let Caller::Modern(meta) = &self.validated.caller else { return None };
        if urls.is_empty() {
            return None;
        }
        if !can_be_asked(&meta.client_capabilities, &Method::Elicit, Some(r#"{"mode":"url"}"#)) {
            let data = r#"{"requiredCapabilities":{"elicitation":{"url":{}}}}"#;
            let why = "this call needs a URL to be visited first, and the client did not declare `elicitation.url`";
            return Some((
                error_response(Some(self.id()), ErrorCode::MISSING_CLIENT_CAPABILITY, why, Some(data)).into(),
                400,
            ));
        }
        // The server did nothing yet: the call is simply made again.
        let requests = urls.iter().map(|(key, request)| (key.as_str(), request.as_str()));
        let result = input_required(requests, None, self.link.hello().server_info.as_deref());
        Some((response(self.id(), &result).into(), 200))
    }

    /// What a client of 2026-07-28 is told where its call failed after the server asked what the client did not declare to be
    /// askable for, and the HTTP status that goes with it.
    pub(super) fn capability_missing(&self, required: &str, message: &Message) -> Option<(Bytes, u16)> {
        if !says_failure(message) {
            return None;
        }
        let server = self.link.server();
        let why =
            format!("server `{server}` asked for what this client did not declare, and could not answer without it");
        let data = format!(r#"{{"requiredCapabilities":{required}}}"#);
        Some((error_response(Some(self.id()), ErrorCode::MISSING_CLIENT_CAPABILITY, &why, Some(&data)).into(), 400))
    }

    /// Puts the call aside; the state with which its client comes back.
    pub(super) fn park(&self, parked: Parked) -> Result<String, Fault> {
        self.hub.parking().park(self.hub.seal(), &identity(&self.validated, &self.principal), parked)
    }

    /// The answer as the client has to see it, and fit to leave.
    pub(super) fn answer_fit_to_leave(&self, message: Message) -> Result<Bytes, Fault> {
        let (edits, screen) = (self.edits(&message)?, self.hub.screen());
        let fits = message.bytes().len() + self.id().len() <= screen.answer_bytes_max;
        if edits.is_one() && message.id_range().is_some() && fits && screen.lets_pass(&message) {
            return Ok(message.with_id(self.id()));
        }
        self.leave(edits.apply(message.bytes()).into())
    }

    /// The answer as the client has to see it.
    pub(super) fn answer(&self, message: &Message) -> Result<Bytes, Fault> {
        self.edits(message).map(|edits| edits.apply(message.bytes()).into())
    }

    /// What makes it that. Where an id is replaced and nothing else, it is as it came.
    fn edits(&self, message: &Message) -> Result<Splice<'_>, Fault> {
        let mut splice = Splice::new();
        let Some(range) = message.id_range() else {
            // A server that answers without an id could not read the request; the client knows what it asked.
            let error = message.error().unwrap_or("{}");
            let filtered = self.filtered(error);
            let told = filtered.as_deref().unwrap_or(error);
            let whole = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{told}}}"#, self.id());
            splice.replace(0..message.bytes().len(), whole.into_bytes());
            return Ok(splice);
        };
        splice.replace(range, self.id().as_bytes());
        let era = self.version().era();
        let crosses = self.crosses();
        if let (Some(result), Some(range)) = (message.result(), message.result_range()) {
            let translated = if crosses {
                Some(result_for(era, self.method(), result, &self.link)?)
            } else {
                with_result_type(era, result)
            };
            let current = translated.as_deref().unwrap_or(result);
            let has = |quoted: &str| match &translated {
                None => message.result_might_have(quoted),
                Some(text) => might_have(text, quoted),
            };
            self.output_fits(current, has)?;
            let rewritten = match self.task_id(current, has)? {
                Some(named) => Some(named),
                None => self.rewrite(current),
            };
            if let Some(text) = rewritten.or(translated) {
                splice.replace(range, text.into_bytes());
            }
        } else if let Some(error) = message.error()
            && let Some(text) = self.error(error, message.error_code())
        {
            let start = error.as_ptr() as usize - message.bytes().as_ptr() as usize;
            splice.replace(start..start + error.len(), text.into_bytes());
        }
        Ok(splice)
    }

    /// An error as the client has to see it; `None` where that is how it came.
    fn error(&self, error: &str, code: Option<ErrorCode>) -> Option<String> {
        let filtered = self.filtered(error);
        let current = filtered.as_deref().unwrap_or(error);
        let translated =
            self.crosses().then(|| error_for(self.version().era(), self.method(), current, code)).flatten();
        translated.or(filtered)
    }

    fn filtered(&self, error: &str) -> Option<String> {
        let asked = self.validated.message().params().unwrap_or_default();
        error_without_leaks(&self.hub, self.link.server().as_str(), error, asked)
    }

    /// A message fit to leave.
    pub(super) fn leave(&self, message: Bytes) -> Result<Bytes, Fault> {
        leave(&self.hub, self.link.server().as_str(), message)
    }

    /// A fault in the middle of an answer, as the client may see it.
    pub(super) fn told(&self, fault: Fault) -> Fault {
        let asked = self.validated.message().params().unwrap_or_default();
        told(&self.hub, &fault, asked).0.unwrap_or(fault)
    }

    fn output_fits(&self, result: &str, has: impl Fn(&str) -> bool) -> Result<(), Fault> {
        if *self.method() != Method::ToolsCall || !has("\"structuredContent\"") {
            return Ok(());
        }
        let server = self.hub.snapshot().server(self.link.server().as_str()).cloned();
        let Some(server) = server else { return Ok(()) };
        output_fits(&self.hub, &self.validated, &Found { server, name: self.name.clone() }, result)
    }

    /// A result that names a task names it as the client knows it; `None` for any other.
    fn task_id(&self, result: &str, has: impl Fn(&str) -> bool) -> Result<Option<String>, Fault> {
        // Where the id stands, or what it stands in.
        let outer = match (self.method(), self.version().era()) {
            (Method::ToolsCall, Era::Legacy) => "\"task\"",
            (Method::TasksResult, _) => "\"_meta\"",
            _ => "\"taskId\"",
        };
        if !self.names_tasks() || !has(outer) {
            return Ok(None);
        }
        let params = self.validated.message().params().unwrap_or("{}");
        let path = match (self.method(), self.version().era()) {
            (Method::ToolsCall, Era::Modern) if inner(result, &["resultType"]) == Some("\"task\"") => &["taskId"][..],
            (Method::ToolsCall, Era::Legacy) if member(params, "task").is_some() => &["task", "taskId"],
            (Method::ToolsCall, _) => return Ok(None),
            (Method::TasksResult, _) => &RELATED_TASK,
            _ => &["taskId"],
        };
        let Some(raw) = inner(result, path) else { return Ok(None) };
        let shown = if self.method().is_of_task() {
            self.validated.params().task_id.clone().unwrap_or_default()
        } else {
            let Ok(id) = serde_json::from_str(raw) else { return Ok(None) };
            let task = TaskId { server: self.link.server().to_string(), tool: self.name.clone(), id };
            task.seal(self.hub.seal(), &self.principal)?
        };
        Ok(String::from_utf8(replaced(result.as_bytes(), raw, &shown)).ok())
    }

    /// Whether its client knows tasks by sealed ids.
    fn names_tasks(&self) -> bool {
        (self.method().is_of_task() || *self.method() == Method::ToolsCall) && self.seals_tasks()
    }

    fn seals_tasks(&self) -> bool {
        are_sealed(&self.hub, self.version().era(), &self.validated.received().scope)
    }

    /// A message before the answer to `tasks/result` names the task as the client knows it.
    fn related(&self, message: Message) -> Message {
        if *self.method() != Method::TasksResult || !self.names_tasks() {
            return message;
        }
        let renamed = message.params().and_then(|params| inner(params, &RELATED_TASK)).and_then(|raw| {
            let shown = self.validated.params().task_id.as_deref()?;
            Message::parse(replaced(message.bytes(), raw, shown).into()).ok()
        });
        renamed.unwrap_or(message)
    }

    /// URIs that another server has too are shown under names that tell them apart.
    fn rewrite(&self, result: &str) -> Option<String> {
        let scope = &self.validated.received().scope;
        if scope.is_one() || !might_have(result, "\"uri\"") {
            return None;
        }
        let view = self.hub.view(scope, &self.principal, &around(&self.hub, &self.validated), self.validated.profile());
        if view.servers().len() < 2 {
            return None;
        }
        let snapshot = self.hub.snapshot();
        let server = snapshot.server(self.link.server().as_str())?;
        rewrite_uris(self.method(), result, &|uri| view.shown_uri(scope, server, uri))
    }

    /// A message before the answer.
    pub(super) fn carry(&self, message: Message) -> Carried {
        let message = self.related(message);
        if message.kind() == MessageKind::Request {
            return self.ask(message);
        }
        match (message.method(), &self.validated.caller) {
            // What a server of 2026-07-28 says of its subscriptions belongs to no call.
            (Some(Method::Acknowledged), _) => Carried::Dropped,
            (Some(Method::LogMessage), Caller::Modern(meta)) => {
                let wanted = meta.log_level.as_deref().and_then(rank);
                let level = level_of(&message).as_deref().and_then(rank);
                match (wanted, level) {
                    (None, _) => Carried::Dropped,
                    // Another call on the same session may have asked for more.
                    (Some(wanted), Some(level)) if self.crosses() && level < wanted => Carried::Dropped,
                    _ => Carried::Ready(message.bytes().clone()),
                }
            }
            (Some(Method::Progress), _) if self.began_with.is_some() => self.progress(&message),
            (Some(Method::Progress | Method::LogMessage), _) => Carried::Ready(message.bytes().clone()),
            // A server takes back what it asked: the client knows the question by another number.
            (Some(Method::Cancelled), Caller::Session(session)) => self.withdrawn(session, &message),
            (Some(Method::Cancelled), _) => Carried::Dropped,
            // It names a task as the server does, and may be missed: a task's state is asked for.
            (Some(Method::Other(name)), _)
                if &**name == TASK_STATUS
                    && (self.version().era() == Era::Legacy || !self.validated.received().scope.is_one())
                    && self.seals_tasks() =>
            {
                Carried::Dropped
            }
            // What only the other era has, its clients do not know.
            _ if self.crosses() => Carried::Dropped,
            _ => Carried::Ready(message.bytes().clone()),
        }
    }

    /// Progress of a call that its client made again under another token.
    fn progress(&self, message: &Message) -> Carried {
        match self.own_token() {
            Some(own) => renamed(message, "progressToken", |_| Some(own.clone())),
            None => Carried::Dropped,
        }
    }

    fn withdrawn(&self, session: &Session, message: &Message) -> Carried {
        renamed(message, "requestId", |id| session.withdraw(&self.link, id).map(|number| number.to_string()))
    }

    /// A request of the server's to the client, in between.
    fn ask(&self, message: Message) -> Carried {
        let method = message.method().cloned().unwrap_or(Method::Ping);
        let id = message.id().unwrap_or("null");
        let is_legacy = self.link.version().era() == Era::Legacy;
        match &self.validated.caller {
            _ if method == Method::Ping => {
                self.link.send_if_room(response(id, "{}").into());
                return Carried::Dropped;
            }
            // On a link of its own a session may be asked whatever its revision knows.
            Caller::Session(session) if is_legacy && (self.owns_link() || declares(session, &message)) => {
                if let (Some(number), Some(range)) = (session.ask(&self.link, id), message.id_range()) {
                    let mut splice = Splice::new();
                    splice.replace(range, number.to_string().into_bytes());
                    return Carried::Ready(splice.apply(message.bytes()).into());
                }
                self.link.send_if_room(
                    error_response(Some(id), ErrorCode::INTERNAL, "too many requests wait for this client", None)
                        .into(),
                );
                return Carried::Dropped;
            }
            Caller::Modern(meta)
                if is_legacy
                    && may_ask(self.method(), Era::Modern)
                    && can_be_asked(&meta.client_capabilities, &method, message.params()) =>
            {
                return Carried::Asked(message);
            }
            _ => {}
        }
        self.refuse(&message, "the client did not declare it, or its revision does not know it");
        match required_to_ask(&method, message.params()).filter(|_| self.crosses()) {
            Some(required) if may_ask(self.method(), self.version().era()) => Carried::Undeclared(required),
            _ => Carried::Dropped,
        }
    }

    fn owns_link(&self) -> bool {
        self.link.key().session.is_some()
    }

    /// Tells the server that its request cannot be carried.
    pub(super) fn refuse(&self, message: &Message, why: &str) {
        let name = message.method().map_or("", Method::as_str);
        let why = format!("`{name}` cannot be carried to this client: {why}");
        let refusal = error_response(message.id(), ErrorCode::METHOD_NOT_FOUND, &why, None);
        self.link.send_if_room(refusal.into());
    }
}

/// What the call is that `validated` makes, or makes again.
pub(super) fn identity<'a>(validated: &'a Validated, principal: &'a Principal) -> Identity<'a> {
    let (params, message) = (validated.params(), validated.message());
    let arguments = params.arguments_range.clone();
    Identity {
        principal,
        scope: &validated.received().scope,
        method: validated.method().map_or("", Method::as_str),
        name: params.name.as_deref().or(params.uri.as_deref()).unwrap_or_default(),
        arguments: arguments.and_then(|range| std::str::from_utf8(&message.bytes()[range]).ok()),
    }
}

/// JSON text of the member at the end of `path`, a piece of `text`.
fn inner<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, name| member(text, name).map(serde_json::value::RawValue::get))
}

/// `whole` with `piece`, which is a piece of it, replaced by the JSON text of `by`.
fn replaced(whole: &[u8], piece: &str, by: &str) -> Vec<u8> {
    let start = piece.as_ptr() as usize - whole.as_ptr() as usize;
    let mut splice = Splice::new();
    splice.replace(start..start + piece.len(), serde_json::Value::from(by).to_string().into_bytes());
    splice.apply(whole)
}

/// The message with one member of its parameters replaced by what `name` makes of it.
fn renamed(message: &Message, name_of: &str, name: impl FnOnce(&str) -> Option<String>) -> Carried {
    let found = message.params().and_then(|params| {
        let value = member(params, name_of)?;
        let start = value.get().as_ptr() as usize - message.bytes().as_ptr() as usize;
        Some((start..start + value.get().len(), name(value.get())?))
    });
    let Some((place, text)) = found else { return Carried::Dropped };
    let mut splice = Splice::new();
    splice.replace(place, text.into_bytes());
    Carried::Ready(splice.apply(message.bytes()).into())
}

fn declares(session: &Session, message: &Message) -> bool {
    let method = message.method().unwrap_or(&Method::Ping);
    can_be_asked(&session.profile.capabilities, method, message.params())
}

fn level_of(message: &Message) -> Option<String> {
    serde_json::from_str(member(message.params()?, "level")?.get()).ok()
}
