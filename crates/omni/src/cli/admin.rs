//! Asking the hub that runs with this data directory; where none does, its own code in this process, on what it keeps.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use http::Method;
use omni_gateway::admin::{AdminService, Answer, connect};
use serde_json::Value;

use crate::cli::context::Context;
use crate::config;
use crate::run;

/// For the hub to answer; it is on this machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Where the API begins.
const BASE: &str = "/admin/v1";

/// Which hub is meant: the one with this data directory.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DataDir {
    /// The hub's data directory, instead of the configuration's `data_dir`.
    #[arg(long, env = "OMNI_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DataDir {
    /// The folder.
    pub(crate) fn folder(&self, context: &Context) -> Result<PathBuf> {
        // Where it is named, a configuration that is wrong is in nobody's way.
        if let Some(folder) = context.named_data_dir(self.data_dir.clone()) {
            return Ok(folder);
        }
        let (settings, _) = run::configuration(context)?;
        context.data_dir(None, &settings).context("there is no data directory: name one with --data-dir")
    }

    /// What the hub that runs answers; `None` where none runs.
    pub(crate) fn running(
        &self,
        context: &Context,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>> {
        let body = body.map(Value::to_string).unwrap_or_default();
        if let Some(remote) = &context.remote {
            return remote.exchange(&context.around, method, &format!("{BASE}{path}"), body).and_then(read).map(Some);
        }
        let folder = self.folder(context)?;
        let stream = match connect(&folder) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("the hub's admin API is not to be trusted or not to be reached"),
        };
        exchange(stream, method, path, &body).context("the hub that runs did not answer").and_then(read).map(Some)
    }

    /// The same from the hub that runs, which there has to be.
    pub(crate) fn of_running(
        &self,
        context: &Context,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        match self.running(context, method, path, body)? {
            Some(answer) => Ok(answer),
            None => Err(anyhow!("no hub runs with the data directory {}", self.folder(context)?.display())),
        }
    }

    /// What the hub answers, be it one that runs or this process with what is kept in the data directory.
    pub(crate) fn ask(&self, context: &Context, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        if let Some(answer) = self.running(context, method, path, body)? {
            return Ok(answer);
        }
        let folder = self.folder(context)?;
        let (mut settings, _) = run::configuration(context)?;
        settings.log.level = config::LogLevel::Error;
        run::start_log(&settings);
        let (method, path) = (Method::from_bytes(method.as_bytes())?, format!("{BASE}{path}"));
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = run::runtime()?.block_on(async {
            let running = run::assemble(&settings, Some(&folder))?;
            running.administration.load().await;
            let service = AdminService::new(running.administration.clone(), None);
            let by = running.hub.local().principal().clone();
            let answer = service.answer(&by, &method, &path, body.as_bytes()).await;
            running.audit.close();
            Ok::<Answer, anyhow::Error>(answer)
        })?;
        read((answer.status.as_u16(), answer.json))
    }

    /// Every page of a list; `member` is where its rows stand.
    pub(crate) fn all(&self, context: &Context, path: &str, member: &str) -> Result<Vec<Value>> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let mut page = self.ask(context, "GET", &format!("{path}{joint}limit=1000{cursor}"), None)?;
            if let Value::Array(more) = page[member].take() {
                rows.extend(more);
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(rows),
            }
        }
    }
}

/// Text as one part of a path.
pub(crate) fn part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Status and body.
type Read = (u16, String);

fn exchange(mut stream: std::os::unix::net::UnixStream, method: &str, path: &str, body: &str) -> Result<Read> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    let head = format!(
        "{method} {BASE}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is none")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer is none")?;
    Ok((status, body.to_owned()))
}

fn read((status, body): Read) -> Result<Value> {
    let value: Value = if body.is_empty() { Value::Null } else { serde_json::from_str(&body)? };
    if (200..300).contains(&status) {
        return Ok(value);
    }
    bail!("{}", value["detail"].as_str().unwrap_or("the hub refused without a reason"))
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_of_a_path_stays_one() {
        assert_eq!(part("ci.bot@x"), "ci.bot@x");
        assert_eq!(part("../a/b?c#d ü"), "..%2Fa%2Fb%3Fc%23d%20%C3%BC");
    }
}
