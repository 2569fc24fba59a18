//! The scanner over real folders.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::look;
use crate::settings::ProfilesSettings;

fn put(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn settings(root: &Path) -> ProfilesSettings {
    ProfilesSettings { paths: vec![root.to_owned()], ..ProfilesSettings::default() }
}

fn names(settings: &ProfilesSettings) -> Vec<String> {
    look(settings, None, None).unwrap().sources.iter().map(|source| source.name.to_string()).collect()
}

#[test]
fn cfg_2_the_defaults_are_those_of_the_system_before() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "dev.md",
        "notes.txt",
        "x.markdown",
        "team/CLAUDE.md",
        "a/b/c/deep.md",
        "a/b/c/d/deeper.md",
        ".hidden.md",
        "old.md~",
        "x.md.backup",
        "node_modules/p/readme.md",
        "sub/node_modules/readme.md",
        ".git/a.md",
        "code.rs",
    ] {
        put(folder.path(), path, "text");
    }
    let mut found = names(&settings(folder.path()));
    found.sort();
    assert_eq!(found, ["deep", "dev", "notes", "team", "x"]);
    let shallow = ProfilesSettings { depth_max: 0, ..settings(folder.path()) };
    assert_eq!(names(&shallow).len(), 3);
    let some = ProfilesSettings { include: vec!["team/**".to_owned(), "d*.md".to_owned()], ..settings(folder.path()) };
    let mut some = names(&some);
    some.sort();
    assert_eq!(some, ["deep", "dev", "team"]);
    let hidden = ProfilesSettings { hidden: true, ..settings(folder.path()) };
    assert!(names(&hidden).contains(&"hidden".to_owned()));
}

#[test]
fn cfg_2_links_are_followed_by_setting_and_never_lead_out() {
    let (outside, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(outside.path(), "secret.md", "outside");
    put(folder.path(), "real/a.md", "inside");
    symlink(outside.path().join("secret.md"), folder.path().join("leak.md")).unwrap();
    symlink("real/a.md", folder.path().join("link.md")).unwrap();
    symlink(outside.path(), folder.path().join("folder")).unwrap();
    assert_eq!(names(&settings(folder.path())), ["a"]);
    let following = ProfilesSettings { symlinks: true, ..settings(folder.path()) };
    let scan = look(&following, None, None).unwrap();
    assert!(scan.sources.iter().all(|source| source.text == "inside"), "{:?}", scan.sources);
    assert_eq!(scan.sources.len(), 2);
}

/// A link back up is a ring: it ends at the depth.
#[test]
fn cfg_2_a_ring_of_links_ends() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a.md", "x");
    symlink(".", folder.path().join("again")).unwrap();
    let following = ProfilesSettings { symlinks: true, ..settings(folder.path()) };
    assert_eq!(look(&following, None, None).unwrap().sources.len(), 4);
}

/// CFG-6: a ConfigMap is swapped by one link.
#[test]
fn cfg_6_a_kubernetes_swap_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "..1/dev.md", "one");
    put(folder.path(), "..2/dev.md", "two");
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/dev.md", folder.path().join("dev.md")).unwrap();
    let following = ProfilesSettings { symlinks: true, ..settings(folder.path()) };
    let before = look(&following, None, None).unwrap();
    assert_eq!(before.sources.iter().map(|source| source.text.as_str()).collect::<Vec<_>>(), ["one"]);
    assert!(look(&following, None, Some(&before.stamp)).is_none());
    symlink("..2", folder.path().join("..new")).unwrap();
    fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
    let after = look(&following, None, Some(&before.stamp)).unwrap();
    assert_eq!(after.sources[0].text, "two");
}

#[test]
fn cfg_2_what_cannot_be_read_is_told_and_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "good.md", "x");
    fs::write(folder.path().join("bad.md"), [b'a', 0xff]).unwrap();
    put(folder.path(), "long.md", &"x".repeat(256 * 1024 + 1));
    let mut given = settings(folder.path());
    given.files.insert("named".to_owned(), folder.path().join("good.md"));
    given.files.insert("gone".to_owned(), folder.path().join("gone.md"));
    given.paths.push(folder.path().join("no such folder"));
    let scan = look(&given, None, None).unwrap();
    assert_eq!(scan.sources.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["named"]);
    let told: Vec<String> = scan.faults.iter().map(ToString::to_string).collect();
    for word in ["byte 1", "256 KiB", "gone.md"] {
        assert!(told.iter().any(|why| why.contains(word)), "{word}: {told:?}");
    }
    assert_eq!(told.len(), 3);
}
