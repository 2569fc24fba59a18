//! The hub's own origins: with an endpoint's path, the resource identifiers (RFC 8707) that tokens are for.

use std::net::SocketAddr;

/// Names under which a loopback listener is reached.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Origins of the hub, the first the one by which it calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bases(Vec<String>);

impl Bases {
    /// The origin that the operator names, e.g. `https://hub.example.com`, and no other.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self(vec![normal(url)])
    }

    /// Those of a listener: its address, and on loopback each name of this machine, at that port alone. (Another port is
    /// another program, whose tokens are none of ours.)
    #[must_use]
    pub fn of_listener(address: SocketAddr, tls: bool) -> Self {
        let (scheme, port) = (if tls { "https" } else { "http" }, address.port());
        if address.ip().is_loopback() {
            return Self(LOOPBACK.iter().map(|name| format!("{scheme}://{name}:{port}")).collect());
        }
        Self(vec![format!("{scheme}://{address}")])
    }

    /// The origin by which a client that sends this `Host` knows the hub.
    #[must_use]
    pub fn known_as(&self, host: Option<&str>) -> &str {
        let named = |base: &&String| {
            let authority = base.split_once("://").map(|(_, authority)| authority);
            host.is_some_and(|host| authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host)))
        };
        self.0.iter().find(named).or_else(|| self.0.first()).map_or("", String::as_str)
    }

    /// Whether `resource` is the endpoint at `path`. A slash at the end says nothing, nor does the case of the host.
    #[must_use]
    pub fn is(&self, resource: &str, path: &str) -> bool {
        let resource = resource.strip_suffix('/').unwrap_or(resource);
        self.0.iter().any(|base| match resource.split_at_checked(base.len()) {
            Some((origin, rest)) => origin.eq_ignore_ascii_case(base) && rest == path,
            None => false,
        })
    }
}

fn normal(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::Bases;

    fn loopback(port: u16) -> Bases {
        Bases::of_listener(SocketAddr::from(([127, 0, 0, 1], port)), false)
    }

    #[test]
    fn auth_2_a_resource_is_one_endpoint_of_one_origin() {
        let bases = loopback(8420);
        for one in ["http://127.0.0.1:8420/mcp", "http://localhost:8420/mcp/", "HTTP://LocalHost:8420/mcp"] {
            assert!(bases.is(one, "/mcp"), "{one}");
        }
        for other in [
            "http://127.0.0.1:8421/mcp",
            "http://127.0.0.1:84200/mcp",
            "https://127.0.0.1:8420/mcp",
            "http://127.0.0.1:8420/mcp/files",
            "http://127.0.0.1:8420/MCP",
            "http://127.0.0.1:8420",
            "http://127.0.0.1:8420/mcp?x",
            "http://127.0.0.1:8420.evil/mcp",
            "/mcp",
            "",
        ] {
            assert!(!bases.is(other, "/mcp"), "{other}");
        }
        let bases = Bases::of("https://Hub.Example/");
        assert!(bases.is("https://hub.example/mcp/a", "/mcp/a") && !bases.is("http://hub.example/mcp/a", "/mcp/a"));
        assert_eq!(loopback(1).known_as(Some("LOCALHOST:1")), "http://localhost:1");
        assert_eq!(loopback(1).known_as(Some("localhost:2")), "http://127.0.0.1:1");
    }
}
