//! Whether an answer is the one to this call: its id, and a text that no other call of the run was given.

use anyhow::{anyhow, bail, ensure};
use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the right answer must have.
pub(crate) struct Expected<'a> {
    pub(crate) id: u64,
    /// The text begins with this ...
    pub(crate) text: &'a [u8],
    /// ... and is so long.
    pub(crate) length: usize,
    /// 2026-07-28 says `resultType`.
    pub(crate) result_type: bool,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(borrow, default)]
    result: Option<Outcome<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    #[serde(rename = "isError", default)]
    is_error: bool,
    #[serde(rename = "resultType", borrow, default)]
    result_type: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// Checks a JSON body, or the events of an event stream up to the one with this id.
pub(crate) fn check(body: &[u8], events: bool, expected: &Expected<'_>) -> anyhow::Result<()> {
    if !events {
        return reply(body, expected);
    }
    let id = format!(r#""id":{}"#, expected.id);
    for data in event_data(body) {
        // Notifications and priming events go before the answer; only what bears an id of ours is one.
        if memchr::memmem::find(&data, id.as_bytes()).is_some() || memchr::memmem::find(&data, br#""error""#).is_some()
        {
            return reply(&data, expected);
        }
    }
    bail!("no event with id {} in the stream", expected.id)
}

fn reply(body: &[u8], expected: &Expected<'_>) -> anyhow::Result<()> {
    let shown = || String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    let reply: Reply<'_> = serde_json::from_slice(body).map_err(|error| anyhow!("{error} in {:?}", shown()))?;
    if let Some(error) = reply.error {
        bail!("refused: {}", error.get());
    }
    let outcome = reply.result.ok_or_else(|| anyhow!("neither result nor error in {:?}", shown()))?;
    ensure!(reply.jsonrpc == "2.0", "jsonrpc is {:?}", reply.jsonrpc);
    ensure!(reply.id == Some(expected.id), "id {:?} where {} was asked", reply.id, expected.id);
    ensure!(!outcome.is_error, "the tool failed: {:?}", shown());
    ensure!(!expected.result_type || outcome.result_type == "complete", "resultType is {:?}", outcome.result_type);
    let [block] = outcome.content.as_slice() else { bail!("{} content blocks, not 1", outcome.content.len()) };
    ensure!(block.kind == "text", "a block of type {:?}", block.kind);
    let text = block.text.as_bytes();
    ensure!(text.len() == expected.length, "a text of {} bytes, not {}", text.len(), expected.length);
    ensure!(text.starts_with(expected.text), "another call's text: {:?}", shown());
    Ok(())
}

/// What one page of a list holds.
pub(crate) struct Page {
    pub(crate) tools: usize,
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    tools: Vec<Named<'a>>,
    #[serde(rename = "nextCursor", default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Reads one page of a list of tools, the answer to `id`.
pub(crate) fn page(body: &[u8], events: bool, id: u64) -> anyhow::Result<Page> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        id: u64,
        #[serde(borrow)]
        result: Listed<'a>,
    }
    let data = if events { event_data(body).last().unwrap_or_default() } else { Cow::Borrowed(body) };
    let answer: Answer<'_> = serde_json::from_slice(&data)?;
    ensure!(answer.id == id, "id {} where {id} was asked", answer.id);
    ensure!(answer.result.tools.iter().all(|tool| !tool.name.is_empty()), "a tool without a name");
    Ok(Page { tools: answer.result.tools.len(), next: answer.result.next })
}

/// The data of each event, its lines joined.
fn event_data(mut body: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    std::iter::from_fn(move || {
        let mut data: Option<Cow<'_, [u8]>> = None;
        while !body.is_empty() {
            let end = memchr(b'\n', body).unwrap_or(body.len());
            let line = body[..end].strip_suffix(b"\r").unwrap_or(&body[..end]);
            body = body.get(end + 1..).unwrap_or_default();
            if line.is_empty() && data.is_some() {
                break;
            }
            if let Some(rest) = line.strip_prefix(b"data:") {
                let rest = rest.strip_prefix(b" ").unwrap_or(rest);
                data = Some(data.map_or(Cow::Borrowed(rest), |data| Cow::Owned([&data, &b"\n"[..], rest].concat())));
            }
        }
        data
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Expected, check, event_data};

    const GOOD: &str =
        r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"s1-n7"}],"isError":false}}"#;

    fn expected() -> Expected<'static> {
        Expected { id: 7, text: b"s1-n7", length: 5, result_type: false }
    }

    #[test]
    fn the_right_answer_passes_in_either_form() {
        check(GOOD.as_bytes(), false, &expected()).unwrap();
        let stream = format!(
            "id: 1\ndata:\n\nevent: message\ndata: {{\"method\":\"x\"}}\n\nevent: message\r\ndata: {GOOD}\r\n\r\n"
        );
        check(stream.as_bytes(), true, &expected()).unwrap();
    }

    #[test]
    fn every_wrong_answer_is_refused() {
        for (from, to) in [
            (r#""id":7"#, r#""id":8"#),
            ("s1-n7", "s2-n7"),
            ("s1-n7", "s1-n7x"),
            (r#""isError":false"#, r#""isError":true"#),
            (r#""type":"text""#, r#""type":"image""#),
            (r#""result""#, r#""outcome""#),
            (r#""jsonrpc":"2.0","#, ""),
        ] {
            let wrong = GOOD.replacen(from, to, 1);
            assert_ne!(wrong, GOOD);
            assert!(check(wrong.as_bytes(), false, &expected()).is_err(), "{wrong}");
        }
        let refused = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"no"}}"#;
        assert!(check(refused.as_bytes(), false, &expected()).is_err());
        assert!(check(GOOD.as_bytes(), false, &Expected { result_type: true, ..expected() }).is_err());
        assert!(check(b"data: {\"method\":\"x\"}\n\n", true, &expected()).is_err());
    }

    #[test]
    fn data_lines_of_one_event_are_joined() {
        let data: Vec<_> = event_data(b": hello\ndata: a\ndata: b\n\n\ndata:c").map(|d| d.into_owned()).collect();
        assert_eq!(data, [b"a\nb".to_vec(), b"c".to_vec()]);
    }
}
