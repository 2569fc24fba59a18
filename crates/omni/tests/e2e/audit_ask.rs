//! The audit log, asked by the commands of the real binary: on a log that the hub's own writer wrote.

use std::path::Path;
use std::process::{Command, Output};

use omni_audit::{Event, EventKind, LastingLog, LogSettings, Outcome, Sink as _, Who};
use omni_types::{Principal, ServerName};
use serde_json::Value;

use crate::harness::hub::OMNI;

fn omni(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(OMNI);
    command.env_clear().env("HOME", home).current_dir(home).arg("audit").args(arguments);
    command.args(["--dir", home.join("audit").to_str().unwrap()]);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Forty calls of ann's and bob's in turn, every fifth of them denied.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let (log, notices) = LastingLog::open(&LogSettings::new(home.path().join("audit"))).unwrap();
    assert_eq!(notices, [] as [String; 0]);
    let git = ServerName::parse("git").unwrap();
    for at in 0..40 {
        let outcome = if at % 5 == 0 { Outcome::Denied } else { Outcome::Success };
        let event = Event::new(EventKind::Call, "tools/call", outcome).on(Some(&git), format!("tool\u{1b}[2J{at}"));
        log.record(Who::from(&Principal::local(if at % 2 == 0 { "ann" } else { "bob" })), event);
    }
    log.close();
    home
}

#[test]
fn diag_3_the_log_is_asked_shown_and_exported() {
    let home = home();
    let asked = omni(home.path(), &["query", "--who", "ann", "--outcome", "denied", "--json"]);
    assert!(asked.status.success(), "{asked:?}");
    let events: Vec<Value> = text(&asked).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<u64> = events.iter().map(|event| event["index"].as_u64().unwrap()).collect();
    assert_eq!(found, [30, 20, 10, 0]);
    assert_eq!(text(&omni(home.path(), &["query", "who=local:bob", "--count"])), "20\n");
    let table = text(&omni(home.path(), &["query", "--limit", "3"]));
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        !table.contains('\u{1b}') && table.contains("\\u{1b}[2J39"),
        "what strangers wrote moves the cursor: {table}"
    );
    let shown = omni(home.path(), &["show", "7", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&shown["event"]["principal"], &shown["proof"]["proven"]), (&Value::from("bob"), &Value::from(true)));
    assert_eq!(shown["around"].as_array().map(Vec::len), Some(4));
    let tail = text(&omni(home.path(), &["tail", "--no-follow", "-n", "2", "--json"]));
    assert!(tail.lines().next().is_some_and(|line| line.contains("\"index\":38")), "{tail}");
    let wrong = omni(home.path(), &["query", "whom=ann"]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("no field `whom`"), "{wrong:?}");
    assert_eq!(text(&omni(home.path(), &["export", "--format", "cef"])).lines().count(), 40);
}

#[test]
fn shb_4_whoever_has_the_public_key_verifies_and_checks_proofs() {
    let home = home();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let whole =
        omni(home.path(), &["verify", "--key", &path("audit/log.vkey"), "--witness", &path("audit/checkpoint")]);
    assert!(whole.status.success() && text(&whole).contains("The log is whole"), "{whole:?}");
    let proven = omni(home.path(), &["prove", "11", "-o", &path("proof")]);
    assert!(proven.status.success(), "{proven:?}");
    let check =
        |key: &str| Command::new(OMNI).args(["audit", "check-proof", &path("proof"), "--key", key]).output().unwrap();
    let checked = check(&path("audit/log.vkey"));
    assert!(checked.status.success() && text(&checked).starts_with("proven: record 11 "), "{checked:?}");
    let tiles = omni(home.path(), &["export", "--tiles", &path("tiles")]);
    assert!(tiles.status.success() && home.path().join("tiles/tile/entries/000.p/40").exists(), "{tiles:?}");
    // A new key: the one before is still good for what it signed, and vouches for the new one.
    let old = std::fs::read_to_string(home.path().join("audit/log.vkey")).unwrap();
    let rotated = omni(home.path(), &["rotate-key", "signing"]);
    assert!(rotated.status.success(), "{rotated:?}");
    let by_old = omni(home.path(), &["verify", "--key", old.trim()]);
    assert!(by_old.status.success(), "{by_old:?}");
    assert!(!check(text(&rotated).trim()).status.success(), "the new key did not sign it");
    // One byte of one record.
    let day = std::fs::read_dir(home.path().join("audit/log")).unwrap().next().unwrap().unwrap().path();
    let segment = std::fs::read_dir(day).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let changed = omni(home.path(), &["verify"]);
    assert_eq!(changed.status.code(), Some(1), "{changed:?}");
    assert!(text(&changed).contains("FAULT") && text(&changed).contains("NOT as it was signed"), "{changed:?}");
}
