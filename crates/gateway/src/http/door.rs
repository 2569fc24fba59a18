//! Who may knock: `Host` and `Origin` are checked on every request, against DNS rebinding and foreign web pages
//! (Streamable HTTP, "Security Warning").

use http::HeaderMap;
use http::uri::Authority;

/// Names of this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The names and origins that are let in.
#[derive(Debug)]
pub(crate) struct Door {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Door {
    pub(crate) fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower = |all: &[String]| all.iter().map(|one| one.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { hosts: lower(hosts), origins: lower(origins) }
    }

    /// Why the request is not let in; `None` when it is.
    pub(crate) fn refuses(&self, authority: Option<&Authority>, headers: &HeaderMap) -> Option<String> {
        let mut hosts = headers.get_all(http::header::HOST).iter();
        let host = match (authority, hosts.next(), hosts.next()) {
            // What nearly every client sends needs no parser.
            (None, Some(host), None) if names_this_machine(host.as_bytes()) => return self.refuses_origin(headers),
            // Two `Host` headers are read differently by different programs (RFC 9112 section 3.2).
            (_, _, Some(_)) => return Some("more than one Host header".to_owned()),
            (Some(authority), _, _) => Some(authority.host().to_ascii_lowercase()),
            (None, Some(host), _) => {
                let parsed = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
                parsed.filter(|a| !a.as_str().contains('@')).map(|a| a.host().to_ascii_lowercase())
            }
            (None, None, _) => None,
        };
        let Some(host) = host else { return Some("no valid Host header".to_owned()) };
        if !LOOPBACK.contains(&host.as_str()) && !self.hosts.contains(&host) {
            return Some(format!("the host `{host}` is not this hub's; add it to gateway.allowed_hosts if it is"));
        }
        self.refuses_origin(headers)
    }

    fn refuses_origin(&self, headers: &HeaderMap) -> Option<String> {
        let mut origins = headers.get_all(http::header::ORIGIN).iter();
        let origin = origins.next()?;
        let text = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        if origins.next().is_none() && (is_local_origin(&text) || self.origins.contains(&text)) {
            return None;
        }
        Some(format!("pages of `{text}` may not use this hub; add it to gateway.allowed_origins if they may"))
    }
}

/// `localhost` or a loopback address, with or without a port of digits.
fn names_this_machine(host: &[u8]) -> bool {
    LOOPBACK.iter().any(|name| match host.strip_prefix(name.as_bytes()) {
        Some([]) => true,
        Some([b':', port @ ..]) => !port.is_empty() && port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

fn is_local_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.parse::<Authority>().ok());
    authority.is_some_and(|a| !a.as_str().contains('@') && LOOPBACK.contains(&a.host()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderMap;

    use super::Door;

    fn refused(host: &str, origin: Option<&str>) -> bool {
        let door = Door::new(&["hub.example".to_owned()], &["https://app.example".to_owned()]);
        let mut headers = HeaderMap::new();
        headers.insert("host", host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        door.refuses(None, &headers).is_some()
    }

    #[test]
    fn gw_1_only_this_machine_and_what_the_operator_names() {
        for host in ["localhost", "LOCALHOST:8420", "127.0.0.1:1", "[::1]:8420", "hub.example:443"] {
            assert!(!refused(host, None), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "user@localhost", "", "127.0.0.2"] {
            assert!(refused(host, None), "{host}");
        }
        for origin in ["http://localhost:3000", "https://127.0.0.1", "https://app.example"] {
            assert!(!refused("localhost", Some(origin)), "{origin}");
        }
        for origin in ["http://evil.example", "null", "http://localhost.evil", "http://localhost@evil", "file://", ""] {
            assert!(refused("localhost", Some(origin)), "{origin}");
        }
    }

    #[test]
    fn two_hosts_are_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append("host", "localhost".parse().unwrap());
        headers.append("host", "evil".parse().unwrap());
        assert!(Door::new(&[], &[]).refuses(None, &headers).is_some());
    }
}
