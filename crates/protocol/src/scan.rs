//! Bounds on a JSON text: depth, lengths, and no member twice in any object (rows VAL-1 and VAL-3).
//!
//! The text has been found to be JSON before; this walk keeps no tree and does not recurse.

use std::borrow::Cow;

use crate::message::Message;

/// Bounds on one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Levels of nesting.
    pub depth_max: usize,
    /// Bytes of one string, as it is written.
    pub string_bytes_max: usize,
    /// Elements of one array, or members of one object.
    pub elements_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { depth_max: 64, string_bytes_max: 4 * 1024 * 1024, elements_max: 65_536 }
    }
}

/// What is wrong, and where (RFC 6901 JSON pointer).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Nested too deeply.
    #[error("nested more than {max} levels deep at {pointer}")]
    Depth {
        /// The bound.
        max: usize,
        /// Where.
        pointer: String,
    },
    /// A string is too long.
    #[error("a string of more than {max} bytes at {pointer}")]
    StringLength {
        /// The bound.
        max: usize,
        /// Where.
        pointer: String,
    },
    /// Too many elements or members.
    #[error("more than {max} elements at {pointer}")]
    Elements {
        /// The bound.
        max: usize,
        /// Where.
        pointer: String,
    },
    /// A member stands in its object twice.
    #[error("member `{key}` stands twice at {pointer}")]
    Duplicate {
        /// Its name.
        key: String,
        /// The object.
        pointer: String,
    },
}

/// From this many members on, an object's names are compared through a hash set.
const LINEAR_MEMBERS_MAX: usize = 24;

struct Frame<'a> {
    is_object: bool,
    expects_key: bool,
    count: usize,
    /// Start of this object's names in the shared list.
    names_from: usize,
    last_name: Cow<'a, str>,
    seen: Option<std::collections::HashSet<Cow<'a, str>>>,
}

/// Checks the parameters of `message`.
///
/// # Errors
/// The first bound that is passed.
pub fn scan_params(message: &Message, bounds: &Bounds) -> Result<(), ScanError> {
    match (message.shape(), message.params()) {
        (Some(shape), _)
            if shape.depth <= bounds.depth_max
                && shape.string_bytes <= bounds.string_bytes_max
                && shape.elements <= bounds.elements_max =>
        {
            Ok(())
        }
        (_, Some(params)) => scan(params, bounds),
        (_, None) => Ok(()),
    }
}

/// Checks `text`, which must be valid JSON.
///
/// # Errors
/// The first bound that is passed.
pub fn scan(text: &str, bounds: &Bounds) -> Result<(), ScanError> {
    Walk { text, bounds, frames: Vec::with_capacity(8), names: Vec::with_capacity(16) }.run()
}

struct Walk<'a> {
    text: &'a str,
    bounds: &'a Bounds,
    frames: Vec<Frame<'a>>,
    names: Vec<Cow<'a, str>>,
}

impl<'a> Walk<'a> {
    fn run(mut self) -> Result<(), ScanError> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'{' | b'[' => {
                    self.element()?;
                    if self.frames.len() >= self.bounds.depth_max {
                        return Err(ScanError::Depth { max: self.bounds.depth_max, pointer: self.pointer() });
                    }
                    let is_object = bytes[at] == b'{';
                    self.frames.push(Frame {
                        is_object,
                        expects_key: is_object,
                        count: 0,
                        names_from: self.names.len(),
                        last_name: Cow::Borrowed(""),
                        seen: None,
                    });
                    at += 1;
                }
                b'}' | b']' => {
                    if let Some(frame) = self.frames.pop() {
                        self.names.truncate(frame.names_from);
                    }
                    at += 1;
                }
                b',' => {
                    if let Some(frame) = self.frames.last_mut() {
                        frame.expects_key = frame.is_object;
                    }
                    at += 1;
                }
                b'"' => at = self.string(at)?,
                b' ' | b'\t' | b'\n' | b'\r' | b':' => at += 1,
                _ => {
                    self.element()?;
                    at += 1;
                    while at < bytes.len() && !matches!(bytes[at], b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                        at += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the string that opens at `start`; returns the place behind it.
    fn string(&mut self, start: usize) -> Result<usize, ScanError> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        let mut escaped = false;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at..]) {
            at += found;
            if bytes[at] == b'"' {
                break;
            }
            escaped = true;
            at += 2;
        }
        let inner = &self.text[start + 1..at.min(self.text.len())];
        if inner.len() > self.bounds.string_bytes_max {
            return Err(ScanError::StringLength { max: self.bounds.string_bytes_max, pointer: self.pointer() });
        }
        if self.frames.last().is_some_and(|f| f.is_object && f.expects_key) {
            let name = if escaped {
                // Names are compared as what they mean, not as they are spelled.
                Cow::Owned(serde_json::from_str(&self.text[start..=at]).unwrap_or_else(|_| inner.to_owned()))
            } else {
                Cow::Borrowed(inner)
            };
            self.name(name)?;
        } else {
            self.element()?;
        }
        Ok(at + 1)
    }

    fn name(&mut self, name: Cow<'a, str>) -> Result<(), ScanError> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let duplicate = if let Some(seen) = &mut frame.seen {
            !seen.insert(name.clone())
        } else {
            let own = &self.names[frame.names_from..];
            let found = own.contains(&name);
            if own.len() >= LINEAR_MEMBERS_MAX {
                let mut seen: std::collections::HashSet<_> = own.iter().cloned().collect();
                seen.insert(name.clone());
                frame.seen = Some(seen);
            }
            found
        };
        if duplicate {
            return Err(ScanError::Duplicate { key: name.into_owned(), pointer: self.parent_pointer() });
        }
        frame.expects_key = false;
        frame.last_name = name.clone();
        if frame.seen.is_none() {
            self.names.push(name);
        }
        Ok(())
    }

    fn element(&mut self) -> Result<(), ScanError> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        frame.count += 1;
        if frame.count > self.bounds.elements_max {
            return Err(ScanError::Elements { max: self.bounds.elements_max, pointer: self.parent_pointer() });
        }
        Ok(())
    }

    fn pointer(&self) -> String {
        pointer_of(&self.frames)
    }

    fn parent_pointer(&self) -> String {
        pointer_of(&self.frames[..self.frames.len().saturating_sub(1)])
    }
}

fn pointer_of(frames: &[Frame<'_>]) -> String {
    if frames.is_empty() {
        return "the root".to_owned();
    }
    let mut pointer = String::new();
    for frame in frames {
        pointer.push('/');
        if frame.is_object {
            pointer.push_str(&frame.last_name.replace('~', "~0").replace('/', "~1"));
        } else {
            pointer.push_str(&frame.count.saturating_sub(1).to_string());
        }
    }
    pointer
}

#[cfg(test)]
mod tests;
