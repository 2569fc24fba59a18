//! The whole road of a message that meets no server: whatever comes in, one well-formed reply comes out, under its own id.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use omni_auth::Policy;
use omni_auth::settings::PolicySettings;
use omni_hub::stage::{Channel, ClientHeaders, Received};
use omni_hub::{Hub, Limits, Reply, Scope, Session, dispatch};
use omni_types::{Principal, ServerName};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::pieces::Pieces;
use crate::tree::{tree, written};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"f","version":"1"}}}"#;
/// Sessions are kept from one run to the next, up to this many.
const SESSIONS_MAX: usize = 64;

struct World {
    runtime: tokio::runtime::Runtime,
    hub: Arc<Hub>,
    session: Arc<Session>,
}

thread_local! {
    static WORLD: OnceCell<World> = const { OnceCell::new() };
}

pub(crate) fn run(data: &[u8]) {
    WORLD.with(|world| world.get_or_init(world_of_one).run(data));
}

fn received(
    hub: &Hub,
    body: Bytes,
    channel: Channel,
    session: Option<Arc<Session>>,
    headers: ClientHeaders,
) -> Received {
    let calls = session.as_ref().map(|session| Arc::clone(&session.calls));
    Received { body, scope: Scope::All, channel, sender: hub.local().clone(), session, calls, headers }
}

fn world_of_one() -> World {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { panic!("no runtime") };
    let Ok(policy) = Policy::build(&PolicySettings::default()) else { panic!("no policy") };
    let limits = Limits { sessions_max: SESSIONS_MAX, ..Limits::default() };
    let Ok(hub) = Hub::new(Principal::local("fuzz"), policy, limits) else { panic!("no hub") };
    let opening =
        received(&hub, Bytes::from_static(INITIALIZE.as_bytes()), Channel::Stdio, None, ClientHeaders::default());
    let Reply::Opened { session, .. } = runtime.block_on(dispatch(&hub, opening)) else { panic!("no session") };
    World { runtime, hub, session }
}

impl World {
    fn run(&self, data: &[u8]) {
        let mut pieces = Pieces::new(data);
        let how = pieces.byte();
        let channel = if how & 1 == 0 { Channel::Http } else { Channel::Stdio };
        let session = (how & 2 != 0).then(|| Arc::clone(&self.session));
        let mut headers = ClientHeaders::default();
        if how & 4 != 0 {
            headers.version = Some(pieces.text().to_owned());
            headers.method = Some(pieces.text().to_owned());
            headers.name = Some((how & 8 == 0).then(|| pieces.text().to_owned()));
        }
        let body = Bytes::copy_from_slice(pieces.rest());
        let known = tree(&body);
        let mut received = received(&self.hub, body, channel, session, headers);
        if how & 16 != 0
            && let Ok(name) = ServerName::parse("absent")
        {
            received.scope = Scope::One(name);
        }
        let sessions = self.hub.sessions().len();
        let reply = self.runtime.block_on(dispatch(&self.hub, received));
        self.check(reply, known.as_ref(), sessions);
        assert!(self.session.calls.is_empty(), "a call is still booked");
    }

    fn check(&self, reply: Reply, known: Option<&Value>, sessions: usize) {
        let id = known.map(|known| known.get("id"));
        match reply {
            Reply::Accepted => {}
            Reply::Listening(mut stream) => {
                assert!(id.is_none_or(|id| tree(stream.id()).as_ref() == id));
                answered(&stream.close(), id);
            }
            Reply::Answer(answer) => {
                let (first, rest, _) = answer.into_parts();
                assert!(rest.is_none(), "a stream of nobody's");
                answered(&first, id);
            }
            Reply::Opened { session, body } => {
                answered(&body, id);
                assert!(self.hub.sessions().len() >= sessions);
                self.hub.end_session(session.id());
            }
            Reply::Failed { fault, id: told, .. } => {
                assert!(!fault.to_string().is_empty());
                // A message that could not be read has no id; one that could is answered under its own.
                if let Some(told) = told {
                    assert!(id.is_none_or(|id| tree(&told).as_ref() == id), "it is told {told}, and asked {id:?}");
                }
            }
        }
    }
}

/// A well-formed answer, under the id of the request where that can be known.
fn answered(body: &[u8], id: Option<Option<&Value>>) {
    if id.is_none() && tree(body).is_none() {
        // The id comes back as it was written, and no tree can hold some: 1e4004.
        assert!(serde_json::from_slice::<&RawValue>(body).is_ok(), "{}", String::from_utf8_lossy(body));
        return;
    }
    let body = written(body);
    assert_eq!(body["jsonrpc"], "2.0");
    assert!(id.is_none_or(|id| body.get("id") == id), "{body} answers {id:?}");
    assert!(body.get("result").is_some() != body.get("error").is_some(), "{body}");
}
