//! A fault that is planted in the engine on purpose: what never finds anything would look the same as what has nothing to find.

/// The bytes that reach it, and those that must follow.
const FIRST: u32 = u32::from_le_bytes(*b"omni");
const SECOND: u32 = u32::from_le_bytes(*b"hub!");

/// Fails for an input that begins with eight certain bytes. By chance alone that would take years; libFuzzer is told what is
/// compared, and that the first half leads further.
pub fn planted(data: &[u8]) {
    // Plain comparisons of numbers: those in the standard library's generics may be code that others share and nobody counts.
    let &[a, b, c, d, ref rest @ ..] = data else { return };
    if u32::from_le_bytes([a, b, c, d]) != FIRST {
        return;
    }
    // An edge of its own: without it the compiler makes one condition of the two.
    std::hint::black_box(FIRST);
    let &[a, b, c, d, ..] = rest else { return };
    if u32::from_le_bytes([a, b, c, d]) == SECOND {
        panic!("the fault that was planted is found");
    }
}
