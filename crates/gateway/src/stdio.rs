//! stdio: one client on standard input and output, until it closes its end.

use std::sync::Arc;

use bytes::Bytes;
use omni_hub::{Hub, Scope};
use omni_protocol::{LineBuffer, to_single_line};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use crate::conversation::Conversation;

/// For the last messages to be written when the client has closed its end.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(1);

/// Serves the client at the other end of `input` and `output`.
///
/// # Errors
/// When reading or writing fails, or a line is longer than `line_bytes_max`.
pub async fn serve(
    hub: Arc<Hub>,
    scope: Scope,
    mut input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
    line_bytes_max: usize,
) -> std::io::Result<()> {
    let (mut conversation, queue) = Conversation::begin(hub, scope);
    let writer = tokio::spawn(write_lines(output, queue));
    let mut lines = LineBuffer::new(line_bytes_max);
    let outcome = loop {
        match input.read_buf(lines.space()).await {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        match take_lines(&mut conversation, &mut lines).await {
            Ok(()) => {}
            Err(error) => break Err(std::io::Error::other(error)),
        }
    };
    // The client closed its end: what it did not wait for is cancelled.
    conversation.end().await;
    let _written = tokio::time::timeout(LAST_WORDS, writer).await;
    outcome
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
