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
fn every_corpus_has_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for folder in std::fs::read_dir(root).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(omni_fuzz::target(&name).is_some(), "corpus/{name} is nobody's");
    }
}
