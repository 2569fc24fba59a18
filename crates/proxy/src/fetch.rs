//! Asking a server for everything it offers, page after page, within bounds.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use omni_protocol::{
    CacheHint, Era, ListKind, Message, Method, MirroredParams, members, modern_request, parse_list_page, request,
};

use crate::catalog::{Catalog, Item, List};
use crate::error::LinkError;
use crate::hello::HUB_INFO;
use crate::link::Link;
use crate::outgoing::Outgoing;
use crate::server::Server;

/// Pages of one list.
const PAGES_MAX: usize = 2_000;
/// Items of one list.
const ITEMS_MAX: usize = 100_000;
/// Arrays and objects within one another in one item. A client whose parser allows no more, as many do, would lose the
/// whole list by one tool of one server.
const ITEM_DEPTH_MAX: usize = 100;
/// Bytes of one list.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// All four lists, as far as the server has them.
pub(crate) async fn fetch(server: &Arc<Server>, link: &Arc<Link>) -> Result<Catalog, LinkError> {
    let mut lists: [List; 4] = Default::default();
    let declared: Vec<String> = members(&link.hello().capabilities)
        .map(|found| found.into_iter().map(|(key, _)| key.into_owned()).collect())
        .unwrap_or_default();
    for (kind, list) in ListKind::ALL.into_iter().zip(&mut lists) {
        if declared.iter().any(|name| name == kind.capability()) {
            *list = fetch_list(server, link, kind).await?;
        }
    }
    Ok(Catalog::new(link.hello().clone(), lists))
}

async fn fetch_list(server: &Arc<Server>, link: &Arc<Link>, kind: ListKind) -> Result<List, LinkError> {
    let mut list = List::default();
    let mut cursor: Option<String> = None;
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for _page in 0..PAGES_MAX {
        let message = ask(server, link, kind, cursor.as_deref()).await?;
        let Some(result) = message.result() else {
            // A server may declare `resources` and know no templates.
            if message.error_code() == Some(omni_protocol::ErrorCode::METHOD_NOT_FOUND) {
                return Ok(list);
            }
            return Err(LinkError::Broken(format!("{}: {}", kind.method(), message.error().unwrap_or_default())));
        };
        let broken = |e: serde_json::Error| LinkError::Broken(format!("{}: {e}", kind.method()));
        let page = parse_list_page(kind, result).map_err(broken)?;
        if page.broken > 0 {
            let server = link.server().as_str();
            tracing::warn!(target: "server", server, left_out = page.broken, "{} items without a {}", kind.member(), kind.key());
        }
        bytes += result.len();
        list.hint = list.hint.or_else(|| hint(result));
        let before = page.items.len();
        let fit = page.items.into_iter().filter(|(_, _, text)| depth(text) <= ITEM_DEPTH_MAX);
        let fit: Vec<Item> = fit.map(|(key, key_range, text)| Item { key, key_range, text }).collect();
        let too_deep = before - fit.len();
        list.items.extend(fit.into_iter().filter(|item| is_usable(link, kind, item)));
        if too_deep > 0 {
            let server = link.server().as_str();
            tracing::warn!(target: "server", server, left_out = too_deep, "{} deeper than {ITEM_DEPTH_MAX}", kind.member());
        }
        if list.items.len() > ITEMS_MAX || bytes > BYTES_MAX {
            return Err(LinkError::Broken(format!(
                "{} has more than {ITEMS_MAX} items or {BYTES_MAX} bytes",
                kind.method()
            )));
        }
        match page.next_cursor {
            None => return Ok(list),
            Some(next) if !seen.insert(next.clone()) => {
                return Err(LinkError::Broken(format!("{} gives the same cursor again and again", kind.method())));
            }
            next => cursor = next,
        }
    }
    Err(LinkError::Broken(format!("{} has more than {PAGES_MAX} pages", kind.method())))
}

/// A client over HTTP has to leave out tools whose annotations of headers break the rules (Streamable HTTP of
/// 2026-07-28, "Schema Extension").
fn is_usable(link: &Arc<Link>, kind: ListKind, item: &Item) -> bool {
    if kind != ListKind::Tools || link.shares_channel() {
        return true;
    }
    let Err(why) = MirroredParams::of_tool(&item.text) else { return true };
    let (server, tool) = (link.server().as_str(), item.key.as_str());
    tracing::warn!(target: "server", server, tool, why, "a tool is left out");
    false
}

/// A request for a page of a list, in the era of `link`.
pub(crate) fn list_request(link: &Link, kind: ListKind, cursor: Option<&str>) -> Result<Outgoing, LinkError> {
    let params = match cursor {
        Some(cursor) => format!(r#"{{"cursor":{}}}"#, serde_json::Value::from(cursor)),
        None => "{}".to_owned(),
    };
    let params = match link.version().era() {
        Era::Modern => {
            modern_request(Some(&params), HUB_INFO, "{}", None).map_err(|e| LinkError::Broken(e.to_string()))?
        }
        Era::Legacy => params,
    };
    let id = link.next_id();
    let body = Bytes::from(request(id, kind.method(), &params));
    Ok(Outgoing { body, id, method: Method::List(kind), name: None, headers: Vec::new(), progress_token: None })
}

async fn ask(
    server: &Arc<Server>,
    link: &Arc<Link>,
    kind: ListKind,
    cursor: Option<&str>,
) -> Result<Message, LinkError> {
    let outcome = link.exchange(list_request(link, kind, cursor)?).await;
    // Before any call finds it out: what the lists are read on is of another era than its server by now.
    if link.refused(&outcome) && Box::pin(server.doubt(link, &outcome)).await {
        return Err(LinkError::SessionLost);
    }
    let exchange = outcome?;
    let Some(mut rest) = exchange.rest else { return Ok(exchange.first) };
    let mut last = exchange.first;
    while let Some(message) = rest.next().await? {
        last = message;
    }
    Ok(last)
}

/// How deep arrays and objects lie within one another in a JSON text.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn hint(result: &str) -> Option<CacheHint> {
    #[derive(serde::Deserialize)]
    struct Hint {
        #[serde(rename = "ttlMs")]
        ttl_ms: Option<u64>,
        #[serde(rename = "cacheScope")]
        scope: Option<String>,
    }
    let found: Hint = serde_json::from_str(result).ok()?;
    Some(CacheHint { ttl_ms: found.ttl_ms?, public: found.scope.as_deref() == Some("public") })
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn emg_1_depth_counts_brackets_and_none_in_strings() {
        assert_eq!(depth(r#"{"a":[1,{"b":"[[[["}],"c\"[[":{}}"#), 3);
        assert_eq!((depth("1"), depth(&"[".repeat(500))), (0, 500));
    }
}
