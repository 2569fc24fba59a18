//! Asking a hub that runs already how its servers fare.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::cli::admin::DataDir;
use crate::cli::context::Context;
use crate::config::Settings;

/// For the hub to answer; it is on this machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The states of the servers of the hub that runs with this data directory, or else of the one that listens where `settings`
/// say, if it serves the same servers. Another program, or a hub with another configuration, is none.
pub(crate) fn statuses(context: &Context, settings: &Settings) -> Option<Value> {
    let told = DataDir::default().running(context, "GET", "/servers", None).ok().flatten();
    told.map(|mut told| told["servers"].take()).filter(|all| serves(all, settings)).or_else(|| listening(settings))
}

/// Whether these are the servers of this configuration.
fn serves(servers: &Value, settings: &Settings) -> bool {
    let Some(servers) = servers.as_array() else { return false };
    let mut running: Vec<&str> = servers.iter().filter_map(|server| server["name"].as_str()).collect();
    let enabled = settings.servers.iter().filter(|(_, entry)| !entry.disabled);
    let mut configured: Vec<&str> = enabled.map(|(name, _)| name.as_str()).collect();
    running.sort_unstable();
    configured.sort_unstable();
    running == configured
}

fn listening(settings: &Settings) -> Option<Value> {
    let address: SocketAddr = settings.gateway.listen.parse().ok()?;
    let answer = get(address, "/readyz")?;
    answer.get("servers").filter(|all| serves(all, settings)).cloned()
}

fn get(address: SocketAddr, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(body).ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::listening as statuses;
    use crate::config::Settings;

    /// A program that answers one request with `body`, and settings that point to it.
    fn answering(body: &'static str) -> Settings {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut settings = Settings::default();
        settings.gateway.listen = listener.local_addr().unwrap().to_string();
        settings.servers.insert("one".to_owned(), Default::default());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Read whole: what is left unread when a connection closes resets it, and the answer with it.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        settings
    }

    #[test]
    fn only_a_hub_with_the_same_servers_is_taken_for_ours() {
        assert!(statuses(&answering(r#"{"servers":[{"name":"one","state":"ready"}]}"#)).is_some());
        assert!(statuses(&answering(r#"{"servers":[{"name":"other"}]}"#)).is_none());
        assert!(statuses(&answering("<html>")).is_none());
        let mut nobody = Settings::default();
        nobody.gateway.listen = "127.0.0.1:1".to_owned();
        assert!(statuses(&nobody).is_none());
    }
}
