//! A server behind a WebSocket: one message a text message, calls side by side, subprotocol `mcp`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use omni_egress::{WebSocketReader, WebSocketWriter, websocket};
use tokio::time::Instant;

use crate::channel::{Channel, OnEnd, Port, Queue};
use crate::demux::Demux;
use crate::error::LinkError;
use crate::ration::Ration;
use crate::spec::RemoteSpec;
use crate::transports::bounds::MESSAGE_BYTES_MAX;

/// What both sides agree to speak.
const SUBPROTOCOL: &str = "mcp";
/// A connection on which nothing is written is asked for a sign of life this often.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Without any for this long it counts as gone. A server that computes may be silent for a while; calls have deadlines
/// of their own.
const SILENT_MAX: Duration = Duration::from_secs(180);
/// For the reader to see how a connection ended that cannot be written to.
const END_SEEN_WAIT: Duration = Duration::from_millis(200);
/// For a goodbye to be written.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

/// Opens the connection.
pub(crate) async fn open(server: &str, spec: &RemoteSpec, on_end: OnEnd) -> Result<Channel, LinkError> {
    let (reader, writer) = websocket(&spec.target, spec.headers.clone(), SUBPROTOCOL, MESSAGE_BYTES_MAX).await?;
    let (channel, port) = Channel::new(server);
    tokio::spawn(run(port, reader, writer, on_end));
    Ok(channel)
}

/// Serves both directions until one of them ends.
async fn run(port: Port, mut reader: WebSocketReader, mut writer: WebSocketWriter, on_end: OnEnd) {
    let Port { mut queue, demux } = port;
    let let_go = queue.let_go();
    let heard = Mutex::new(Instant::now());
    let error = tokio::select! {
        error = read(&mut reader, &demux, &heard) => error,
        error = write(&mut queue, &mut writer, &heard) => error,
        () = let_go => LinkError::Stopped,
    };
    demux.end(&error);
    on_end(error);
    let _said_goodbye = tokio::time::timeout(CLOSE_WAIT, writer.close()).await;
}

async fn read(reader: &mut WebSocketReader, demux: &Demux, heard: &Mutex<Instant>) -> LinkError {
    let mut ration = Ration::default();
    loop {
        let received = match reader.next().await {
            Ok(Some(message)) => demux.receive(message),
            Ok(None) => Ok(0),
            Err(why) => Err(LinkError::Disconnected { why }),
        };
        match received {
            Ok(unasked) => ration.spend(unasked).await,
            Err(error) => return error,
        }
        *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

async fn write(queue: &mut Queue, writer: &mut WebSocketWriter, heard: &Mutex<Instant>) -> LinkError {
    loop {
        let written = match tokio::time::timeout(PING_EVERY, queue.next()).await {
            Ok(Some(queued)) => writer.send(queued.message).await,
            // Nobody can ask any more, but what was asked may still be answered: the reader or the end decides.
            Ok(None) => std::future::pending().await,
            Err(_) => {
                let silent = heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
                if silent > SILENT_MAX {
                    let why = format!("no sign of life for {} s", silent.as_secs());
                    return LinkError::Disconnected { why };
                }
                writer.ping().await
            }
        };
        if let Err(why) = written {
            // Why the connection ended is the reader's to tell, which is about to see it.
            tokio::time::sleep(END_SEEN_WAIT).await;
            return LinkError::Disconnected { why };
        }
    }
}
