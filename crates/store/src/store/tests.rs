//! Tests of the database as a file: what was answered "kept" stands there after a kill, a full disk and a restart.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{FILE, Store};
use crate::error::StoreError;
use crate::tables::{ApiKeyRow, Page, RevocationRow};

/// Names the folder to a test that is run as another process.
const FOLDER: &str = "OMNI_STORE_TEST_FOLDER";

fn key(id: &str) -> ApiKeyRow {
    ApiKeyRow {
        id: id.to_owned(),
        digest: "0".repeat(64),
        name: "ci".to_owned(),
        owner: "ann".to_owned(),
        tenant: None,
        grants: "{}".to_owned(),
        created_at: 1,
        created_by: "ann".to_owned(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

fn revocation(at: i64) -> RevocationRow {
    RevocationRow {
        id: format!("r{at}"),
        kind: "jti".to_owned(),
        issuer: String::new(),
        value: format!("token-{at}"),
        reason: "x".repeat(200),
        revoked_at: at,
        revoked_by: "ann".to_owned(),
        until_at: None,
    }
}

async fn all_revocations(store: &Store) -> Vec<RevocationRow> {
    let mut all: Vec<RevocationRow> = Vec::new();
    loop {
        let after = all.last().map(|row| (row.revoked_at, row.id.clone()));
        let page = store.revocations(&Page { after, limit: 100 }).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test]
async fn auth_4_what_is_kept_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    assert!(!store.exists());
    let before = store.stamp();
    store.add_api_key(&key("a"), &[]).await.unwrap();
    assert!(store.exists() && store.stamp() != before);
    store.add_api_key(&key("b"), &[("a".to_owned(), 7)]).await.unwrap();
    assert!(matches!(store.add_api_key(&key("b"), &[]).await, Err(StoreError::Exists)));
    assert!(store.revoke_api_key("b", 9).await.unwrap() && !store.revoke_api_key("b", 10).await.unwrap());
    store.touch_api_keys(&[("a".to_owned(), 5)]).await.unwrap();
    store.touch_api_keys(&[("a".to_owned(), 4)]).await.unwrap();
    store.close().await;

    let store = Store::at(folder.path());
    let keys = store.api_keys(&Page::default()).await.unwrap();
    let told: Vec<_> = keys.iter().map(|k| (k.id.as_str(), k.expires_at, k.revoked_at, k.last_used_at)).collect();
    assert_eq!(told, [("a", Some(7), None, Some(5)), ("b", None, Some(9), None)]);
    let health = store.check().await.unwrap();
    assert!(health.problems.is_empty() && health.steps.iter().all(|step| step.applied), "{health:?}");
    assert_eq!(store.forget_api_keys(8).await.unwrap(), 1);
}

#[tokio::test]
async fn auth_4_the_same_thing_revoked_again_is_revoked_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let mut row = RevocationRow { until_at: Some(50), ..revocation(1) };
    store.add_revocation(&row).await.unwrap();
    row = RevocationRow { id: "again".to_owned(), revoked_at: 2, ..row };
    store.add_revocation(&row).await.unwrap();
    assert_eq!(all_revocations(&store).await, [row]);
    assert_eq!(store.forget_revocations(50).await.unwrap(), 0);
    assert_eq!(store.forget_revocations(51).await.unwrap(), 1);
    assert!(!store.remove_revocation("again").await.unwrap());
}

#[tokio::test]
async fn a_file_of_another_program_and_a_damaged_one_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    let other = Store::at(&foreign);
    crate::file::secure(other.path()).unwrap();
    let mut connection = other.connect().await.unwrap();
    sqlx::query("CREATE TABLE theirs (x BIGINT)").execute(&mut connection).await.unwrap();
    drop(connection);
    assert!(matches!(other.open().await, Err(StoreError::NotOurs(_))));

    let store = Store::at(folder.path());
    for at in 0..200 {
        store.add_revocation(&revocation(at)).await.unwrap();
    }
    store.close().await;
    let file = folder.path().join(FILE);
    let whole = std::fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let (from, to) = (4096 * 2, bytes.len());
    bytes[from..to].fill(0xa5);
    std::fs::write(&file, &bytes).unwrap();
    let store = Store::at(folder.path());
    let read = store.revocations(&Page::default()).await;
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    let checked = Store::at(folder.path()).check().await;
    assert!(checked.map_or(true, |health| !health.problems.is_empty()));

    std::fs::write(&file, b"this is a text and no database, although it is long enough to be one".repeat(90)).unwrap();
    let refused = Store::at(folder.path()).open().await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("put back a copy"), "{refused}");
}

#[tokio::test]
async fn two_hubs_of_one_folder_write_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Store::at(folder.path()), Store::at(folder.path()));
    let write = async |store: &Store, from: i64| {
        for at in from..from + 50 {
            store.add_revocation(&revocation(at)).await.unwrap();
        }
    };
    tokio::join!(write(&one, 0), write(&other, 1_000));
    assert_eq!(all_revocations(&one).await.len(), 100);
    assert_eq!(all_revocations(&other).await.len(), 100);
}

/// This test's own program, running `test` alone with `folder`; `before` is what a shell does first.
fn child(test: &str, folder: &Path, before: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$0\" --exact {test} --ignored --nocapture")]);
    command.arg(std::env::current_exe().unwrap()).env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Not a test by itself: writes until it is killed or refused, and says on standard output what was kept.
#[tokio::test]
#[ignore = "run by the tests below, in a process of its own"]
async fn writes_until_its_end() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Store::at(Path::new(&folder));
    for at in 0..20_000 {
        match store.add_revocation(&revocation(at)).await {
            Ok(()) => eprintln_kept(&format!("kept {at}")),
            Err(error) => {
                eprintln_kept(&format!("refused {error}"));
                let read = store.revocations(&Page { after: None, limit: 1 }).await;
                eprintln_kept(&format!("read {}", read.map_or(0, |rows| rows.len())));
                return;
            }
        }
    }
}

fn eprintln_kept(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

const CHILD: &str = "store::tests::writes_until_its_end";

#[tokio::test]
async fn auth_4_what_was_answered_as_kept_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = -1;
    for round in 1..=3 {
        let mut child = child(CHILD, folder.path(), "").spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 60 * round {
            let line = lines.next().expect("the child writes on").unwrap();
            if let Some(at) = line.strip_prefix("kept ") {
                kept = kept.max(at.parse::<i64>().unwrap());
                seen += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was on its way when the kill came.
        for line in lines.map_while(Result::ok) {
            kept = line.strip_prefix("kept ").map_or(kept, |at| kept.max(at.parse().unwrap()));
        }
        let store = Store::at(folder.path());
        let there: std::collections::HashSet<i64> =
            all_revocations(&store).await.iter().map(|row| row.revoked_at).collect();
        let lost: Vec<i64> = (0..=kept).filter(|at| !there.contains(at)).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?} of {kept}");
        assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
        store.close().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_costs_nothing_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    // Files of at most 1024 blocks of 512 or 1024 bytes, and no signal for going over it: the write fails instead.
    let output = child(CHILD, folder.path(), "trap '' XFSZ; ulimit -f 1024;").output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let kept: Vec<i64> =
        told.lines().filter_map(|line| line.strip_prefix("kept ")).map(|at| at.parse().unwrap()).collect();
    assert!(kept.len() > 10, "{told}");
    assert!(told.contains("refused there is no room"), "{told}");
    assert!(told.contains("read 1"), "reading goes on: {told}");
    let store = Store::at(folder.path());
    let there = all_revocations(&store).await.len();
    assert!(there >= kept.len(), "{there} of {}", kept.len());
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
    store.add_revocation(&revocation(1_000_000)).await.unwrap();
}
