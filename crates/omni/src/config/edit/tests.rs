//! `omni.yaml` in the manners people write it in, edited without harm.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use crate::config::ServerSettings;
use crate::config::edit::{EditFault, add, remove, servers};

fn server() -> ServerSettings {
    ServerSettings { command: Some("npx".to_owned()), args: vec!["-y".to_owned()], ..ServerSettings::default() }
}

/// The text with `new` added.
fn added(text: &str) -> String {
    add(text, "new", &server(), false).unwrap()
}

const NEW: &str = "  new:\n    command: npx\n    args: [\"-y\"]\n";

#[test]
fn an_entry_goes_behind_the_last_one_and_all_else_stays() {
    for (before, after) in [
        (String::new(), format!("servers:\n{NEW}")),
        ("# c\n".to_owned(), format!("# c\nservers:\n{NEW}")),
        ("log: {}\n".to_owned(), format!("log: {{}}\nservers:\n{NEW}")),
        ("servers:\n".to_owned(), format!("servers:\n{NEW}")),
        ("servers: # mine\nlog: {}".to_owned(), format!("servers: # mine\n{NEW}log: {{}}")),
        ("servers: {}  # none yet\n".to_owned(), format!("servers:  # none yet\n{NEW}")),
        ("servers:\n  a:\n    command: x # keep".to_owned(), format!("servers:\n  a:\n    command: x # keep\n{NEW}")),
        (
            "servers:\n  a: {command: x}\n  # of a\n\n# about the log\nlog: {}\n".to_owned(),
            format!("servers:\n  a: {{command: x}}\n  # of a\n{NEW}\n# about the log\nlog: {{}}\n"),
        ),
        (
            "servers:\n  a:\n    command: |\n      x\n\n      # no comment\nlog: {}\n".to_owned(),
            format!("servers:\n  a:\n    command: |\n      x\n\n      # no comment\n{NEW}log: {{}}\n"),
        ),
    ] {
        assert_eq!(added(&before), after, "{before:?}");
    }
}

#[test]
fn indentation_line_ends_and_the_byte_order_mark_are_the_file_s() {
    let text = "\u{feff}servers:\r\n    a:\r\n        command: x\r\n";
    let after = added(text);
    assert_eq!(after, format!("{text}    new:\r\n        command: npx\r\n        args: [\"-y\"]\r\n"));
    assert_eq!(remove(&after, "new").unwrap(), text);
    let three = "servers:\n   a:\n      command: x\n";
    assert_eq!(added(three), format!("{three}   new:\n      command: npx\n      args: [\"-y\"]\n"));
}

#[test]
fn an_entry_is_taken_out_and_comments_of_others_stay() {
    let text = "# head\nservers:\n  # about a\n  a:\n    command: x # x\n    # inside\n\n  # about b\n  b: {command: y}\n# tail\n";
    assert_eq!(remove(text, "a").unwrap(), "# head\nservers:\n  # about a\n\n  # about b\n  b: {command: y}\n# tail\n");
    assert_eq!(remove("servers:\n  a: {command: x}\nlog: {}\n", "a").unwrap(), "servers:\nlog: {}\n");
    assert_eq!(remove("servers:\n  a: {command: x}", "a").unwrap(), "servers:\n");
}

#[test]
fn a_taken_name_is_replaced_only_when_asked() {
    let text = "servers:\n  new: # old\n    url: http://h\n  b: {command: y} # b\n";
    assert_eq!(add(text, "new", &server(), false), Err(EditFault::Taken));
    assert_eq!(add(text, "new", &server(), true).unwrap(), format!("servers:\n{NEW}  b: {{command: y}} # b\n"));
    assert_eq!(remove(text, "none"), Err(EditFault::Missing));
}

#[test]
fn what_cannot_be_edited_is_left_alone_and_said() {
    for text in [
        "{servers: {a: {command: x}}}\n",
        "servers: {a: {command: x}}\n",
        "servers: {a: {command: x},\n  b: {command: y}}\n",
        "log: {}\n...\n",
        "servers: &all\n  <<: {a: {command: x}}\nlog: {}\n...\n",
        "{}\n",
    ] {
        let Err(EditFault::ByHand(Some(entry))) = add(text, "new", &server(), false) else { panic!("{text}") };
        assert_eq!(entry, format!("servers:\n{NEW}"));
    }
    let anchored = "servers:\n  a: &a {command: x}\n  b: *a\n";
    assert_eq!(remove(anchored, "a"), Err(EditFault::ByHand(None)));
    assert!(matches!(add("servers: []", "new", &server(), false), Err(EditFault::Unreadable(_))));
    assert!(matches!(add("a: [", "new", &server(), false), Err(EditFault::Unreadable(_))));
    assert!(matches!(servers("- a"), Err(EditFault::Unreadable(_))));
}

proptest! {
    /// Whatever the entries hold, adding and removing brings back what is read, and the text where it ended in a line end.
    #[test]
    fn adding_and_removing_brings_the_text_back(values in proptest::collection::vec(any::<String>(), 1..4), tail in any::<bool>()) {
        let mut text = "# head\n\n".to_owned();
        for (index, value) in values.iter().enumerate() {
            let server = ServerSettings { command: Some(format!("x{value}")), description: Some(value.clone()), ..ServerSettings::default() };
            text = add(&text, &format!("s{index}"), &server, false).unwrap();
        }
        if tail {
            text.push_str("\n# about the log\nlog: {level: info}\n");
        }
        let after = added(&text);
        prop_assert_eq!(servers(&after).unwrap().len(), values.len() + 1);
        prop_assert_eq!(remove(&after, "new").unwrap(), text);
    }

    /// No text makes an edit panic, however the parser counts its lines.
    #[test]
    fn no_text_makes_it_panic(lines in proptest::collection::vec("(servers:|  new:|  b:|    command: x|  # c|log: \\{\\}|  new: \\{|\\}|&a|\\*a|---|)[ \t#\u{85}\u{2028}]{0,2}", 0..8), end in "(\n|\r\n|\r)") {
        let text = lines.join(&end);
        let _ = add(&text, "new", &server(), true);
        let _ = add(&text, "other", &server(), false);
        let _ = remove(&text, "new");
    }
}
