//! Frames of WebSocket after the upgrade, towards clients and towards servers: what is heard is what RFC 6455 says is there,
//! however the stream is cut, within bounds; what is said are well-formed frames; how it ends is told by the right code.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_auth::Policy;
use omni_auth::settings::PolicySettings;
use omni_egress::{Dial, Dialing, Io, Target, websocket};
use omni_gateway::GatewayLimits;
use omni_gateway::http::websocket::converse;
use omni_hub::{Hub, Limits, Scope};
use omni_types::Principal;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::frames::{End, Heard, read, stream};
use crate::pieces::{Pieces, chunks};
use crate::tree::tree;

/// Bytes of a message: enough to open a session, and little enough to pass.
const MESSAGE_BYTES_MAX: usize = 300;
/// What the hub says is longer than what it hears.
const SAID_BYTES_MAX: usize = 1 << 20;
/// Bytes on their way between the two sides.
const PIPE_BYTES: usize = 512;
/// Control frames that the gateway bears within a minute.
const CONTROLS_MAX: usize = 1_000;
/// Turns that the other side gets after each chunk, so that it reads chunks and not the whole.
const TURNS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

const NORMAL: u16 = 1000;
const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const INVALID: u16 = 1007;
const POLICY: u16 = 1008;
const SIZE: u16 = 1009;

struct World {
    runtime: Runtime,
    hub: Arc<Hub>,
}

thread_local! {
    static WORLD: World = world();
}

fn world() -> World {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { panic!("no runtime") };
    let Ok(policy) = Policy::build(&PolicySettings::default()) else { panic!("no policy") };
    let Ok(hub) = Hub::new(Principal::local("fuzz"), policy, Limits::default()) else { panic!("no hub") };
    World { runtime, hub }
}

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let how = pieces.byte();
    let cuts = pieces.until_nul();
    let from_client = how & 1 == 0;
    let bytes = if how & 2 == 0 { stream(pieces, from_client) } else { pieces.rest().to_vec() };
    WORLD.with(|world| {
        if from_client {
            world.runtime.block_on(of_a_client(&world.hub, cuts, &bytes));
            assert!(world.hub.sessions().is_empty(), "a session is left");
        } else {
            world.runtime.block_on(of_a_server(cuts, &bytes));
        }
    });
}

/// Sends `bytes` as `cuts` has them, then no more; all that comes back.
async fn exchange(io: DuplexStream, cuts: &[u8], bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut said = Vec::new();
    let sending = async {
        for chunk in chunks(cuts, bytes) {
            // What the other side has closed its door to is nobody's.
            if writer.write_all(chunk).await.is_err() {
                break;
            }
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        }
        let _it_may_be_closed = writer.shutdown().await;
    };
    let (_it_may_break, ()) = tokio::join!(reader.read_to_end(&mut said), sending);
    said
}

/// The gateway hears a client.
async fn of_a_client(hub: &Arc<Hub>, cuts: &[u8], bytes: &[u8]) {
    let limits = GatewayLimits {
        connections_max: 1,
        body_bytes_max: MESSAGE_BYTES_MAX,
        header_timeout: PATIENCE,
        body_timeout: PATIENCE,
    };
    let (_runs_on, stopping) = watch::channel(false);
    let (ours, theirs) = duplex(PIPE_BYTES);
    let whose = (Scope::All, hub.local().clone());
    let served = converse(theirs, Arc::clone(hub), whose, &limits, stopping);
    let ((), said) = tokio::join!(served, exchange(ours, cuts, bytes));
    let (heard, end) = read(bytes, true, MESSAGE_BYTES_MAX);
    let (answers, farewell) = read(&said, false, SAID_BYTES_MAX);
    let requests = heard.iter().filter(|heard| matches!(heard, Heard::Text(_))).count();
    let mut answered = 0;
    for answer in answers {
        match answer {
            Heard::Text(text) => {
                well_formed(&text);
                answered += 1;
            }
            Heard::Ping(payload) => assert!(payload.is_empty()),
            Heard::Pong => {}
            Heard::Binary(_) => panic!("the hub says text alone"),
        }
    }
    assert!(answered <= requests, "{answered} answers to {requests} messages");
    let expected = expected_codes(&heard, &end);
    match farewell {
        End::Closed(Some(code)) => assert!(expected.contains(&code), "closed with {code}, not {expected:?}: {end:?}"),
        // A close without a code is answered in kind.
        End::Closed(None) => assert_eq!(end, End::Closed(None)),
        End::Open => assert!(expected.is_empty(), "left without a word, not with {expected:?}: {end:?}"),
        other => panic!("what the hub says is no WebSocket: {other:?}"),
    }
}

/// A message of JSON-RPC, or a batch of them.
fn well_formed(text: &[u8]) {
    let Ok(text) = serde_json::from_slice::<&RawValue>(text) else { panic!("no JSON: {}", text.escape_ascii()) };
    // An id that is a number which no float can hold comes back as it was: JSON, but no tree.
    let Some(message) = tree(text.get()) else { return };
    let members = message.as_array().map_or_else(|| std::slice::from_ref(&message), Vec::as_slice);
    assert!(!members.is_empty() && members.iter().all(|one| one["jsonrpc"] == "2.0"), "{message}");
}

/// With which codes the gateway may close; none where nobody is left to read it.
fn expected_codes(heard: &[Heard], end: &End) -> Vec<u16> {
    let mut controls = 0;
    for one in heard {
        match one {
            Heard::Text(_) => {}
            Heard::Binary(_) => return vec![UNSUPPORTED],
            Heard::Ping(_) | Heard::Pong => controls += 1,
        }
        if controls > CONTROLS_MAX {
            return vec![POLICY];
        }
    }
    match end {
        End::Open => vec![],
        // A code that nobody may send is answered as the breach that it is.
        End::Closed(code) => vec![code.unwrap_or(NORMAL), PROTOCOL],
        End::Broken => vec![PROTOCOL],
        End::Large => vec![SIZE],
        End::NoText { large: false } => vec![INVALID],
        End::NoText { large: true } => vec![INVALID, SIZE],
    }
}

/// Connections to a server that says what it is given to say.
#[derive(Debug)]
struct Line(Mutex<Option<DuplexStream>>);

impl Dial for Line {
    fn dial(&self, _host: &str, _port: u16) -> Dialing {
        let io = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move { io.map(|io| Box::new(io) as Box<dyn Io>).ok_or_else(|| std::io::Error::other("used")) })
    }
}

/// Agrees to the upgrade.
async fn accept(io: &mut DuplexStream) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let Ok(byte) = io.read_u8().await else { panic!("no handshake") };
        asked.push(byte);
    }
    let asked = String::from_utf8_lossy(&asked);
    let mut lines = asked.lines().filter_map(|line| line.split_once(": "));
    let key = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let Some((_, key)) = key else { panic!("no key in {asked}") };
    let accepted = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-protocol: mcp\r\nsec-websocket-accept: {accepted}\r\n\r\n"
    );
    assert!(io.write_all(answer.as_bytes()).await.is_ok(), "the hub is gone");
}

/// The hub hears a server, and says each text to it again.
async fn of_a_server(cuts: &[u8], bytes: &[u8]) {
    let (mut ours, theirs) = duplex(PIPE_BYTES);
    let Ok(target) = Target::parse("ws://server/") else { panic!("no address") };
    let target = target.dialed_by(Arc::new(Line(Mutex::new(Some(theirs)))));
    let hub = async {
        let opened = websocket(&target, http::HeaderMap::new(), "mcp", MESSAGE_BYTES_MAX).await;
        let Ok((mut reader, mut writer)) = opened else { panic!("{:?}", opened.err()) };
        let (mut heard, mut said) = (Vec::new(), Vec::new());
        let why = loop {
            match reader.next().await {
                Ok(Some(text)) => {
                    if std::str::from_utf8(&text).is_ok() && writer.send(text.clone()).await.is_ok() {
                        said.push(text.to_vec());
                    }
                    heard.push(text.to_vec());
                }
                Ok(None) => {}
                Err(why) => break why,
            }
        };
        writer.close().await;
        (heard, said, why)
    };
    let server = async {
        accept(&mut ours).await;
        exchange(ours, cuts, bytes).await
    };
    let ((heard, said, why), came) = tokio::join!(hub, server);
    let (all, end) = read(bytes, false, MESSAGE_BYTES_MAX);
    let messages = all.iter().filter_map(|one| match one {
        Heard::Text(message) | Heard::Binary(message) => Some(message),
        Heard::Ping(_) | Heard::Pong => None,
    });
    assert!(heard.iter().eq(messages), "heard {heard:?} of {all:?}");
    let is_closed = matches!(end, End::Closed(_));
    let told = match end {
        End::Closed(None) => why.ends_with("without a code"),
        End::Closed(Some(code)) => why.contains(&format!("code {code}")) || why.contains(&format!("code {PROTOCOL}")),
        End::Large => why.contains("too long"),
        End::Open | End::Broken | End::NoText { .. } => !why.is_empty(),
    };
    assert!(told, "{end:?} is told as `{why}`");
    let (came, farewell) = read(&came, true, SAID_BYTES_MAX);
    assert!(matches!(farewell, End::Open | End::Closed(_)), "what the hub says is no WebSocket: {farewell:?}");
    // A goodbye is answered.
    assert!(!is_closed || farewell != End::Open, "left without a word");
    let mut came_back = came.iter().filter_map(|one| match one {
        Heard::Text(text) => Some(text),
        Heard::Ping(_) | Heard::Pong => None,
        Heard::Binary(_) => panic!("the hub says text alone"),
    });
    // What was said last may have met a closed door.
    assert!(said.iter().zip(&mut came_back).all(|(said, came)| said == came), "said {said:?}");
    assert!(came_back.next().is_none(), "more came than was said");
}
