//! A syslog receiver: RFC 5424 over TLS (RFC 5425), or over TCP on this machine (RFC 6587), octets counted in both.

use std::time::Duration;

use omni_egress::{Channel, Target};
use tokio::io::AsyncWriteExt as _;

/// For a connection, and for a message to be taken.
const PATIENCE: Duration = Duration::from_secs(30);
/// "Log audit" (RFC 5424, section 6.2.1).
const FACILITY: u8 = 13;

/// How urgent a message is (RFC 5424, section 6.2.1).
#[derive(Debug, Clone, Copy)]
pub(super) enum Severity {
    /// Somebody was not let, or something went wrong.
    Warning = 4,
    /// Anything else.
    Informational = 6,
}

/// A receiver; connected at the first message, and anew after one that failed.
pub(super) struct Syslog {
    target: Target,
    host: String,
    channel: Option<Channel>,
}

impl Syslog {
    /// The one at `tls://HOST:PORT` or `tcp://HOST:PORT`.
    pub(super) fn at(url: &str) -> Result<Self, String> {
        let (scheme, authority) = url.split_once("://").ok_or_else(|| format!("`{url}` is no address"))?;
        let scheme = if scheme == "tls" { "https" } else { "http" };
        let target = Target::parse(&format!("{scheme}://{authority}")).map_err(|error| error.to_string())?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self { target, host: printable(host.trim(), 255), channel: None })
    }

    /// Sends messages: time (RFC 3339), how urgent, what kind, text.
    pub(super) async fn send(&mut self, messages: &[(String, Severity, String, String)]) -> Result<(), String> {
        let mut frames = Vec::new();
        for (time, severity, kind, text) in messages {
            let line = self.line(time, *severity, kind, text);
            frames.extend_from_slice(format!("{} ", line.len()).as_bytes());
            frames.extend_from_slice(line.as_bytes());
        }
        let sent = tokio::time::timeout(PATIENCE, self.write(&frames)).await;
        let sent = sent.unwrap_or_else(|_| Err(format!("it took nothing for {} s", PATIENCE.as_secs())));
        if sent.is_err() {
            self.channel = None;
        }
        sent
    }

    async fn write(&mut self, frames: &[u8]) -> Result<(), String> {
        let channel = match &mut self.channel {
            Some(channel) => channel,
            None => {
                let opened = omni_egress::channel(&self.target).await.map_err(|error| error.to_string())?;
                self.channel.insert(opened)
            }
        };
        let written = async {
            channel.write_all(frames).await?;
            channel.flush().await
        };
        written.await.map_err(|error| error.to_string())
    }

    fn line(&self, time: &str, severity: Severity, kind: &str, text: &str) -> String {
        let priority = FACILITY * 8 + severity as u8;
        let (kind, process) = (printable(kind, 32), std::process::id());
        // The mark of order before it says that the text is UTF-8.
        format!("<{priority}>1 {time} {} omni {process} {kind} - \u{feff}{text}", self.host)
    }
}

/// What a field of a header may hold: printable ASCII without spaces.
fn printable(text: &str, chars_max: usize) -> String {
    let kept: String = text.chars().filter(char::is_ascii_graphic).take(chars_max).collect();
    if kept.is_empty() { "-".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Severity, Syslog, printable};

    #[test]
    fn a_line_is_one_of_rfc_5424() {
        let mut syslog = Syslog::at("tls://logs.example:6514").unwrap();
        syslog.host = "hub".to_owned();
        let line = syslog.line("2026-11-22T10:00:00.000001Z", Severity::Warning, "call", r#"{"a":1}"#);
        let process = std::process::id();
        let wanted = format!("<108>1 2026-11-22T10:00:00.000001Z hub omni {process} call - \u{feff}{{\"a\":1}}");
        assert_eq!(line, wanted);
        assert_eq!(
            (printable("a b\n", 9), printable("", 9), printable("abc", 2)),
            ("ab".into(), "-".into(), "ab".into())
        );
    }
}
