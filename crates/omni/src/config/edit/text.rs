//! A part of one text of the file put in the place of another, however the text is quoted.

use crate::config::node;

/// Places in the text's line that are tried.
const PLACES_MAX: usize = 16;

/// `text` with `to` in the place of `from` in the text at `path`; `None` where it cannot be done without risk: what then is read is
/// compared with what was wanted.
pub(crate) fn with_text(text: &str, path: &[&str], from: &str, to: &str) -> Option<String> {
    let root = node::read(text).ok()?;
    let steps: Vec<String> = path.iter().map(|step| (*step).to_owned()).collect();
    let line = root.find(&steps, false).line.checked_sub(1)?;
    let mut expected = root.plain();
    let member = path.iter().try_fold(&mut expected, |value, step| value.get_mut(*step))?;
    *member = member.as_str()?.replacen(from, to, 1).into();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let before: usize = lines.iter().take(line).map(|line| line.len()).sum();
    let places: Vec<usize> = lines.get(line)?.match_indices(from).map(|(at, _)| before + at).take(PLACES_MAX).collect();
    for put_in in [format!("\"{to}\""), to.to_owned()] {
        for at in &places {
            let edited = format!("{}{put_in}{}", &text[..*at], &text[at + from.len()..]);
            if node::read(&edited).is_ok_and(|read| read.plain() == expected) {
                return Some(edited);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::with_text;

    #[test]
    fn sec_3_a_text_is_replaced_where_it_stands_and_nothing_else() {
        let path = ["servers", "a", "env", "K"];
        let with = |text: &str| with_text(text, &path, "s3cret", "${STORE:k}");
        for (before, after) in [
            (
                "servers:\n  a:\n    env:\n      K: s3cret # mine\n",
                "servers:\n  a:\n    env:\n      K: \"${STORE:k}\" # mine\n",
            ),
            ("servers: {a: {env: {K: s3cret, L: x}}}", "servers: {a: {env: {K: \"${STORE:k}\", L: x}}}"),
            ("servers:\n  a: {env: {K: 'Bearer s3cret'}}\n", "servers:\n  a: {env: {K: 'Bearer ${STORE:k}'}}\n"),
            (
                "servers:\n  a: {env: {s3cret: 1, K: \"s3cret\"}}",
                "servers:\n  a: {env: {s3cret: 1, K: \"${STORE:k}\"}}",
            ),
        ] {
            assert_eq!(with(before).as_deref(), Some(after), "{before}");
        }
        for cannot in ["servers: {a: {env: {K: \"s3\\x63ret\"}}}", "x: ["] {
            assert_eq!(with(cannot), None, "{cannot}");
        }
    }
}
