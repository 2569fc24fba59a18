//! Clients of a soak, one after the other: they call, listen, hang up, come back, read slowly, wait for their user, leave.

use crate::soak::chance::Chance;
use crate::soak::http::{Answer, Client};
use crate::soak::hub::Hub;
use crate::soak::road::Road;
use crate::soak::servers::{EXTRA, SERVERS};
use crate::soak::sse::{ENDED, Sse};
use crate::soak::sum::Sum;
use crate::soak::websocket::WebSocket;
use crate::soak::words::{Era, Words};
use serde_json::json;
use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a client is like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Of 2025-11-25, in sessions that it ends or forgets.
    Session,
    /// Of 2026-07-28, without one; answers what it is asked, or does not.
    Modern,
    /// Opens streams for what servers say of their own accord, and drops them.
    Listener,
    /// Hangs up in the middle of a request, or of an answer.
    Rude,
    /// Of 2025-11-25; its connection breaks in the middle of an answer, and it comes back for the rest.
    Returning,
    /// Of HTTP+SSE, 2024-11-05.
    Sse,
    /// On a WebSocket, of either era.
    WebSocket,
    /// Asks for much and reads little of it, on a WebSocket or a stream.
    Slow,
}

pub(super) const KINDS: &[Kind] =
    &[Kind::Session, Kind::Modern, Kind::Listener, Kind::Rude, Kind::Returning, Kind::Sse, Kind::WebSocket, Kind::Slow];

/// Pause of one who hangs up, or reads slowly.
const LINGER_MS: u64 = 600;
/// Requests that a slow reader makes ahead of its reading.
const AHEAD_MAX: u64 = 60;
/// How long it then reads nothing.
const SLOW_MS: u64 = 8_000;

/// One client after the other, until told to stop.
pub(super) fn keep_on(hub: &Arc<Hub>, kind: Kind, seed: u64, sum: &Sum, stop: &AtomicBool) {
    let road = Road { hub, sum, stop };
    let mut chance = Chance::new(seed);
    let mut id = 0;
    while !road.is_over() {
        let server = if chance.one_in(2) { None } else { Some(chance.of(SERVERS)) };
        let done = lead(&road, kind, Words { server, era: Era::Modern, id: &mut id, chance: &mut chance });
        // A connection that breaks is the hub's fault: what breaks behind it must not reach its clients.
        if let Err(error) = done
            && hub.is_alive()
        {
            if server == Some(EXTRA) && is_an_end(&error) {
                sum.count("connections that ended with their endpoint");
                continue;
            }
            sum.broke(format!("a {kind:?} client of {server:?}: {error}"));
        }
        road.nap(chance.ms(50));
    }
}

/// Whether a connection ended, or was closed with words; it did not break in the middle of an answer.
fn is_an_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
        || [ENDED, "it is closed: "].iter().any(|words| error.to_string().starts_with(words))
}

fn lead(road: &Road<'_>, kind: Kind, mut words: Words<'_>) -> io::Result<()> {
    match kind {
        Kind::Session => session(road, &mut words),
        Kind::Modern => calls(road, &mut Client::new(road.hub.address(), &words), &mut words),
        Kind::Listener => listens(road, &mut words),
        Kind::Rude => hangs_up(road, &mut words),
        Kind::Returning => comes_back(road, &mut words),
        Kind::Sse => {
            words.era = Era::HttpSse;
            let Some(mut client) = Sse::open(road, &mut words)? else { return Ok(()) };
            client.calls(road, &mut words)
        }
        Kind::WebSocket => {
            words.era = if words.chance.one_in(2) { Era::Modern } else { Era::Session };
            let Some(mut client) = WebSocket::open(road, &mut words)? else { return Ok(()) };
            client.calls(road, &mut words)
        }
        Kind::Slow => reads_slowly(road, &mut words),
    }
}

/// So many clients that listen in sessions of their own, and stay.
pub(super) fn listeners(hub: &Hub, count: usize) -> anyhow::Result<Vec<Answer>> {
    let (mut id, mut chance) = (0, Chance::new(0));
    let listeners = (0..count).map(|_| {
        let mut words = Words { server: None, era: Era::Session, id: &mut id, chance: &mut chance };
        let mut client = Client::new(hub.address(), &words);
        anyhow::ensure!(client.initialize(&mut words)?, "a session is refused");
        Ok(client.begin("GET", "", None)?)
    });
    listeners.collect()
}

fn session(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
    words.era = Era::Session;
    let mut client = Client::new(road.hub.address(), words);
    if !client.initialize(words)? {
        road.sum.refused();
        return Ok(());
    }
    calls(road, &mut client, words)?;
    if words.chance.one_in(2) {
        client.begin("DELETE", "", None)?.read()?;
    }
    Ok(())
}

fn calls(road: &Road<'_>, client: &mut Client<'_>, words: &mut Words<'_>) -> io::Result<()> {
    for _ in 0..1 + words.chance.below(6) {
        if road.is_over() {
            return Ok(());
        }
        let message = words.call();
        let mut answer = client.send(&message)?.message()?;
        // Someone answers what it is asked, or does not: then the call waits until its time is over.
        while answer.contains("\"input_required\"") && !words.chance.one_in(3) {
            road.sum.count("questions of servers answered by a retry");
            let Some(retry) = words.answered(&message, &answer) else { break };
            answer = client.send(&retry)?.message()?;
        }
        road.sum.ended(&message["params"]["name"].to_string(), &answer);
    }
    if words.chance.one_in(3) {
        let list = words.message("tools/list", json!({}));
        client.send(&list)?.read()?;
    }
    Ok(())
}

fn listens(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
    let mut stream = if words.chance.one_in(2) {
        words.era = Era::Session;
        let mut client = Client::new(road.hub.address(), words);
        if !client.initialize(words)? {
            return Ok(());
        }
        client.begin("GET", "", None)?
    } else {
        let filter = json!({"notifications": {"toolsListChanged": true, "resourcesListChanged": true}});
        let listen = words.message("subscriptions/listen", filter);
        Client::new(road.hub.address(), words).send(&listen)?
    };
    stream.linger(words.chance.ms(4 * LINGER_MS))
}

fn hangs_up(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
    let message = words.call();
    let client = Client::new(road.hub.address(), words);
    let whole = client.head("POST", &message.to_string(), None);
    let mut stream = client.connect()?;
    if words.chance.one_in(3) {
        // Half a request, and silence.
        stream.write_all(&whole.as_bytes()[..words.chance.below(whole.len() as u64) as usize])?;
        road.nap(words.chance.ms(LINGER_MS));
        return Ok(());
    }
    stream.write_all(whole.as_bytes())?;
    road.nap(words.chance.ms(LINGER_MS));
    // Sometimes it reads a little first; it may have been refused already.
    if words.chance.one_in(2) {
        stream.set_read_timeout(Some(Duration::from_millis(LINGER_MS)))?;
        let _whatever = stream.read(&mut [0; 64]);
    }
    let _gone_already = stream.shutdown(Shutdown::Both);
    Ok(())
}

fn comes_back(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
    words.era = Era::Session;
    let mut client = Client::new(road.hub.address(), words);
    if !client.initialize(words)? {
        return Ok(());
    }
    for _ in 0..1 + words.chance.below(3) {
        let message = words.call_with_progress();
        let what = message["params"]["name"].to_string();
        let mut answer = client.send(&message)?;
        let Some(last) = answer.first_event_id()? else {
            // It was answered at once, as JSON: there is nothing to come back for.
            road.sum.ended(&what, &answer.read()?);
            continue;
        };
        drop(answer);
        road.nap(words.chance.ms(LINGER_MS));
        road.sum.count("streams taken up again");
        let rest = client.begin("GET", "", Some(&last))?.until_answer()?;
        road.sum.ended(&format!("{what}, taken up again after {last},"), &rest);
    }
    if words.chance.one_in(2) {
        client.begin("DELETE", "", None)?.read()?;
    }
    Ok(())
}

fn reads_slowly(road: &Road<'_>, words: &mut Words<'_>) -> io::Result<()> {
    let ahead = words.chance.below(AHEAD_MAX);
    let (slow, reads_at_last) = (words.chance.ms(SLOW_MS), words.chance.one_in(2));
    road.sum.count("slow readers");
    match words.chance.below(3) {
        0 => {
            words.era = Era::HttpSse;
            let Some(mut client) = Sse::open(road, words)? else { return Ok(()) };
            for _ in 0..ahead {
                let list = words.message("tools/list", json!({}));
                client.post(&list)?;
            }
            road.nap(slow);
            if reads_at_last { client.read_what_is_there() } else { Ok(()) }
        }
        1 => {
            words.era = Era::Modern;
            let Some(mut client) = WebSocket::open(road, words)? else { return Ok(()) };
            for _ in 0..ahead {
                let list = words.message("tools/list", json!({}));
                // It may have been given up already: it reads too slowly.
                if client.say(&list.to_string()).is_err() {
                    road.sum.count("slow readers given up by the hub");
                    return Ok(());
                }
            }
            road.nap(slow);
            if reads_at_last { client.read_what_is_there() } else { Ok(()) }
        }
        _ => {
            words.era = Era::Session;
            let mut client = Client::new(road.hub.address(), words);
            if !client.initialize(words)? {
                return Ok(());
            }
            let _stream = client.begin("GET", "", None)?;
            for _ in 0..ahead.min(10) {
                let change = words.change();
                let answer = client.send(&change)?.message()?;
                road.sum.ended("a change", &answer);
            }
            road.nap(slow);
            Ok(())
        }
    }
}
