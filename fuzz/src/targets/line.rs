//! stdio framing: however the bytes are cut the lines are the same, and a message on one line means what it meant.

use omni_protocol::{LineBuffer, to_single_line};

use crate::pieces::{Pieces, chunks};
use crate::tree::tree;

const LINE_BYTES_MAX: usize = 1 << 16;
const SMALL_BYTES_MAX: usize = 16;

pub(crate) fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let cuts = pieces.until_nul();
    let stream = pieces.rest();
    let plainly: Vec<&[u8]> = match stream.iter().rposition(|b| *b == b'\n') {
        None => Vec::new(),
        Some(last) => {
            let lines = stream[..last].split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace)).collect()
        }
    };
    assert_eq!(lines(&[stream], LINE_BYTES_MAX), (plainly.iter().map(|l| l.to_vec()).collect(), true));
    assert_eq!(lines(&chunks(cuts, stream), LINE_BYTES_MAX).0, plainly);
    let (bounded, whole) = lines(&chunks(cuts, stream), SMALL_BYTES_MAX);
    assert!(bounded.iter().all(|line| line.len() <= SMALL_BYTES_MAX));
    assert!(if whole {
        bounded == plainly
    } else {
        plainly.starts_with(&bounded.iter().map(Vec::as_slice).collect::<Vec<_>>())
    });
    let single = to_single_line(stream);
    assert!(!single.contains(&b'\n') && !single.contains(&b'\r'));
    if let Some(known) = tree(stream) {
        assert_eq!(tree(&single), Some(known), "on one line it means something else");
    }
}

fn lines(chunks: &[&[u8]], bytes_max: usize) -> (Vec<Vec<u8>>, bool) {
    let mut buffer = LineBuffer::new(bytes_max);
    let mut found = Vec::new();
    for chunk in chunks {
        buffer.space().extend_from_slice(chunk);
        loop {
            match buffer.next_line() {
                Ok(Some(line)) => found.push(line.to_vec()),
                Ok(None) => break,
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}
