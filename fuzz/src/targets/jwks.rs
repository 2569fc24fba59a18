//! Sets of keys: whatever a provider answers is read or refused, within bounds; white space around it changes nothing.

use omni_auth::KeySet;

pub(crate) fn run(data: &[u8]) {
    let read = KeySet::parse(data);
    if read.is_ok() {
        assert!(data.contains(&b'{'), "a set out of nothing");
    }
    if data.len() < 100_000 {
        let padded = [b" \n", data, b"\t "].concat();
        assert_eq!(KeySet::parse(&padded).is_ok(), read.is_ok(), "white space matters");
    }
}
