//! Tests of the walk: what it refuses, where it says so, and that it agrees with a tree on harmless texts.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Bounds, ScanError, scan};

const SMALL: Bounds = Bounds { depth_max: 4, string_bytes_max: 8, elements_max: 3 };

#[test]
fn val_3_bounds_name_the_place() {
    assert_eq!(scan(r#"{"a":[[[1]]]}"#, &SMALL), Ok(()));
    assert_eq!(scan(r#"{"a":[0,[[[1]]]]}"#, &SMALL), Err(ScanError::Depth { max: 4, pointer: "/a/1/0/0".to_owned() }));
    assert_eq!(
        scan(r#"{"a/b":["123456789"]}"#, &SMALL),
        Err(ScanError::StringLength { max: 8, pointer: "/a~1b/0".to_owned() })
    );
    assert_eq!(scan("[1,2,3]", &SMALL), Ok(()));
    assert_eq!(scan("[1,2,3,4]", &SMALL), Err(ScanError::Elements { max: 3, pointer: "the root".to_owned() }));
}

#[test]
fn val_1_no_member_twice_however_it_is_spelled() {
    let bounds = Bounds::default();
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"b":1,"c":[{"d":1}],"b":2}}"#,
        r#"{"a\"":1,"a\u0022":1}"#,
    ] {
        assert!(matches!(scan(text, &bounds), Err(ScanError::Duplicate { .. })), "{text}");
    }
    assert_eq!(scan(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":"a"}],"c":"a"}"#, &bounds), Ok(()));
    let many: Vec<String> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
    assert_eq!(scan(&format!("{{{}}}", many.join(",")), &bounds), Ok(()));
    assert!(scan(&format!("{{{},\"k7\":0}}", many.join(",")), &bounds).is_err());
}

#[test]
fn two_million_levels_are_no_danger() {
    let deep = "[".repeat(2_000_000) + &"]".repeat(2_000_000);
    assert!(matches!(scan(&deep, &Bounds::default()), Err(ScanError::Depth { .. })));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    /// A text written from a tree has no duplicates, whatever characters its names are made of.
    #[test]
    fn trees_pass(value in json()) {
        prop_assert_eq!(scan(&serde_json::to_string_pretty(&value).unwrap(), &Bounds::default()), Ok(()));
    }

    /// A member written a second time into any object is found.
    #[test]
    fn a_second_one_is_found(value in json(), name in "[a-z\"\\\\]{1,6}") {
        let key = serde_json::to_string(&name).unwrap();
        let text = format!("{{{key}:{value},\"other\":[{value}],{key}:0}}");
        prop_assume!(name != "other");
        let found = scan(&text, &Bounds::default());
        prop_assert!(matches!(found, Err(ScanError::Duplicate { .. })), "{:?}", found);
    }
}
