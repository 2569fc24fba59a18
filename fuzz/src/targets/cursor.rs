//! Sealed texts (cursors, `requestState`): what was sealed opens for its own context alone, and nothing else opens.

use std::sync::LazyLock;

use omni_hub::Seal;

use crate::pieces::Pieces;

static SEAL: LazyLock<Option<Seal>> = LazyLock::new(|| Seal::new(&[1; 32]).ok());
static OTHER: LazyLock<Option<Seal>> = LazyLock::new(|| Seal::new(&[2; 32]).ok());

pub(crate) fn run(data: &[u8]) {
    let (Some(seal), Some(other)) = (&*SEAL, &*OTHER) else { panic!("no randomness") };
    let mut pieces = Pieces::new(data);
    let (at, bit) = (usize::from(pieces.byte()), pieces.byte());
    let context = pieces.text();
    let text = pieces.rest_text();
    assert_eq!(seal.open(context, text), None, "bytes of chance open");
    let Ok(sealed) = seal.seal(context, text) else { panic!("no randomness") };
    if text.len() < 2048 {
        assert_eq!(seal.open(context, &sealed).as_deref(), Some(text));
    }
    assert_eq!(seal.open(&format!("{context}x"), &sealed), None, "it opens elsewhere");
    assert_eq!(other.open(context, &sealed), None, "it opens under another key");
    let mut forged = sealed.clone().into_bytes();
    let at = at % forged.len();
    forged[at] ^= 1 << (bit % 7);
    if let Ok(forged) = String::from_utf8(forged) {
        assert_eq!(seal.open(context, &forged), None, "changed at {at}, it opens");
    }
    for cut in [&sealed[1..], &sealed[..sealed.len() - 1]] {
        assert_eq!(seal.open(context, cut), None, "cut, it opens");
    }
    for longer in [format!("{sealed}A"), format!("{sealed}="), format!(" {sealed}")] {
        assert_eq!(seal.open(context, &longer), None, "with more to it, it opens");
    }
}
