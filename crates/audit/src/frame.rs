//! Frames: a length, a checksum against torn writes, the bytes. Segments and key files consist of them.

/// Bytes before a frame's content: its length (two bytes) and the CRC32C of length and content (four).
pub const FRAME_HEAD_LEN: usize = 6;

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A frame's content.
    Whole(&'a [u8]),
    /// The end.
    End,
    /// A frame that the bytes end in.
    Cut,
    /// A frame whose checksum does not fit: torn, or changed.
    Broken,
}

/// Appends a frame.
pub(crate) fn push(out: &mut Vec<u8>, content: &[u8]) {
    let begun = begin(out);
    out.extend_from_slice(content);
    end(out, begun);
}

/// A frame that is begun; its content is what is appended until it ends.
#[derive(Debug)]
pub(crate) struct Begun(usize);

/// Begins a frame.
pub(crate) fn begin(out: &mut Vec<u8>) -> Begun {
    let begin = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_LEN]);
    Begun(begin)
}

/// Ends a frame; gives its content.
pub(crate) fn end(out: &mut [u8], Begun(begin): Begun) -> &[u8] {
    let (head, content) = out[begin..].split_at_mut(FRAME_HEAD_LEN);
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&length), content);
    head[..2].copy_from_slice(&length);
    head[2..].copy_from_slice(&checksum.to_be_bytes());
    content
}

/// The frame at the beginning of `bytes`.
#[must_use]
pub(crate) fn first(bytes: &[u8]) -> Frame<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEAD_LEN>() else {
        return if bytes.is_empty() { Frame::End } else { Frame::Cut };
    };
    let [a, b, checksum @ ..] = head;
    let length = [*a, *b];
    let Some(content) = rest.get(..usize::from(u16::from_be_bytes(length))) else { return Frame::Cut };
    // A length of nothing is what a file has that grew before its content was written.
    if content.is_empty() || crc32c::crc32c_append(crc32c::crc32c(&length), content) != u32::from_be_bytes(*checksum) {
        return Frame::Broken;
    }
    Frame::Whole(content)
}
