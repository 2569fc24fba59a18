//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, two at a time, each for the given time.

use crate::{optimised, own, step};
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: cargo xtask fuzz [TARGET...] [--seconds N] [--list | --minimise | --planted]";
/// Seconds a target: on a developer's machine, and in CI.
const SECONDS: u64 = 20;
const SECONDS_CI: u64 = 120;
/// Targets that have all of it: what strangers write on the wire (envelope, SSE, frames of WebSocket, headers, cursors, names,
/// `requestState`, framing of stdio). The others, which read parts of what these let through, have a sixth.
const LONG: &[&str] = &["cursor", "envelope", "header", "line", "name", "sse", "state", "websocket"];
/// Overrides both.
const SECONDS_VARIABLE: &str = "OMNI_FUZZ_SECONDS";
/// Targets that run side by side.
const AT_ONCE: usize = 2;
/// Longest input that is made.
const INPUT_BYTES_MAX: u32 = 4096;
/// Beyond the time that libFuzzer was given, before it is ended from here.
const GRACE: Duration = Duration::from_secs(90);
/// Where inputs are kept for good, where they grow, and where what fails is left.
const KEPT: &str = "fuzz/corpus";
const GROWING: &str = "target/fuzz/corpus";
const FAILED: &str = "target/fuzz/failed";
/// The same for the run in which a fault is planted, and what it must say; the target it runs with, and the seconds it has.
const PLANTED: &str = "target/fuzz/planted";
const PLANTED_WORDS: &str = "the fault that was planted is found";
const PLANTED_IN: &str = "name";
const PLANTED_SECONDS: u64 = 60;
/// Largest input that is kept for good: the corpora are small on purpose.
const KEPT_BYTES_MAX: u64 = 1024;

/// The coverage that libFuzzer is guided by, from LLVM's own pass: rustc hands it on, so the stable compiler will do. No
/// sanitizer beside it: there is no unsafe code for one to watch.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What was asked for.
struct Wanted {
    targets: Vec<String>,
    seconds: u64,
    list: bool,
    minimise: bool,
    planted: bool,
}

/// Runs it as a part of all tests, and whether it would have noticed.
pub(crate) fn run_in_test() -> Result<()> {
    let found = run(&["--planted".to_owned()]);
    run(&[])?;
    found
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut wanted = parse(arguments)?;
    let all = targets()?;
    if wanted.list {
        println!("{}", all.join("\n"));
        return Ok(());
    }
    if let Some(unknown) = wanted.targets.iter().find(|name| !all.contains(name)) {
        bail!("no target `{unknown}`; there are {}", all.join(", "));
    }
    if wanted.targets.is_empty() {
        wanted.targets = all;
    }
    let engine = build()?;
    if wanted.planted {
        return planted(&engine);
    }
    if wanted.minimise {
        return wanted.targets.iter().try_for_each(|name| minimise(&engine, name));
    }
    let mut failed = Vec::new();
    // Those of one length side by side, so that none waits for the other.
    wanted.targets.sort_by_key(|name| part_of(name));
    for pair in wanted.targets.chunks(AT_ONCE) {
        let seconds = |name: &String| wanted.seconds.div_ceil(part_of(name));
        let started: Vec<Run> =
            pair.iter().map(|name| Run::start(&engine, name, seconds(name))).collect::<Result<_>>()?;
        for run in started {
            failed.extend(run.finish()?);
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// By what a target's share of the time is divided.
fn part_of(name: &str) -> u64 {
    if LONG.contains(&name) { 1 } else { 6 }
}

fn parse(arguments: &[String]) -> Result<Wanted> {
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let seconds = match std::env::var(SECONDS_VARIABLE) {
        Ok(text) => text.parse().with_context(|| format!("{SECONDS_VARIABLE}={text} is no number of seconds"))?,
        Err(_) if ci => SECONDS_CI,
        Err(_) => SECONDS,
    };
    let mut wanted = Wanted { targets: Vec::new(), seconds, list: false, minimise: false, planted: false };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => wanted.seconds = rest.next().context(USAGE)?.parse().context(USAGE)?,
            "--list" => wanted.list = true,
            "--minimise" => wanted.minimise = true,
            "--planted" => wanted.planted = true,
            flag if flag.starts_with('-') => bail!(USAGE),
            name => wanted.targets.push(name.to_owned()),
        }
    }
    Ok(wanted)
}

/// The targets, by the folders of their corpora: a test of omni-fuzz holds these against its table.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in std::fs::read_dir(KEPT).with_context(|| format!("cannot read {KEPT}"))? {
        names.extend(folder?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// Builds the engine. Our own crates alone are built with coverage, by this program in the place of rustc; what they depend on
/// is optimised a little and otherwise what the tests and the simulation are built with, so that most of it is there already.
fn build() -> Result<PathBuf> {
    let own = own::program()?.display().to_string();
    let settings = optimised::words();
    let words = ["cargo", "build", "--bin", "omni-fuzz"].into_iter().chain(settings.iter().map(String::as_str));
    step::run(&words.collect::<Vec<_>>(), &[("RUSTC_WORKSPACE_WRAPPER", &own)])?;
    Ok(PathBuf::from("target/debug/omni-fuzz"))
}

/// What cargo calls in the place of rustc for our own crates: rustc with coverage. `None` where it is no such call.
pub(crate) fn rustc(arguments: &[String]) -> Option<Result<ExitCode>> {
    let (rustc, rest) = arguments.split_first()?;
    if Path::new(rustc).file_stem()? != "rustc" {
        return None;
    }
    let name = rest.windows(2).find(|pair| pair[0] == "--crate-name").map(|pair| pair[1].as_str());
    // Build scripts have no libFuzzer to count for, and questions about the compiler (`___`) are answered as they are.
    let counted = name.is_some_and(|name| name.starts_with("omni"));
    let mut command = Command::new(rustc);
    command.args(rest);
    if counted {
        command.args(COVERAGE.split_whitespace());
    }
    let status = command.status().context("cannot start rustc");
    Some(status.map(|status| if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// A target that runs.
struct Run {
    name: String,
    child: Child,
    log: PathBuf,
    until: Instant,
}

fn engine_command(engine: &Path, name: &str) -> Command {
    let mut command = step::command(&[&engine.display().to_string()]);
    command.env("OMNI_FUZZ_TARGET", name).stdin(Stdio::null());
    command
}

impl Run {
    fn start(engine: &Path, name: &str, seconds: u64) -> Result<Self> {
        let (growing, log) = (format!("{GROWING}/{name}"), PathBuf::from(format!("target/fuzz/{name}.log")));
        std::fs::create_dir_all(&growing)?;
        std::fs::create_dir_all(FAILED)?;
        let file = std::fs::File::create(&log)?;
        let child = engine_command(engine, name)
            .args([&growing, &format!("{KEPT}/{name}"), "-dict=fuzz/json.dict", "-timeout=10", "-rss_limit_mb=2048"])
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={FAILED}/{name}-"))
            .arg("-print_final_stats=1")
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", engine.display()))?;
        let until = Instant::now() + Duration::from_secs(seconds) + GRACE;
        Ok(Self { name: name.to_owned(), child, log, until })
    }

    /// Waits for its end and tells what it did; what went wrong, if anything did.
    fn finish(mut self) -> Result<Option<String>> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > self.until {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        let log = String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned();
        let executions = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units: "));
        let edges = log.rsplit("cov: ").next().and_then(|rest| rest.split(' ').next());
        let (executions, edges) = (executions.unwrap_or("?").trim(), edges.unwrap_or("?").trim());
        println!("{:<10} {executions:>10} executions, {edges:>6} edges: {status}", self.name);
        if status.success() {
            return Ok(None);
        }
        let said: Vec<&str> = log.lines().filter(|line| !line.starts_with('#')).collect();
        println!("{}", said[said.len().saturating_sub(40)..].join("\n"));
        Ok(Some(format!(
            "{}: {status}; the input is in {FAILED}. Once mended, it goes into {KEPT}/{} under a name that says what it was",
            self.name, self.name
        )))
    }
}

/// Plants a fault that eight certain bytes reach: it must be found, by what libFuzzer is told of comparisons and edges, be said,
/// and make the run fail.
fn planted(engine: &Path) -> Result<()> {
    let _none_yet = std::fs::remove_dir_all(PLANTED);
    std::fs::create_dir_all(PLANTED)?;
    let output = engine_command(engine, PLANTED_IN)
        .env("OMNI_FUZZ_PLANTED", "1")
        .args([&format!("-max_total_time={PLANTED_SECONDS}"), &format!("-artifact_prefix={PLANTED}/"), "-max_len=16"])
        .output()
        .with_context(|| format!("cannot start {}", engine.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let left = std::fs::read_dir(PLANTED)?.count();
    ensure!(
        !output.status.success() && said.contains(PLANTED_WORDS) && left > 0,
        "a fault that was planted was not found within {PLANTED_SECONDS} s, or not told: {}, {left} inputs left\n{said}",
        output.status
    );
    println!("a fault that was planted was found and told ({})", output.status);
    Ok(())
}

/// Puts what was reached since, as few and as small inputs as reach it, beside what is kept for good.
fn minimise(engine: &Path, name: &str) -> Result<()> {
    let (kept, growing) = (format!("{KEPT}/{name}"), format!("{GROWING}/{name}"));
    let merged = format!("target/fuzz/merged/{name}");
    let _none_yet = std::fs::remove_dir_all(&merged);
    std::fs::create_dir_all(&merged)?;
    std::fs::create_dir_all(&growing)?;
    let status = engine_command(engine, name)
        .args(["-merge=1", &format!("-max_len={KEPT_BYTES_MAX}"), &merged, &kept, &growing])
        .stderr(std::fs::File::create(format!("target/fuzz/{name}.log"))?)
        .status()?;
    ensure!(status.success(), "{name}: {status}");
    // What has a name was put there by hand, and stays; what libFuzzer named is replaced.
    let by_hand = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().contains('-'));
    for file in std::fs::read_dir(&kept)? {
        let path = file?.path();
        if !by_hand(&path) {
            std::fs::remove_file(path)?;
        }
    }
    let by_hand: Vec<Vec<u8>> =
        std::fs::read_dir(&kept)?.map(|file| std::fs::read(file?.path())).collect::<Result<_, _>>()?;
    let (mut files, mut bytes) = (0, 0);
    for file in std::fs::read_dir(&merged)? {
        let file = file?;
        let content = std::fs::read(file.path())?;
        if !by_hand.contains(&content) {
            bytes += content.len();
            files += 1;
            std::fs::write(format!("{kept}/{}", file.file_name().to_string_lossy()), content)?;
        }
    }
    println!("{name}: {files} inputs, {bytes} bytes, and {} by hand", by_hand.len());
    Ok(())
}
