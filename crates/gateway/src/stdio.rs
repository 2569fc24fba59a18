//! stdio: one client on standard input and output, until it closes its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omni_hub::stage::Channel;
use omni_hub::{Hub, Scope};
use omni_protocol::{LineBuffer, to_single_line};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::conversation::Conversation;

/// For the last messages to be written when the client has closed its end, or the hub stops.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Serves the client at the other end of `input` and `output`, until it closes its end or `stop` returns.
///
/// # Errors
/// When reading or writing fails, or a line is longer than `line_bytes_max`.
pub async fn serve(
    hub: Arc<Hub>,
    scope: Scope,
    (mut input, output): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin + Send + 'static),
    line_bytes_max: usize,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    // Whoever started this process with its ends in hand is its user.
    let sender = hub.local();
    hub.let_in(&sender, Channel::Stdio);
    let (mut conversation, queue) = Conversation::begin(Arc::clone(&hub), scope, Channel::Stdio, sender);
    let writer = tokio::spawn(write_lines(output, queue));
    let mut lines = LineBuffer::new(line_bytes_max);
    let mut stop = std::pin::pin!(stop);
    let outcome = loop {
        let read = tokio::select! {
            read = input.read_buf(lines.space()) => read,
            () = &mut stop => {
                end_listenings(&hub).await;
                break Ok(());
            }
        };
        match read {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        match take_lines(&mut conversation, &mut lines).await {
            Ok(()) => {}
            Err(error) => break Err(std::io::Error::other(error)),
        }
    };
    // The client closed its end, or the hub stops: what it did not wait for is cancelled.
    conversation.end().await;
    let _written = tokio::time::timeout(LAST_WORDS, writer).await;
    outcome
}

/// Ends the client's open subscriptions in good order.
async fn end_listenings(hub: &Hub) {
    hub.end_listenings();
    let until = tokio::time::Instant::now() + LAST_WORDS;
    while hub.listening_count() > 0 && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn take_lines(conversation: &mut Conversation, lines: &mut LineBuffer) -> Result<(), omni_protocol::LineTooLong> {
    while let Some(line) = lines.next_line()? {
        conversation.hear(line).await;
    }
    Ok(())
}

async fn write_lines(mut output: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(message) = queue.recv().await {
        let line = to_single_line(&message);
        let written = async {
            output.write_all(&line).await?;
            output.write_all(b"\n").await?;
            output.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
}
