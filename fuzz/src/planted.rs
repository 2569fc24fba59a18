//! A fault that is planted in the engine on purpose: what never finds anything would look the same as what has nothing to find.

/// The bytes that reach it.
const BYTES: &[u8] = b"omni!";

/// Fails for an input that begins with certain bytes. Each byte that is right is an edge of its own, so that coverage leads there;
/// by chance alone it would take years.
pub fn planted(data: &[u8]) {
    let right = data.iter().zip(BYTES).take_while(|(one, other)| one == other).count();
    match right {
        0 => reached::<0>(),
        1 => reached::<1>(),
        2 => reached::<2>(),
        3 => reached::<3>(),
        4 => reached::<4>(),
        _ => panic!("the fault that was planted is found"),
    }
}

#[inline(never)]
fn reached<const BYTE: usize>() {
    std::hint::black_box(BYTE);
}
