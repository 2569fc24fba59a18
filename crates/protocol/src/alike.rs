//! Names that some readers take for one: JSON libraries (Go's among them) match members whatever the case of their letters,
//! and of two the last counts. What the hub judges must be what such a server reads.

use crate::object::members;

/// The first member of the object `text` that could be taken for one of `names` and is none.
pub(crate) fn alike_in(text: &str, names: &[&str]) -> Option<String> {
    let members = members(text).ok()?;
    members.into_iter().find(|(name, _)| is_alike(name, names)).map(|(name, _)| name.into_owned())
}

/// Whether `name` could be taken for one of `names` and is none.
pub(crate) fn is_alike(name: &str, names: &[&str]) -> bool {
    if names.contains(&name) {
        return false;
    }
    if name.is_ascii() {
        return names.iter().any(|own| own.eq_ignore_ascii_case(name));
    }
    // The Kelvin sign is a `k` to them, and the long s an `s`.
    let folded = name.to_uppercase().to_lowercase();
    names.iter().any(|own| own.to_lowercase() == folded)
}

#[cfg(test)]
mod tests {
    use super::{alike_in, is_alike};

    #[test]
    fn val_1_what_differs_by_case_alone_is_alike() {
        let names = ["name", "taskId", "params"];
        for alike in ["Name", "NAME", "nAme", "taskid", "TaskID", "tas\u{212a}Id", "param\u{17f}"] {
            assert!(is_alike(alike, &names), "{alike}");
        }
        for other in ["name", "taskId", "names", "nam", "", "n\u{e4}me", "task_id"] {
            assert!(!is_alike(other, &names), "{other}");
        }
        assert_eq!(alike_in(r#"{"name":1,"N\u0061me":2}"#, &names).as_deref(), Some("Name"));
    }
}
