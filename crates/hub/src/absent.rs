//! How a list says which servers are missing from it, and why.

use omni_protocol::meta_keys::ABSENT_SERVERS;

/// The member of `_meta`, as JSON text without braces; `None` when nothing is missing.
pub(crate) fn meta_member(absent: &[(String, String)]) -> Option<String> {
    if absent.is_empty() {
        return None;
    }
    let each: Vec<String> = absent
        .iter()
        .map(|(server, why)| format!(r#"{{"server":"{server}","reason":{}}}"#, serde_json::Value::from(why.as_str())))
        .collect();
    Some(format!(r#""{ABSENT_SERVERS}":[{}]"#, each.join(",")))
}
