//! A result for a client of 2026-07-28 says of which kind it is, also where its server left that out.

use omni_protocol::{Era, members, object_with};

/// The member, as most servers write it.
const MEMBER: &str = "\"resultType\"";

/// JSON text of `result` with the kind that a client assumes where a server says none ("absent means complete"), for a
/// client of `era` that must not have to assume it; `None` when nothing is to be added.
pub(super) fn with_result_type(era: Era, result: &str) -> Option<String> {
    if era == Era::Legacy {
        return None;
    }
    // Looked for where it usually stands: results are long, and taking them apart is dear.
    let start = result.get(1..=MEMBER.len()).unwrap_or_default();
    if start == MEMBER || result.ends_with(r#""resultType":"complete"}"#) {
        return None;
    }
    let is_there = result.contains(MEMBER) && members(result).ok()?.iter().any(|(key, _)| key == "resultType");
    (!is_there).then(|| object_with(result, r#""resultType":"complete""#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_added_and_nothing_else_touched() {
        for complete in [
            r#"{"resultType":"complete","content":[]}"#,
            r#"{"content":[],"resultType":"complete"}"#,
            r#"{"content":[], "resultType" : "task","taskId":"x"}"#,
            r#"{ "resultType":"input_required","inputRequests":{}}"#,
        ] {
            assert_eq!(with_result_type(Era::Modern, complete), None, "{complete}");
        }
        for bare in [r#"{"content":[{"text":"\"resultType\""}]}"#, r#"{"x":{"resultType":"complete"}}"#, "{}"] {
            let added = with_result_type(Era::Modern, bare).unwrap_or_default();
            assert!(members(&added).is_ok_and(|all| all.iter().any(|(key, _)| key == "resultType")), "{added}");
            assert_eq!(with_result_type(Era::Legacy, bare), None);
        }
    }
}
