//! How what runs for minutes (fuzz targets, the simulation) is built: as the tests are, but with the code that it spends its
//! time in made faster.

/// Features of both, so that what they depend on is built once for the two.
const FEATURES: &str = "omni-fuzz/engine,omni-simulation/clock";
/// Our own packages that both run through.
const OWN: &[&str] = &[
    "omni-types",
    "omni-protocol",
    "omni-egress",
    "omni-screen",
    "omni-auth",
    "omni-secrets",
    "omni-audit",
    "omni-store",
    "omni-telemetry",
    "omni-proxy",
    "omni-hub",
    "omni-gateway",
    "omni-fuzz",
    "omni-simulation",
];

/// Packages of others in which the time goes. Only these: most of the rest (C libraries, macros) is shared with the build of
/// the tests that way, a pattern would reach build scripts and macros too, and the engines of schemas and of regular
/// expressions take a minute and a half of a processor to optimise, for targets that run half a minute.
const HOT: &[&str] = &[
    "bytes",
    "futures-channel",
    "futures-util",
    "http",
    "httparse",
    "hyper",
    "hyper-util",
    "memchr",
    "serde_json",
    "tokio",
    "tokio-tungstenite",
    "tungstenite",
    "url",
];

/// Words for `cargo build` and `cargo run` behind the subcommand.
pub(crate) fn words() -> Vec<String> {
    let faster = OWN.iter().chain(HOT).map(|package| format!("profile.dev.package.{package}.opt-level=1"));
    // libFuzzer itself, C++ that runs as often as what it tries.
    let faster = faster.chain(["profile.dev.package.libfuzzer-sys.opt-level=2".to_owned()]);
    let settings = faster.flat_map(|setting| ["--config".to_owned(), setting]);
    ["--workspace", "--features", FEATURES].map(str::to_owned).into_iter().chain(settings).collect()
}
