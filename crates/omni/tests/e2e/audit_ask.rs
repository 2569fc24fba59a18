//! The audit log, asked by the commands of the real binary: on a log that the hub's own writer wrote.

use std::path::Path;
use std::process::{Command, Output};

use omni_audit::{Event, EventKind, LastingLog, LogSettings, Outcome, Sink as _, Who};
use omni_types::{Principal, ServerName};
use serde_json::Value;

use crate::harness::hub::OMNI;
use crate::harness::peers::Peers;

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

/// The program that docs/AUDIT.md gives to auditors, as it stands there.
fn program() -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/AUDIT.md")).unwrap();
    let (_, rest) = page.split_once("```python\n").unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn shb_4_an_auditor_checks_a_proof_with_python_alone() {
    let Some(peers) = Peers::find() else { return };
    let home = home();
    let path = |name: &str| home.path().join(name);
    std::fs::write(path("check.py"), program()).unwrap();
    let check = |proof: &str, keys: &Path| {
        Command::new(&peers.python).arg(path("check.py")).arg(path(proof)).arg(keys).output().unwrap()
    };
    for record in ["0", "11", "39"] {
        let proven = omni(home.path(), &["prove", record, "-o", path("proof").to_str().unwrap()]);
        assert!(proven.status.success(), "{proven:?}");
        let checked = check("proof", &path("audit/log.vkey"));
        assert!(checked.status.success(), "{checked:?}");
        assert!(text(&checked).starts_with(&format!("record {record} is in omni-mcp-hub/audit/")), "{checked:?}");
    }
    // Another log's key, another record, another number.
    let other = self::home();
    assert!(!check("proof", &other.path().join("audit/log.vkey")).status.success());
    let proof = std::fs::read_to_string(path("proof")).unwrap();
    for (from, to) in [("index 39\n", "index 38\n"), ("extra A", "extra B"), ("\n40\n", "\n41\n")] {
        assert!(proof.contains(from), "{proof}");
        std::fs::write(path("changed"), proof.replace(from, to)).unwrap();
        let checked = check("changed", &path("audit/log.vkey"));
        assert!(!checked.status.success(), "{to}: {checked:?}");
    }
}

#[test]
fn ret_1_nothing_is_deleted_before_its_time() {
    let home = home();
    let pruned = |arguments: &[&str]| omni(home.path(), &[&["prune"], arguments].concat());
    let asked = pruned(&["--dry-run"]);
    assert!(asked.status.success() && text(&asked).starts_with("Nothing is due."), "{asked:?}");
    let refused = pruned(&["--before", "9999-01-01"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("is to be kept until"), "{refused:?}");
    std::fs::write(home.path().join("audit/hold"), "a case").unwrap();
    let held = pruned(&[]);
    assert!(!held.status.success() && String::from_utf8_lossy(&held.stderr).contains("legal hold"), "{held:?}");
    assert_eq!(text(&omni(home.path(), &["query", "--count"])), "40\n");
}

#[test]
fn shb_4_keys_of_a_log_that_a_hub_writes_are_changed_by_nobody_else() {
    let home = home();
    let (log, _) = LastingLog::open(&LogSettings::new(home.path().join("audit"))).unwrap();
    for arguments in [&["rotate-key", "signing"][..], &["rotate-key", "encryption"]] {
        let refused = omni(home.path(), arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("stop it, rotate, start it again"), "{said}");
    }
    log.close();
}
