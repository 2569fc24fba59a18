//! Inheritance written in the text itself, in the two forms that files of the system before this one have.

use std::path::Path;

use crate::bases::Inheritance;
use crate::fault::ProfileFault;
use crate::sections::{Line, heading, lines};
use crate::yaml::read;

/// The block in a profile's text, and the text without it. `lines_before` stand above the text in its file.
///
/// Two forms: `inheritance:` at the margin with its fields indented below, and a heading `Inheritance` with its fields at
/// the margin. Text that only looks a little like it stays text.
pub(crate) fn in_text(
    text: &str,
    file: &Path,
    lines_before: usize,
) -> Result<(Option<Inheritance>, String), ProfileFault> {
    let all = lines(text);
    let found = all.iter().position(|line| !line.in_fence && (is_key(line.text) || is_heading(line.text)));
    let Some(start) = found else { return Ok((None, text.to_owned())) };
    let under_heading = is_heading(all[start].text);
    let ends = |line: &Line<'_>| {
        let margin = !line.text.starts_with([' ', '\t']) && !line.text.trim().is_empty();
        if under_heading { heading(line.text).is_some() || (margin && !is_yaml(line.text)) } else { margin }
    };
    let end = all[start + 1..].iter().position(ends).map_or(all.len(), |at| start + 1 + at);
    let block = &all[start + 1..end];
    let stated = |line: &Line<'_>| {
        let text = line.text.trim_start();
        ["enabled:", "baseProfiles:", "base_profiles:"].iter().any(|key| text.starts_with(key))
    };
    if !block.iter().any(stated) {
        return Ok((None, text.to_owned()));
    }
    let yaml: String = block.iter().map(|line| line.whole).collect();
    let inheritance: Inheritance = read(&yaml, file, lines_before + start + 1)?;
    let rest = all[..start].iter().chain(&all[end..]).map(|line| line.whole).collect();
    Ok((Some(inheritance), rest))
}

fn is_key(line: &str) -> bool {
    line.trim_end() == "inheritance:"
}

fn is_heading(line: &str) -> bool {
    heading(line).is_some_and(|(_, title)| {
        title.eq_ignore_ascii_case("inheritance") || title.eq_ignore_ascii_case("inheritance configuration")
    })
}

/// A line of the fields that stand at the margin.
fn is_yaml(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("- ")
        || line.split_once(':').is_some_and(|(key, _)| {
            matches!(
                key,
                "enabled"
                    | "baseProfiles"
                    | "base_profiles"
                    | "overrideStrategy"
                    | "override_strategy"
                    | "mergeArrays"
                    | "merge_arrays"
                    | "respectOrder"
                    | "respect_order"
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::in_text;
    use crate::bases::Strategy;

    /// CFG-3: the form that the documentation of the system before this one shows.
    #[test]
    fn cfg_3_the_documented_form_is_read() {
        let text = "# My Profile\n\ninheritance:\n  enabled: true\n  baseProfiles:\n    - \"base-assistant.md\"\n    - \"domain-expert.md\"\n  overrideStrategy: merge\n  mergeArrays: true\n\n## Instructions\n- Follow\n";
        let (found, rest) = in_text(text, Path::new("a.md"), 0).unwrap();
        let found = found.unwrap();
        assert_eq!(found.base_profiles, ["base-assistant.md", "domain-expert.md"]);
        assert!(found.enabled && found.merge_arrays && found.override_strategy == Strategy::Merge);
        assert_eq!(rest, "# My Profile\n\n## Instructions\n- Follow\n");
    }

    /// CFG-3: the form that it really took.
    #[test]
    fn cfg_3_the_form_under_a_heading_is_read() {
        let text = "# Me\n\n# Inheritance\nenabled: true\nbaseProfiles:\n- base.md\noverrideStrategy: replace\n\n# Rules\n- One\n";
        let (found, rest) = in_text(text, Path::new("a.md"), 0).unwrap();
        let found = found.unwrap();
        assert_eq!((found.base_profiles, found.override_strategy), (vec!["base.md".to_owned()], Strategy::Replace));
        assert_eq!(rest, "# Me\n\n# Rules\n- One\n");
    }

    #[test]
    fn cfg_3_prose_about_inheritance_stays_prose() {
        for text in [
            "# Inheritance\n\nPrefer composition: always.\n",
            "inheritance:\nnot indented\n",
            "```\ninheritance:\n  enabled: true\n```\n",
            "inheritance:\n  is a topic of its own\n",
        ] {
            assert_eq!(in_text(text, Path::new("a.md"), 0).unwrap(), (None, text.to_owned()), "{text}");
        }
    }

    #[test]
    fn cfg_3_a_misspelt_field_is_told_with_its_line() {
        let fault =
            in_text("# A\ninheritance:\n  enabled: true\n  baseProfile: [x]\n", Path::new("a.md"), 0).unwrap_err();
        assert_eq!(fault.place.unwrap().0, 4, "{fault}");
        assert!(fault.message.contains("baseProfile"), "{fault}");
    }
}
