//! The targets under libFuzzer: `OMNI_FUZZ_TARGET` says which one; the rest of the command line is libFuzzer's own.

#![no_main]
#![allow(unsafe_code, reason = "libFuzzer finds its entry by a symbol's name, and to name a symbol counts as unsafe")]

use std::sync::OnceLock;

use omni_fuzz::{Target, planted, target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();
/// Whether a fault is planted, to see that one is found.
static PLANTED: OnceLock<bool> = OnceLock::new();

fn choose() {
    let name = std::env::var("OMNI_FUZZ_TARGET").unwrap_or_default();
    let Some(found) = target(&name) else {
        panic!("OMNI_FUZZ_TARGET is `{name}`, which is no target: `cargo xtask fuzz --list` names them");
    };
    CHOSEN.get_or_init(|| found);
    PLANTED.get_or_init(|| std::env::var_os("OMNI_FUZZ_PLANTED").is_some());
}

libfuzzer_sys::fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = CHOSEN.get() {
        (target.run)(data);
        if PLANTED.get() == Some(&true) {
            planted(data);
        }
    }
});
