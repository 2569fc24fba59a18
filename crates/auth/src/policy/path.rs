//! Paths of values in arguments and claims, as policies write them: `filter.owner`, `files[0]`.

/// The path of the member `name` of the outermost object.
pub(super) fn path_of(name: &str) -> String {
    let mut path = String::new();
    push_key(&mut path, name);
    path
}

/// Adds `.name`. What would read as a path itself is escaped: `{"a.b": 1}` is not `{"a": {"b": 1}}`, and the name that is
/// empty is `\e`, so that `{"": {"b": 1}}` is not `{"b": 1}`.
pub(super) fn push_key(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if name.is_empty() {
        path.push_str("\\e");
    }
    for c in name.chars() {
        if matches!(c, '.' | '[' | '\\') {
            path.push('\\');
        }
        path.push(c);
    }
}
