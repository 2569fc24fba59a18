//! The life of a server as a process on real pipes (GW-3).

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Cargo puts examples beside the tests' directory.
fn builtin() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples/builtin");
    assert!(path.exists(), "{} is missing: build it with --examples or --all-targets", path.display());
    path
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(builtin());
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_process_answers_and_exits_promptly_when_its_input_ends() {
    let root = tempfile::tempdir().unwrap();
    let mut child = start(&["filesystem", "--root", root.path().to_str().unwrap()]);
    let mut stdin = child.stdin.take().unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}});
    writeln!(stdin, "{hello}").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(answer["result"]["serverInfo"]["name"], "omni-filesystem");
    let ended = Instant::now();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert!(ended.elapsed() < Duration::from_secs(2), "took {:?}", ended.elapsed());
    assert!(lines.next().is_none(), "nothing but answers on stdout");
}

#[test]
fn every_server_exits_when_its_input_ends_also_in_the_middle_of_a_call() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_str().unwrap().to_owned();
    git2::Repository::init(root.path()).unwrap();
    let database = root.path().join("a.db");
    rusqlite::Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    for arguments in [
        vec!["filesystem", "--root", &path],
        vec!["git", "--repository", &path],
        vec!["database", "--url", database.to_str().unwrap()],
    ] {
        let mut child = start(&arguments);
        let mut stdin = child.stdin.take().unwrap();
        let params = json!({"_meta": meta, "name": "read_query", "arguments": {"query": endless}});
        for (id, method) in [(1, "tools/call"), (2, "server/discover")] {
            writeln!(stdin, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).unwrap();
        }
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        let ended = Instant::now();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        assert!(ended.elapsed() < Duration::from_secs(4), "{arguments:?} took {:?}", ended.elapsed());
    }
}

#[test]
fn requests_sent_before_the_end_of_input_are_still_answered() {
    let root = tempfile::tempdir().unwrap();
    let mut child = start(&["filesystem", "--root", root.path().to_str().unwrap()]);
    let mut stdin = child.stdin.take().unwrap();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for id in 0..20 {
        let params = json!({"_meta": meta, "name": "list_directory", "arguments": {"path": "."}});
        writeln!(stdin, "{}", json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})).unwrap();
    }
    drop(stdin);
    let answers = BufReader::new(child.stdout.take().unwrap()).lines().count();
    assert!(child.wait().unwrap().success());
    assert_eq!(answers, 20);
}

#[test]
fn wrong_options_are_said_on_stderr_and_nothing_on_stdout() {
    for (arguments, complaint) in
        [(vec!["filesystem"], "--root"), (vec!["filesystem", "--root", "/no/such/directory"], "/no/such/directory")]
    {
        let output = start(&arguments).wait_with_output().unwrap();
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(complaint), "{arguments:?}: {stderr}");
    }
}
