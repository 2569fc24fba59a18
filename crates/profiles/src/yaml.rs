//! YAML within bounds; what is wrong is told with its place in the file.

use std::path::Path;

use serde::Deserialize;

use crate::fault::ProfileFault;

/// Bytes of front matter.
pub(crate) const BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting; the fields themselves need three levels.
const DEPTH_MAX: usize = 16;
/// Nodes, counting those that aliases bring in again.
const NODES_MAX: usize = 10_000;
/// Events that aliases may replay.
const ALIAS_EVENTS_MAX: usize = 1_000;

/// Reads one YAML text within bounds; what is wrong is told with its place in the file.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(
    yaml: &str,
    file: &Path,
    lines_before: usize,
) -> Result<T, ProfileFault> {
    if yaml.len() > BYTES_MAX {
        return Err(ProfileFault::whole(file, format!("front matter is longer than {} KiB", BYTES_MAX / 1024)));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, flow_nesting_limit: DEPTH_MAX, max_nodes: NODES_MAX, max_documents: 1 },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: ALIAS_EVENTS_MAX },
    };
    serde_saphyr::from_str_with_options::<T>(yaml, options).map_err(|error| {
        let rendered = error.without_snippet().to_string();
        let end = rendered.rfind(" at line ").unwrap_or(rendered.len());
        let message = rendered[..end].trim_start_matches("error: ").trim().to_owned();
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        match error.location() {
            Some(at) => {
                let line = size(at.line()).max(1).saturating_add(lines_before);
                ProfileFault::at(file, (line, size(at.column()).max(1)), message)
            }
            None => ProfileFault::at(file, (lines_before + 1, 1), message),
        }
    })
}
