//! Signed tokens: whatever is written is read or refused, and what is read has three parts and no second reading.

use omni_auth::reads_token;

use crate::pieces::Pieces;

pub(crate) fn run(data: &[u8]) {
    let text = Pieces::new(data).rest_text();
    if reads_token(text) {
        assert_eq!(text.split('.').count(), 3, "{text:?}");
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')), "{text:?}");
        // Nothing can be put around it, and no part be left away.
        for other in [format!("{text}."), format!(".{text}"), format!("{text}="), format!(" {text}")] {
            assert!(!reads_token(&other), "{other:?}");
        }
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        assert!(!reads_token(&format!("{signed}.")) && !reads_token(signed), "without a signature: {signed:?}");
    }
}
