//! VAL-1 and GW-3: from nothing to the first call in three commands, in an empty home.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::{fixture, hub::OMNI, processes};

const MARK: &str = "OMNI_E2E_MARK";

fn omni(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(OMNI);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home);
    command.current_dir(home.join("project")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// An empty home with a project in it, whose `.mcp.json` names one server.
fn project() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("project")).unwrap();
    let mark = home.path().file_name().unwrap().to_str().unwrap().to_owned();
    let entry = json!({ "command": fixture::program(), "args": ["bad", "hang"], "env": { MARK: mark } });
    let file = json!({ "mcpServers": { "mine": entry } });
    std::fs::write(home.path().join("project/.mcp.json"), file.to_string()).unwrap();
    (home, format!("{MARK}={mark}"))
}

#[test]
fn gw_3_run_import_call() {
    let (home, mark) = project();
    let imported = omni(home.path(), &["import"]);
    assert!(imported.status.success(), "{}", said(&imported));
    assert!(said(&imported).contains("1 added"), "{}", said(&imported));
    let called = omni(home.path(), &["call", "mine:echo", r#"{"text":"hello"}"#]);
    assert!(called.status.success(), "{}", said(&called));
    assert_eq!(String::from_utf8_lossy(&called.stdout), "hello\n");
    // The other spellings, and the answer for a program.
    let called = omni(home.path(), &["call", "mine__echo", "--arg", "text=hello", "--json"]);
    let whole: Value = serde_json::from_slice(&called.stdout).unwrap();
    assert_eq!(whole["content"][0]["text"], "hello");
    let tools = omni(home.path(), &["tools", "--json"]);
    assert!(said(&tools).contains("mine__echo"), "{}", said(&tools));
    let unknown = omni(home.path(), &["call", "mine:nothing"]);
    assert!(!unknown.status.success() && said(&unknown).contains("Unknown tool"), "{}", said(&unknown));
    assert_eq!(processes::marked(&mark), [], "a command left its server behind");
}

/// What a command keeps lies where `OMNI_DATA_DIR` says, as for the hub that runs.
#[test]
fn gw_3_commands_that_run_a_hub_of_their_own_keep_its_data_where_they_are_told_to() {
    let (home, mark) = project();
    assert!(omni(home.path(), &["import"]).status.success());
    let elsewhere = home.path().join("elsewhere");
    let mut command = Command::new(OMNI);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path());
    command.current_dir(home.path().join("project")).env("OMNI_DATA_DIR", &elsewhere);
    let called = command.args(["call", "mine:echo", r#"{"text":"hello"}"#]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&called.stdout), "hello\n", "{}", said(&called));
    assert!(elsewhere.join("hub.key").is_file(), "{}", said(&called));
    let mut command = Command::new(OMNI);
    command.env_clear().env("HOME", home.path()).env("OMNI_DATA_DIR", &elsewhere).arg("check");
    let checked = command.current_dir(home.path().join("project")).output().unwrap();
    assert!(said(&checked).contains(&format!("keeps its data in {}", elsewhere.display())), "{}", said(&checked));
    assert!(!home.path().join(".local/share/omni/hub.key").exists());
    assert_eq!(processes::marked(&mark), [], "a command left its server behind");
}

#[test]
fn val_1_commands_say_what_is_wrong_where_and_how_to_mend_it() {
    let (home, _) = project();
    std::fs::write(home.path().join("project/omni.yaml"), "servers:\n  mine:\n    comand: x\n").unwrap();
    let checked = omni(home.path(), &["check"]);
    let text = said(&checked);
    assert!(!checked.status.success(), "{text}");
    assert!(text.contains("omni.yaml:3") && text.contains("`command`"), "{text}");
    let served = omni(home.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(!served.status.success() && said(&served).contains("comand"), "{}", said(&served));
}
