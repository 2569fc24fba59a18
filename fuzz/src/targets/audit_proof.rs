//! The file of a proof (`omni audit check-proof`): read as it is written or refused, and believed only with a signature.

use omni_audit::{RecordProof, VerifierKey};

/// The key that signed the log of the corpus: a proof by it holds, and no changed one does.
const KEY: &str = include_str!("../../audit_proof.vkey");
/// That proof.
const PROOF: &str = include_str!("../../corpus/audit_proof/proof");

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(proof) = text.parse::<RecordProof>() else { return };
    assert!(
        proof.to_string().parse::<RecordProof>().is_ok_and(|again| again == proof),
        "it is not written as it was read"
    );
    let Ok(key) = KEY.trim().parse::<VerifierKey>() else { panic!("the corpus has no key") };
    let Ok(good) = PROOF.parse::<RecordProof>() else { panic!("the corpus has no proof") };
    let keys = [key];
    let proven = good.check(&keys);
    assert!(proven.is_ok(), "the corpus's proof does not hold: {proven:?}");
    if let Ok(other) = proof.check(&keys) {
        assert_eq!(Ok(other), proven, "something is proven that nobody signed: {text}");
    }
}
