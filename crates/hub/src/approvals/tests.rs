//! Tests of approvals: one word for one call, bounded in number and time, kept.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use omni_store::{Page, Store};
use omni_types::Principal;

use super::{ApprovalError, Approvals, Asked, Verdict, WAITING_OF_ONE_MAX};

fn asked(who: &str, wait: Duration) -> Asked {
    Asked {
        principal: Principal::local(who),
        action: "tools/call".to_owned(),
        server: "files".to_owned(),
        name: "delete".to_owned(),
        arguments: "{\"path\":\"ä\"}".to_owned(),
        arguments_sha256: [7; 32],
        policy: "ask-first".to_owned(),
        reason: "it deletes".to_owned(),
        wait,
    }
}

const LONG: Duration = Duration::from_secs(600);

fn approved() -> Verdict {
    Verdict::Approved { by: "local:ada".to_owned() }
}

#[tokio::test]
async fn tool_7_one_word_is_for_one_call_and_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::at(folder.path());
    let approvals = Approvals::default();
    approvals.keep_in(store.clone());
    let (one, other) =
        (approvals.ask(asked("ann", LONG)).await.unwrap(), approvals.ask(asked("ann", LONG)).await.unwrap());
    assert_ne!(one.id(), other.id());
    assert_eq!(approvals.waiting().len(), 2);
    let id = one.id().to_owned();
    let row = approvals.decide(&id, approved()).await.unwrap();
    assert_eq!((row.state.as_str(), row.decided_by.as_deref()), ("approved", Some("local:ada")));
    assert_eq!(one.verdict().await, approved());
    assert!(matches!(approvals.decide(&id, approved()).await, Err(ApprovalError::Unknown(_))), "the first word counts");
    let denied = Verdict::Denied { by: "local:ada".to_owned(), note: Some("no".to_owned()) };
    approvals.decide(other.id(), denied.clone()).await.unwrap();
    assert_eq!(other.verdict().await, denied);
    assert!(approvals.waiting().is_empty());
    let kept = store.approvals(None, &Page::default()).await.unwrap();
    let mut states: Vec<&str> = kept.iter().map(|row| row.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["approved", "denied"]);
    assert!(kept.iter().all(|row| row.arguments_digest == "07".repeat(32)));
}

#[tokio::test]
async fn tool_7_nobody_waits_for_ever_and_who_left_is_not_waited_for() {
    let approvals = Approvals::default();
    let pending = approvals.ask(asked("ann", Duration::from_millis(1))).await.unwrap();
    assert_eq!(pending.verdict().await, Verdict::Expired);
    let pending = approvals.ask(asked("ann", LONG)).await.unwrap();
    let id = pending.id().to_owned();
    drop(pending);
    assert!(approvals.waiting().is_empty());
    assert!(matches!(approvals.decide(&id, approved()).await, Err(ApprovalError::Unknown(_))));
}

#[tokio::test]
async fn one_caller_cannot_fill_the_table_for_others() {
    let approvals = Approvals::default();
    let mut held = Vec::new();
    for _ in 0..WAITING_OF_ONE_MAX {
        held.push(approvals.ask(asked("ann", LONG)).await.unwrap());
    }
    assert!(matches!(approvals.ask(asked("ann", LONG)).await, Err(ApprovalError::Full(_))));
    approvals.ask(asked("bob", LONG)).await.unwrap();
    held.pop();
    approvals.ask(asked("ann", LONG)).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(omni_store::FILE), "no database").unwrap();
    let approvals = Approvals::default();
    approvals.keep_in(Store::at(folder.path()));
    assert!(matches!(approvals.ask(asked("ann", LONG)).await, Err(ApprovalError::Store(_))));
    assert!(approvals.waiting().is_empty());
}
