//! Names of tools: within what clients accept, the same for the same, different for different, and they lead back.

use omni_protocol::{NAME_LENGTH_MAX, qualified_name, split_qualified};
use omni_types::ServerName;

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let (server, item, other) = (pieces.text(), pieces.text(), pieces.text());
    let _anything = (split_qualified(item), split_qualified(other));
    let Ok(server) = ServerName::parse(server) else { return };
    let server = server.as_str();
    let (shown, beside) = (qualified_name(server, item), qualified_name(server, other));
    assert!(shown.len() <= NAME_LENGTH_MAX);
    assert!(shown.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')), "{shown:?}");
    assert_eq!(shown, qualified_name(server, item));
    assert_eq!(shown == beside, item == other, "{item:?} and {other:?} are both {shown}");
    assert_eq!(split_qualified(&format!("{server}__{item}")), Some((server, item)));
    assert_eq!(split_qualified(&format!("{server}:{item}")), Some((server, item)));
    let Some((of, _)) = split_qualified(&shown) else { panic!("{shown} names no server") };
    assert_eq!(of, server);
}
