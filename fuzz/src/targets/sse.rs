//! Server-Sent Events: however the stream is cut it reads the same, as the standard says, and what is written comes back.

use omni_protocol::{SseEvent, SseParser, write_event};

use crate::pieces::{Pieces, chunks};

const EVENT_BYTES_MAX: usize = 1 << 16;
const SMALL_BYTES_MAX: usize = 24;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let cuts = pieces.until_nul();
    let stream = pieces.rest();
    let whole = events(&[stream], EVENT_BYTES_MAX).0;
    assert_eq!(whole, events(&chunks(cuts, stream), EVENT_BYTES_MAX).0, "cut, it reads differently");
    assert_eq!(whole, plainly(stream), "the standard reads it differently");
    // Under a bound: never more than is there, and no event beyond the bound.
    let (bounded, _) = events(&chunks(cuts, stream), SMALL_BYTES_MAX);
    assert!(whole.starts_with(&bounded) && bounded.iter().all(|e| e.data.len() <= SMALL_BYTES_MAX));
    let mut out = Vec::new();
    write_event(&mut out, stream);
    let back = events(&chunks(cuts, &out), EVENT_BYTES_MAX).0;
    let expected: Vec<u8> = stream.iter().map(|b| if *b == b'\r' { b' ' } else { *b }).collect();
    assert_eq!(back.len(), 1);
    assert_eq!((back[0].data.as_ref(), back[0].event.as_deref()), (expected.as_slice(), Some("message")));
}

fn events(chunks: &[&[u8]], bytes_max: usize) -> (Vec<SseEvent>, bool) {
    let mut parser = SseParser::new(bytes_max);
    let mut found = Vec::new();
    for chunk in chunks {
        parser.push(chunk);
        loop {
            match parser.next_event() {
                Ok(Some(event)) => found.push(event),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// WHATWG HTML, section 9.2.6, read line by line, on the whole stream. An event that only sets an id or a time is told too.
fn plainly(stream: &[u8]) -> Vec<SseEvent> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let (mut found, mut event, mut data) = (Vec::new(), SseEvent::default(), None::<Vec<u8>>);
    let mut line = Vec::new();
    let mut at = 0;
    while at < stream.len() {
        let byte = stream[at];
        at += 1;
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        if byte == b'\r' && stream.get(at) == Some(&b'\n') {
            at += 1;
        }
        let whole = std::mem::take(&mut line);
        if whole.is_empty() {
            let told = data.is_some() || event.id.is_some() || event.retry_ms.is_some();
            let mut done = std::mem::take(&mut event);
            done.data = data.take().unwrap_or_default().into();
            if told {
                found.push(done);
            }
            continue;
        }
        field(&whole, &mut event, &mut data);
    }
    found
}

fn field(line: &[u8], event: &mut SseEvent, data: &mut Option<Vec<u8>>) {
    let (name, value) = match line.iter().position(|b| *b == b':') {
        Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
        None => (line, &[][..]),
    };
    match name {
        b"data" => match data {
            None => *data = Some(value.to_vec()),
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        },
        b"event" => event.event = String::from_utf8(value.to_vec()).ok(),
        b"id" if !value.contains(&0) => event.id = String::from_utf8(value.to_vec()).ok(),
        b"retry" if value.iter().all(u8::is_ascii_digit) => {
            if let Some(ms) = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                event.retry_ms = Some(ms);
            }
        }
        _ => {}
    }
}
