//! A profile's text within a file of somebody's own: between two markers, put in, exchanged and taken out to the byte.

/// How the block begins.
const BEGIN: &str = "<!-- omni profile ";
/// How it ends.
const END: &str = "<!-- end of omni profile -->\n";

/// The block with what it stands between.
fn parts(file: &str) -> Result<Option<(&str, &str)>, String> {
    let starts: Vec<usize> = file.match_indices(BEGIN).map(|(at, _)| at).filter(|at| line_begins(file, *at)).collect();
    let ends: Vec<usize> = file.match_indices(END).map(|(at, _)| at).filter(|at| line_begins(file, *at)).collect();
    match (starts.as_slice(), ends.as_slice()) {
        ([], []) => Ok(None),
        ([start], [end]) if start < end => Ok(Some((&file[..*start], &file[end + END.len()..]))),
        _ => Err("the markers of the profile are not one pair: mend them by hand".to_owned()),
    }
}

fn line_begins(file: &str, at: usize) -> bool {
    at == 0 || file.as_bytes().get(at - 1) == Some(&b'\n')
}

/// `file` with the block of this profile, in the place of another one's or at its end.
///
/// # Errors
/// When the markers are not what they should be.
pub(super) fn put(file: &str, (name, hash): (&str, &str), text: &str) -> Result<String, String> {
    if text.contains(BEGIN) || text.contains(END) {
        return Err("the profile's text holds a marker of its own: it cannot be told from ours".to_owned());
    }
    let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let block = format!("{BEGIN}{name} sha256:{hash} -->\n{text}{line_end}{END}");
    Ok(match parts(file)? {
        Some((before, behind)) => format!("{before}{block}{behind}"),
        None if file.is_empty() => block,
        // Taken out again with the block.
        None if file.ends_with('\n') => format!("{file}\n{block}"),
        None => format!("{file}\n\n{block}"),
    })
}

/// `file` without the block; `None` where there is none.
///
/// # Errors
/// When the markers are not what they should be.
pub(super) fn take_out(file: &str) -> Result<Option<String>, String> {
    let Some((before, behind)) = parts(file)? else { return Ok(None) };
    let before = if behind.is_empty() { before.strip_suffix('\n').unwrap_or(before) } else { before };
    Ok(Some(format!("{before}{behind}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{put, take_out};

    #[test]
    fn cfg_1_what_is_put_in_comes_out_to_the_byte() {
        for file in ["# Mine\n", "", "a\r\nb\n", "x\n\n\n"] {
            let with = put(file, ("dev", "00"), "Be kind.\n").unwrap();
            assert!(with.starts_with(file) && with.contains("Be kind.\n<!-- end"), "{with}");
            let other = put(&with, ("ops", "11"), "Be quick.").unwrap();
            assert!(!other.contains("kind") && other.contains("quick.\n<!-- end"), "{other}");
            assert_eq!(take_out(&other).unwrap().unwrap(), file);
            // What was written around it since stays.
            assert_eq!(
                take_out(&format!("{with}more\n")).unwrap().unwrap().replace('\n', ""),
                format!("{file}more").replace('\n', "")
            );
        }
        assert_eq!(take_out(&put("no end", ("a", "0"), "x").unwrap()).unwrap().unwrap(), "no end\n");
        assert_eq!(take_out("nothing\n").unwrap(), None);
    }

    #[test]
    fn cfg_1_broken_markers_are_refused() {
        let with = put("", ("dev", "00"), "x").unwrap();
        assert!(put("", ("dev", "00"), &with).is_err());
        assert!(take_out(&format!("{with}{with}")).is_err());
        assert!(put(&with.replace("<!-- end of omni profile -->\n", ""), ("a", "0"), "y").is_err());
    }
}
