//! What a server entry means: settings checked once, so that nothing behind has to check again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use omni_egress::{PoolLimits, Target};
use omni_types::ServerName;

use crate::credentials::Credentials;
use crate::resilience::Resilience;
use crate::settings::{BuiltinSettings, PoolSettings, RemoteTransport, ServerSettings, Sharing};

/// Seconds to connect or to start, where nothing else is said.
const CONNECT_TIMEOUT_S: u64 = 30;

/// One server behind the hub.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// Its name.
    pub name: ServerName,
    /// How it is reached.
    pub transport: Transport,
    /// How clients share its processes.
    pub sharing: Sharing,
    /// Deadlines of its calls, its breaker, its bulkhead.
    pub resilience: Resilience,
    /// Bounds of its pool.
    pub pool: PoolLimits,
    /// What it is for.
    pub description: Option<String>,
    /// What it is given when it is started or connected to.
    pub credentials: Credentials,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A child process.
    Stdio(StdioSpec),
    /// An address.
    Remote(RemoteSpec),
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stdio(a), Self::Stdio(b)) => a == b,
            (Self::Remote(a), Self::Remote(b)) => {
                a.url == b.url && a.headers == b.headers && a.transport == b.transport
            }
            _ => false,
        }
    }
}

/// A child process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StdioSpec {
    /// Program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment beside what every server inherits.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
}

/// A server at an address.
#[derive(Debug, Clone)]
pub struct RemoteSpec {
    /// Address as written.
    pub url: String,
    /// Address taken apart.
    pub target: Target,
    /// Headers of every request.
    pub headers: HeaderMap,
    /// What is spoken there; nothing where it is to be found out.
    pub transport: Option<RemoteTransport>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("servers.{server}{key}: {why}")]
pub struct SpecError {
    /// The entry.
    pub server: String,
    /// The key within it, with a dot before it, or nothing.
    pub key: String,
    /// What is wrong and what to do.
    pub why: String,
}

impl ServerSpec {
    /// Reads the entry `name`. `omni` is this program, which holds the built-in servers.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn build(name: &str, settings: &ServerSettings, omni: &Path) -> Result<Self, SpecError> {
        let error = |key: &str, why: String| SpecError { server: name.to_owned(), key: key.to_owned(), why };
        let parsed = ServerName::parse(name).map_err(|e| error("", e.to_string()))?;
        let transport = match (&settings.command, &settings.url, &settings.builtin) {
            (Some(command), None, None) => Transport::Stdio(StdioSpec {
                command: command.clone(),
                args: settings.args.clone(),
                env: settings.env.clone(),
                cwd: settings.cwd.clone(),
            }),
            (None, Some(url), None) => Transport::Remote(RemoteSpec {
                url: url.clone(),
                target: Target::parse(url).map_err(|e| error(".url", e.to_string()))?,
                transport: remote_transport(url, settings.transport).map_err(|why| error(".transport", why))?,
                headers: headers(&settings.headers).map_err(|(key, why)| error(&format!(".headers.{key}"), why))?,
            }),
            (None, None, Some(builtin)) => Transport::Stdio(StdioSpec {
                command: omni.display().to_string(),
                args: builtin_args(builtin),
                env: settings.env.clone(),
                cwd: settings.cwd.clone(),
            }),
            _ => return Err(error("", "give exactly one of `command`, `url` and `builtin`".to_owned())),
        };
        for key in settings.secret_headers.keys() {
            header_name(key).map_err(|why| error(&format!(".headers.{key}"), why.to_owned()))?;
        }
        Ok(Self {
            name: parsed,
            transport,
            sharing: settings.sharing,
            resilience: Resilience::build(&settings.resilience()),
            pool: pool(&settings.pool).map_err(|why| error(".pool", why))?,
            description: settings.description.clone(),
            credentials: Credentials::new(settings.secret_env.clone(), settings.secret_headers.clone()),
        })
    }

    /// A word for how it is reached.
    #[must_use]
    pub const fn transport_name(&self) -> &'static str {
        match &self.transport {
            Transport::Stdio(_) => "stdio",
            Transport::Remote(remote) => match remote.transport {
                None | Some(RemoteTransport::Http) => "http",
                Some(RemoteTransport::Sse) => "sse",
                Some(RemoteTransport::WebSocket) => "websocket",
            },
        }
    }
}

fn remote_transport(url: &str, stated: Option<RemoteTransport>) -> Result<Option<RemoteTransport>, String> {
    let is_websocket = url.starts_with("ws://") || url.starts_with("wss://");
    match (is_websocket, stated) {
        (true, None | Some(RemoteTransport::WebSocket)) => Ok(Some(RemoteTransport::WebSocket)),
        (true, Some(_)) => Err("a ws:// or wss:// address is spoken to as `websocket`".to_owned()),
        (false, Some(RemoteTransport::WebSocket)) => Err("`websocket` wants a ws:// or wss:// address".to_owned()),
        (false, stated) => Ok(stated),
    }
}

fn pool(settings: &PoolSettings) -> Result<PoolLimits, String> {
    let PoolSettings { initial, size, max, connect_timeout_s, idle_timeout_s } = *settings;
    if initial > size || size > max || max == 0 {
        return Err(format!("initial ({initial}) <= size ({size}) <= max ({max}) must hold, and max be at least 1"));
    }
    Ok(PoolLimits {
        initial,
        size,
        max,
        connect_timeout: Duration::from_secs(connect_timeout_s.unwrap_or(CONNECT_TIMEOUT_S).max(1)),
        idle_timeout: Duration::from_secs(idle_timeout_s.max(1)),
    })
}

/// Headers that belong to the transport and cannot be set by an entry, in lower case.
pub const OWN_HEADERS: [&str; 14] = [
    "host",
    "content-length",
    "content-type",
    "accept",
    "transfer-encoding",
    "connection",
    "mcp-session-id",
    "mcp-protocol-version",
    "last-event-id",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
];

fn headers(settings: &BTreeMap<String, String>) -> Result<HeaderMap, (String, String)> {
    let mut map = HeaderMap::new();
    for (key, value) in settings {
        let wrong = |why: &str| (key.clone(), why.to_owned());
        let name = header_name(key).map_err(wrong)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong("its value cannot stand in a header"))?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

fn header_name(key: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::try_from(key).map_err(|_| "is no header name")?;
    if OWN_HEADERS.contains(&name.as_str()) { Err("is set by the hub itself") } else { Ok(name) }
}

fn builtin_args(builtin: &BuiltinSettings) -> Vec<String> {
    let mut args = vec!["server".to_owned()];
    let mut many = |kind: &str, flag: &str, values: &[PathBuf]| {
        args.push(kind.to_owned());
        for value in values {
            args.push(flag.to_owned());
            args.push(value.display().to_string());
        }
    };
    let write = match builtin {
        BuiltinSettings::Filesystem { roots, write } => {
            many("filesystem", "--root", roots);
            *write
        }
        BuiltinSettings::Git { repositories, write } => {
            many("git", "--repository", repositories);
            *write
        }
        BuiltinSettings::Database { url, write } => {
            many("database", "--url", &[PathBuf::from(url)]);
            *write
        }
    };
    if write {
        args.push("--write".to_owned());
    }
    args
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::{ServerSpec, Transport};
    use crate::settings::{BuiltinSettings, PoolSettings, ServerSettings};

    fn build(settings: &ServerSettings) -> Result<ServerSpec, super::SpecError> {
        ServerSpec::build("s", settings, Path::new("omni"))
    }

    #[test]
    fn exactly_one_way_to_reach_it() {
        assert!(build(&ServerSettings::default()).is_err());
        let mut both = ServerSettings { command: Some("x".into()), ..Default::default() };
        assert!(build(&both).is_ok());
        both.url = Some("http://h/".into());
        assert!(build(&both).unwrap_err().to_string().contains("exactly one"));
    }

    #[test]
    fn built_in_servers_are_children_like_any_other() {
        let builtin = BuiltinSettings::Filesystem { roots: vec!["a b".into(), "c".into()], write: true };
        let spec = build(&ServerSettings { builtin: Some(builtin), ..Default::default() }).unwrap();
        let Transport::Stdio(stdio) = spec.transport else { panic!("stdio") };
        assert_eq!(stdio.args, ["server", "filesystem", "--root", "a b", "--root", "c", "--write"]);
    }

    #[test]
    fn pool_1_numbers_must_fit() {
        let spec = build(&ServerSettings { command: Some("x".into()), ..Default::default() }).unwrap();
        assert_eq!((spec.pool.initial, spec.pool.size, spec.pool.max), (5, 10, 20));
        assert_eq!((spec.pool.connect_timeout.as_secs(), spec.pool.idle_timeout.as_secs()), (30, 300));
        let pool = PoolSettings { initial: 11, ..Default::default() };
        let wrong = ServerSettings { command: Some("x".into()), pool, ..Default::default() };
        assert!(build(&wrong).unwrap_err().to_string().contains("initial (11)"));
    }

    #[test]
    fn headers_of_the_transport_cannot_be_set() {
        let headers = [("Content-Length".to_owned(), "1".to_owned())].into();
        let wrong = ServerSettings { url: Some("http://h/".into()), headers, ..Default::default() };
        assert!(build(&wrong).unwrap_err().to_string().contains("headers.Content-Length"));
    }
}
