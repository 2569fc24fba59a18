//! What is spoken: the Model Context Protocol's messages as bytes, parsed only as far as the hub must know them.

mod alike;
mod batch;
mod caching;
mod cursor_text;
mod error_code;
mod glance;
mod header;
mod hints;
mod line;
mod list;
mod message;
mod meta;
mod method;
mod mirrored;
mod name;
mod object;
mod outline;
mod params;
mod params_error;
mod scan;
mod sse;
mod translate;
mod uri;
mod version;
mod write;

pub use batch::{BatchError, is_batch, split_batch};
pub use caching::CacheHint;
pub use cursor_text::{decode_cursor, encode_cursor};
pub use error_code::ErrorCode;
pub use header::{decode_value, encode_value, names as header_names};
pub use hints::ToolHints;
pub use line::{LineBuffer, LineTooLong, to_single_line};
pub use list::{ListPage, parse_list_page};
pub use message::{Message, MessageError, MessageKind};
pub use meta::{ModernMeta, RequestMeta, keys as meta_keys};
pub use method::{ListKind, Method};
pub use mirrored::MirroredParams;
pub use name::{NAME_LENGTH_MAX, qualified_name, split_qualified};
pub use object::{Splice, member, members, might_have, object_with, without_members};
pub use outline::Spelling;
pub use params::Params;
pub use params_error::ParamsError;
pub use scan::{Bounds, ScanError, scan, scan_params};
pub use sse::{SseError, SseEvent, SseParser, write_event};
pub use translate::{
    legacy_request, legacy_result, modern_request, modern_result, resource_not_found, strip_modern_meta,
};
pub use uri::{hub_uri, split_hub_uri};
pub use version::{Era, Version};
pub use write::{error_response, notification, request, response};
