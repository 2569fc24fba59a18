//! The session eras (2025-03-26 to 2025-11-25) as the upstream speaks them: `initialize` mints a session, everything else names it.

use crate::upstream::message::{Answered, Message, Refusal, answer_text};
use crate::upstream::tools::Tools;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Revisions answered by `initialize`, oldest first.
pub(crate) const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];
/// So many sessions may be open; the next is refused.
const SESSIONS_MAX: usize = 50_000;

/// The sessions that are open.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<(u64, HashSet<u64>)>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, (u64, HashSet<u64>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mint(&self) -> Result<String, Refusal> {
        let mut open = self.lock();
        if open.1.len() >= SESSIONS_MAX {
            return Err(Refusal::new(503, -32603, "too many sessions"));
        }
        open.0 += 1;
        let number = open.0;
        open.1.insert(number);
        Ok(format!("bench-{number:016x}"))
    }

    /// The number in the header, if that session is open.
    pub(crate) fn find(&self, header: Option<&str>) -> Result<u64, Refusal> {
        let Some(header) = header else {
            return Err(Refusal::new(400, -32000, "Bad Request: no Mcp-Session-Id, and this is no initialize"));
        };
        header
            .strip_prefix("bench-")
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .filter(|number| self.lock().1.contains(number))
            .ok_or(Refusal::new(404, -32001, "Session not found"))
    }

    /// Ends a session.
    pub(crate) fn end(&self, number: u64) {
        self.lock().1.remove(&number);
    }
}

/// Answers one POSTed message of a session era.
pub(crate) fn answer(
    sessions: &Sessions,
    tools: &Tools,
    message: &Message<'_>,
    session: Option<&str>,
    version: Option<&str>,
) -> Result<Answered, Refusal> {
    if message.method == "initialize" {
        return initialize(sessions, message);
    }
    sessions.find(session)?;
    in_session(tools, message, version)
}

/// Answers a message of a session that is open.
pub(crate) fn in_session(tools: &Tools, message: &Message<'_>, version: Option<&str>) -> Result<Answered, Refusal> {
    if version.is_some_and(|version| !REVISIONS.contains(&version)) {
        return Err(Refusal::new(400, -32000, "Bad Request: unsupported MCP-Protocol-Version"));
    }
    if message.id.is_none() || message.result.is_some() || message.error.is_some() {
        return Ok(Answered::Accepted);
    }
    match message.method.as_ref() {
        "tools/call" => tools.answer(message, false),
        "tools/list" => answer_text(message, &format!(r#"{{"tools":[{}]}}"#, tools.list)),
        "ping" => answer_text(message, "{}"),
        _ => Err(Refusal::new(200, -32601, "Method not found")),
    }
}

pub(crate) fn initialize(sessions: &Sessions, message: &Message<'_>) -> Result<Answered, Refusal> {
    let asked = message.params.as_ref().map_or("", |params| params.protocol_version.as_ref());
    let version = REVISIONS.iter().find(|known| **known == asked).unwrap_or(&REVISIONS[REVISIONS.len() - 1]);
    let result = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"omni-bench","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    Ok(match answer_text(message, &result)? {
        Answered::Message(body) => Answered::Opened(sessions.mint()?, body),
        other => other,
    })
}
