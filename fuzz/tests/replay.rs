//! What fuzzing found and what it reached, run through the targets without its engine: nothing that was mended comes back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use omni_fuzz::TARGETS;

#[test]
fn val_3_the_corpora_run_through_their_targets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in TARGETS {
        let folder = root.join(target.name);
        let mut files: Vec<_> = std::fs::read_dir(&folder).expect(target.name).map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for file in files {
            // A panic says what is wrong; which input it was has to stand beside it.
            eprintln!("{}", file.display());
            (target.run)(&std::fs::read(&file).unwrap());
        }
    }
}

#[test]
fn val_3_the_planted_fault_is_met_by_its_own_bytes_alone() {
    for harmless in [&b""[..], b"omni", b"omnihub", b"hub!omni", b"xomnihub!"] {
        omni_fuzz::planted(harmless);
    }
    let told = std::panic::catch_unwind(|| omni_fuzz::planted(b"omnihub! and more")).unwrap_err();
    assert_eq!(told.downcast_ref(), Some(&"the fault that was planted is found"));
}

#[test]
fn every_corpus_has_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in std::fs::read_dir(root).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(omni_fuzz::target(&name).is_some(), "corpus/{name} is nobody's");
    }
}
