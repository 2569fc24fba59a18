//! CFG-3: profiles of the shapes that the system before this one had go on as they are, or are refused with line and mend.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use indexmap::IndexMap;
use omni_profiles::{Library, ProfileName, Source};

fn library(files: &[(&str, &str)]) -> Library {
    let source = |(path, text): &(&str, &str)| Source {
        name: ProfileName::parse(path.rsplit('/').next().unwrap().trim_end_matches(".md")).unwrap(),
        file: format!("/p/{path}").into(),
        text: (*text).to_owned(),
        rank: 1,
    };
    Library::build(files.iter().map(source).collect(), Vec::new(), &IndexMap::new())
}

/// Whatever its headings and fields are, a text that names no base reaches the client to the byte.
#[test]
fn cfg_3_texts_of_all_shapes_are_unharmed() {
    for text in [
        // Fields and lists below known headings.
        "# Reviewer\n\nProject Name: Shop\nVersion: 2\n\n## Instructions\n- Note: use this: carefully\n- See https://a.example/x?y=1: it helps\n",
        // A version of a schema, as a heading's line and as a comment.
        "# Schema Version: 1.2.0\n# Instructions\nBe brief.\n",
        "<!-- {\"$schema\": \"https://schemas.example/claude-config.json\", \"$version\": \"1.2.0\"} -->\n# Rules\n- One\n",
        // Code with colons and fences, other languages, ends of lines of another system.
        "# Tools\n```yaml\ninheritance:\n  enabled: true\n  baseProfiles: [x.md]\n```\n",
        "# \u{30eb}\u{30fc}\u{30eb}\r\n\r\n- \u{4e00}: \u{4e8c}\r\n",
        // What its own merging knew stays text: nothing is left out.
        "## Stopwords\n- foo\n\n## Memory Dict\nkey: value\n\n## Allow Tools Append\n- git_log\n",
        "# Custom Instructions\nUse ${HOME}, ${JWT_SECRET} and $5.\n",
    ] {
        let all = library(&[("one.md", text)]);
        assert_eq!(all.faults(), [], "{text}");
        assert_eq!(all.find("one").unwrap().text, text);
    }
}

/// Both forms of inheritance, in camel and snake case, over several levels and with the ending left out.
#[test]
fn cfg_3_inheritance_in_both_forms_is_put_together() {
    let all = library(&[
        ("ground.md", "# Ground\n\n## Rules\n- Ground\n\n## Context\nOld.\n"),
        (
            "indented.md",
            "# Indented\n\ninheritance:\n  enabled: true\n  baseProfiles:\n    - \"ground\"\n  overrideStrategy: merge\n  mergeArrays: true\n\n## Rules\n- Indented\n",
        ),
        (
            "heading.md",
            "# Heading\n\n# Inheritance\nenabled: true\nbase_profiles:\n- ./ground.md\noverride_strategy: replace\n\n## Rules\n- Heading\n",
        ),
        (
            "third.md",
            "# Third\n\ninheritance:\n  enabled: true\n  baseProfiles: [indented.md, heading.md]\n  respectOrder: true\n\n## Context\nNew.\n",
        ),
        ("off.md", "inheritance:\n  enabled: false\n  baseProfiles: [nowhere.md]\n\n## Rules\n- Off\n"),
    ]);
    assert_eq!(all.faults(), []);
    let text = |name: &str| all.find(name).unwrap().text.as_str();
    assert!(text("indented").contains("- Ground\n- Indented") && text("heading").contains("## Rules\n- Heading"));
    assert!(!text("heading").contains("- Ground") && !text("off").contains("nowhere"));
    assert!(text("third").starts_with("# Third") && text("third").contains("New.") && !text("third").contains("Old."));
    for name in ["ground", "indented", "heading"] {
        assert!(all.find("third").unwrap().bases.iter().any(|base| base.as_str() == name), "{name}");
    }
}

/// What cannot be meant as it stands is refused where it stands, with what to do; the others are there.
#[test]
fn cfg_3_what_is_wrong_is_told_with_its_line_and_the_mend() {
    let all = library(&[
        ("fine.md", "Fine.\n"),
        ("field.md", "---\nname: field\npermissions: [read, execute]\n---\nx\n"),
        ("typo.md", "# T\n\ninheritance:\n  enabled: true\n  baseProfile: [fine.md]\n"),
        ("strategy.md", "inheritance:\n  enabled: true\n  baseProfiles: [fine.md]\n  overrideStrategy: append\n"),
        ("ring.md", "---\nextends: ring\n---\n"),
        ("gap.md", "---\nextends: gone\n---\n"),
    ]);
    assert_eq!(all.profiles().map(|profile| profile.name.as_str()).collect::<Vec<_>>(), ["fine"]);
    let told: Vec<String> = all.faults().iter().map(ToString::to_string).collect();
    for (place, word) in [
        ("/p/field.md:3:", "permissions"),
        ("/p/typo.md:5:", "baseProfile"),
        ("/p/strategy.md:4:", "append"),
        ("/p/ring.md: ", "ring → ring"),
        ("/p/gap.md: ", "there are: "),
    ] {
        assert!(told.iter().any(|why| why.starts_with(place) && why.contains(word)), "{place} {word}: {told:?}");
    }
}
