//! Processes that write and are killed at points of chance: strict loses nothing that it acknowledged, fast no more than it
//! states, and the log verifies and goes on each time. `OMNI_AUDIT_KILLS=1000` kills that often.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::faults::Chance;
use super::{Durability, LastingLog, event, names, read, settings, text, who, write};
use crate::record::Value;
use crate::sink::Sink;
use crate::verify::{VerifyOptions, verify};

/// Where the process that is killed writes: a test runs itself once more, and finds this set.
const CHILD: &str = "OMNI_AUDIT_CRASH_DIRECTORY";
const ROUND: &str = "OMNI_AUDIT_CRASH_ROUND";
/// How often each mode's process is killed.
const KILLS: &str = "OMNI_AUDIT_KILLS";
const KILLS_IN_CI: u64 = 15;
/// Kills of one log: then a new one is begun, since each is read whole after each kill.
const KILLS_A_LOG: u64 = 8;
const WRITERS: usize = 8;
const FAST_QUEUE: usize = 64;

fn kills() -> u64 {
    env::var(KILLS).ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS_IN_CI)
}

fn crash_settings(directory: &Path, durability: Durability) -> crate::LogSettings {
    let mut settings = settings(directory, durability);
    settings.queue_records_max = FAST_QUEUE;
    // Many segments and checkpoints, so that kills fall within those too.
    settings.segment_bytes_max = 60_000;
    settings.checkpoint_every = Duration::from_millis(2);
    settings
}

/// The process that is killed. It ends of itself when the test that started it has gone, which its input tells.
fn child(directory: &Path, strict: bool) {
    let round = env::var(ROUND).unwrap();
    thread::spawn(|| {
        let _gone = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let said = OpenOptions::new().append(true).create(true).open(directory.join("said")).unwrap();
    let durability = if strict { Durability::Strict } else { Durability::Fast };
    let log = LastingLog::open(&crash_settings(directory, durability)).unwrap().0;
    if strict {
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (log, said, round) = (&log, &said, &round);
                scope.spawn(move || strictly(log, said, &format!("{round}-{writer}")));
            }
        });
    } else {
        fast(&log, &said, &round);
    }
}

fn say(mut said: &File, name: &str) {
    said.write_all(format!("{name}\n").as_bytes()).unwrap();
}

fn strictly(log: &LastingLog, said: &File, writer: &str) {
    for at in 0.. {
        let name = format!("{writer}-{at}");
        write(log, "ann", name.clone()).unwrap();
        say(said, &name);
    }
}

/// Says what was taken, and never what was shed: that is counted in the log itself.
fn fast(log: &LastingLog, said: &File, round: &str) {
    let (mut at, mut shed) = (0_u64, 0);
    loop {
        let name = format!("{round}-{at}");
        log.record(who("ann"), event(name.clone()));
        match log.health().shed {
            same if same == shed => {
                say(said, &name);
                at += 1;
            }
            more => {
                shed = more;
                thread::yield_now();
            }
        }
    }
}

/// Starts the test of this name once more, as the process that is killed.
fn start(test: &str, directory: &Path, round: u64) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    Command::new(env::current_exe().unwrap())
        .args([&format!("{module}::{test}"), "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .env(ROUND, round.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lines that were said whole.
fn said(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("said")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    whole.lines().map(str::to_owned).collect()
}

/// Runs a process until it said so much more, and kills it a little later.
fn kill(test: &str, directory: &Path, round: u64, chance: &mut Chance) {
    let length = || fs::metadata(directory.join("said")).map_or(0, |file| file.len());
    let mut process = start(test, directory, round);
    // Now and then while it starts; else under load.
    let until = if chance.one_in(6) { 0 } else { length() + 1 + chance.below(12_000) };
    while length() < until {
        assert_eq!(process.try_wait().unwrap(), None, "it ended of itself");
        thread::sleep(Duration::from_micros(300));
    }
    thread::sleep(Duration::from_micros(chance.below(if until == 0 { 60_000 } else { 3_000 })));
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Verifies the log as it was left, opens it as the next start does, and verifies it again.
fn goes_on(directory: &Path) {
    let whole = || {
        let outcome = verify(&directory.join("audit"), &VerifyOptions::default()).unwrap();
        assert_eq!(outcome.findings, []);
        outcome
    };
    // Killed before there was a first checkpoint, there is nothing to hold it against yet.
    if directory.join("audit/checkpoint").exists() {
        whole();
    }
    let (log, _) = LastingLog::open(&crash_settings(directory, Durability::Strict)).unwrap();
    write(&log, "bob", "after").unwrap();
    log.close();
    let outcome = whole();
    assert_eq!(outcome.signed, outcome.size);
}

#[test]
fn ret_1_strict_loses_nothing_that_it_acknowledged_however_often_it_is_killed() {
    if let Some(directory) = env::var_os(CHILD) {
        return child(Path::new(&directory), true);
    }
    let (mut chance, mut acknowledged, mut unsaid) = (Chance::of_now(), 0, 0);
    let mut directory = tempfile::tempdir().unwrap();
    for round in 0..kills() {
        if round % KILLS_A_LOG == 0 {
            directory = tempfile::tempdir().unwrap();
        }
        let before = said(directory.path()).len();
        let test = "ret_1_strict_loses_nothing_that_it_acknowledged_however_often_it_is_killed";
        kill(test, directory.path(), round, &mut chance);
        goes_on(directory.path());
        let mut there = names(&read(directory.path()));
        there.retain(|name| name != "after");
        let written = there.len();
        there.sort_unstable();
        there.dedup();
        assert_eq!(there.len(), written, "a record stands there twice");
        let said = said(directory.path());
        for name in &said {
            assert!(there.binary_search(name).is_ok(), "{name} was acknowledged and is lost (seed {})", chance.seed);
        }
        // Of each writer at most the one that it waited for when it was killed.
        let killed = usize::try_from(round % KILLS_A_LOG).unwrap() + 1;
        assert!(written <= said.len() + WRITERS * killed, "{written} are there, {} were acknowledged", said.len());
        (acknowledged, unsaid) = (acknowledged + said.len() - before, written - said.len());
    }
    eprintln!("{} kills: {acknowledged} acknowledged, 0 lost; {unsaid} unacknowledged in the last log", kills());
}

#[test]
fn ret_1_fast_loses_no_more_than_twice_its_queue_however_often_it_is_killed() {
    if let Some(directory) = env::var_os(CHILD) {
        return child(Path::new(&directory), false);
    }
    let (mut chance, mut taken, mut most) = (Chance::of_now(), 0, 0);
    for round in 0..kills() {
        let directory = tempfile::tempdir().unwrap();
        let test = "ret_1_fast_loses_no_more_than_twice_its_queue_however_often_it_is_killed";
        kill(test, directory.path(), round, &mut chance);
        goes_on(directory.path());
        let records = read(directory.path());
        let mut there = names(&records);
        there.retain(|name| name != "after");
        let expected: Vec<String> = (0..there.len()).map(|at| format!("{round}-{at}")).collect();
        assert_eq!(there, expected, "in order, without a gap (seed {})", chance.seed);
        let said = said(directory.path()).len();
        let lost = said.saturating_sub(there.len());
        assert!(lost <= 2 * FAST_QUEUE, "{lost} of {said} are lost (seed {})", chance.seed);
        assert!(there.len() <= said + 1, "{} are there, {said} were taken", there.len());
        // What did not fit is counted where it would stand.
        for record in records.iter().filter(|record| text(record, "action").as_deref() == Some("log/shed")) {
            let count = record.fields.iter().find(|field| field.name == "count").map(|field| &field.value);
            assert!(matches!(count, Some(Value::Number(1..))), "{count:?}");
        }
        (taken, most) = (taken + said, most.max(lost));
    }
    eprintln!("{} kills: {taken} taken, at most {most} lost at once, {} stated", kills(), 2 * FAST_QUEUE);
}
