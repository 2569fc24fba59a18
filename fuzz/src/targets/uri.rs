//! URIs of the hub lead back to the server and to what it calls them; what is none of ours is left alone.

use omni_protocol::{hub_uri, split_hub_uri};
use omni_types::ServerName;

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let (server, uri) = (pieces.text(), pieces.rest_text());
    if let Some((of, inner)) = split_hub_uri(uri) {
        assert_eq!(hub_uri(of, &inner), uri);
    }
    if let Ok(server) = ServerName::parse(server) {
        let shown = hub_uri(server.as_str(), uri);
        assert_eq!(split_hub_uri(&shown), Some((server.as_str(), uri.into())));
        // A hub behind a hub: the outer name comes off first.
        assert_eq!(split_hub_uri(&hub_uri("outer", &shown)), Some(("outer", shown.as_str().into())));
    }
}
