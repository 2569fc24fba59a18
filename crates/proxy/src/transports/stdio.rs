//! A stdio server: one line a message on the pipes of a process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use omni_protocol::{LineBuffer, to_single_line};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::calls::Queued;
use crate::channel::{Channel, OnEnd, Port, Queue};
use crate::demux::Demux;
use crate::error::LinkError;
use crate::process::{Child, GuardWatch, Tail};
use crate::ration::Ration;
use crate::transports::bounds::MESSAGE_BYTES_MAX;

/// What waits is written at once up to about here: what a pipe holds.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// For a process that closed its standard output to end, so that its exit status can be told.
const EXIT_WAIT: Duration = Duration::from_secs(1);
/// For the last lines of standard error to be read after the process ended.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);
/// Lines of standard error that go to the log each second; a server that floods floods its own memory of last words alone.
const STDERR_LINES_PER_SECOND: u32 = 100;
/// Bytes of one line of standard error that are kept.
const STDERR_LINE_BYTES_MAX: usize = 64 * 1024;

/// Takes over the streams of a started process.
pub(crate) fn open(server: &str, child: Child, on_end: OnEnd) -> Channel {
    let (channel, Port { queue, demux }) = Channel::new(server);
    let tail = Arc::new(Tail::default());
    tokio::spawn(write_lines(child.stdin, queue));
    let stderr = tokio::spawn(read_stderr(server.to_owned(), child.stderr, Arc::clone(&tail)));
    let reading = Reading { stdout: child.stdout, demux, tail, stderr };
    tokio::spawn(run(reading, child.process, on_end));
    channel
}

async fn write_lines(mut stdin: ChildStdin, mut queue: Queue) {
    let let_go = queue.let_go();
    let writing = async {
        let mut lines = Vec::new();
        while let Some(queued) = queue.next().await {
            push_line(&mut lines, &queued);
            // Calls that came together go out together, so that their server is woken once for all of them.
            tokio::task::yield_now().await;
            while lines.len() < WRITE_BYTES_MAX
                && let Some(queued) = queue.ready()
            {
                push_line(&mut lines, &queued);
            }
            if stdin.write_all(&lines).await.is_err() || stdin.flush().await.is_err() {
                return;
            }
            lines.clear();
            lines.shrink_to(WRITE_BYTES_MAX);
        }
    };
    tokio::select! {
        () = writing => {}
        () = let_go => {}
    }
}

fn push_line(lines: &mut Vec<u8>, queued: &Queued) {
    lines.extend_from_slice(&to_single_line(&queued.message));
    lines.push(b'\n');
}

async fn read_stderr(server: String, stderr: ChildStderr, tail: Arc<Tail>) {
    let mut reader = tokio::io::BufReader::with_capacity(STDERR_LINE_BYTES_MAX, stderr);
    let (mut second, mut lines) = (Instant::now(), 0u32);
    loop {
        let line = match reader.fill_buf().await {
            Ok(buffer) if !buffer.is_empty() => {
                // A line that fills the whole buffer is taken in pieces.
                let end = memchr::memchr(b'\n', buffer).map_or(buffer.len(), |at| at + 1);
                let line = String::from_utf8_lossy(&buffer[..end]).trim_end().to_owned();
                reader.consume(end);
                line
            }
            _ => return,
        };
        if line.is_empty() {
            continue;
        }
        tail.push(&line);
        if second.elapsed() >= Duration::from_secs(1) {
            if lines > STDERR_LINES_PER_SECOND {
                tracing::info!(target: "server", server, "… and {} more lines", lines - STDERR_LINES_PER_SECOND);
            }
            (second, lines) = (Instant::now(), 0);
        }
        lines = lines.saturating_add(1);
        if lines <= STDERR_LINES_PER_SECOND {
            tracing::info!(target: "server", server, "{line}");
        }
    }
}

/// One process's standard output, and what has to be at hand to read it.
struct Reading {
    stdout: ChildStdout,
    demux: Demux,
    tail: Arc<Tail>,
    stderr: tokio::task::JoinHandle<()>,
}

async fn run(mut reading: Reading, mut process: tokio::process::Child, on_end: OnEnd) {
    let mut guard = GuardWatch::of(&process);
    let broken = {
        let mut reading = std::pin::pin!(read_lines(&mut reading));
        tokio::select! {
            broken = &mut reading => broken,
            // What a killed guard left behind was ended; what it wrote before is still to be read.
            () = guard.swept() => reading.await,
        }
    };
    let mut ended = async || {
        guard.swept().await;
        process.wait().await
    };
    let error = match broken {
        Some(broken) => broken,
        None => {
            let how = match tokio::time::timeout(EXIT_WAIT, ended()).await {
                Ok(Ok(status)) => status.to_string(),
                _ => "it closed its standard output".to_owned(),
            };
            // What it said last may still be on its way. A child that outlives it may keep the stream open.
            let _said_all = tokio::time::timeout(LAST_WORDS_WAIT, &mut reading.stderr).await;
            LinkError::Ended { how, said: reading.tail.last() }
        }
    };
    reading.demux.end(&error);
    on_end(error);
    // Whoever waits for the process's end reaps it: no zombie is left, however long its guard takes.
    let _status = ended().await;
}

/// Reads until the process closes its standard output, or breaks the protocol past mending.
async fn read_lines(reading: &mut Reading) -> Option<LinkError> {
    let Reading { stdout, demux, .. } = reading;
    let mut lines = LineBuffer::new(MESSAGE_BYTES_MAX);
    let mut ration = Ration::default();
    loop {
        match stdout.read_buf(lines.space()).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
        loop {
            let received = match lines.next_line() {
                Ok(Some(line)) => demux.receive(line),
                Ok(None) => break,
                Err(error) => Err(LinkError::Broken(error.to_string())),
            };
            match received {
                Ok(unasked) => ration.spend(unasked).await,
                Err(error) => return Some(error),
            }
        }
    }
}
