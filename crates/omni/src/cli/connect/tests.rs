//! Each client's file as it really is, connected and taken back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cli::connect::change::{Change, connect, undo};
use crate::cli::connect::client::{Client, Scope};
use crate::cli::connect::{CLIENTS, ConnectArgs};
use crate::cli::context::Context;
use crate::cli::jsonc;
use crate::config::Surroundings;

/// `~/.claude.json`, shortened: the servers stand between members that are none of our business.
const CLAUDE_USER: &str = r#"{
  "numStartups": 184,
  "oauthAccount": {
    "emailAddress": "ada@example.com"
  },
  "mcpServers": {
    "github": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-github"],
      "env": {
        "GITHUB_TOKEN": "not-a-real-token"
      }
    }
  },
  "projects": {
    "/home/ada/work": {
      "allowedTools": [],
      "mcpServers": {},
      "bigNumber": 12345678901234567890123
    }
  }
}"#;

/// VS Code's, with comments, a trailing comma, tabs and CRLF.
const VSCODE: &str = "\u{feff}{\r\n\t// asked once\r\n\t\"inputs\": [\r\n\t\t{ \"id\": \"token\", \"type\": \"promptString\", \"password\": true },\r\n\t],\r\n\t\"servers\": {\r\n\t\t/* ours */\r\n\t\t\"github\": { \"url\": \"https://api.example.com/mcp/\" }, // remote\r\n\t},\r\n}\r\n";

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.cwd()).unwrap();
        home
    }

    fn cwd(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap().join("work")
    }

    fn around(&self) -> Surroundings {
        Surroundings::of_test(&self.0.path().canonicalize().unwrap(), &self.cwd())
    }

    fn context(&self) -> Context {
        Context { config: None, remote: None, around: self.around() }
    }

    fn write(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Files below the home, without directories.
    fn files(&self, folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<_> = entries
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn now(seconds: u64) -> Option<SystemTime> {
    Some(UNIX_EPOCH + Duration::from_secs(1_795_347_625 + seconds))
}

fn client(name: &str) -> &'static Client {
    CLIENTS.into_iter().find(|client| client.name == name).unwrap()
}

fn args(name: &str) -> ConnectArgs {
    ConnectArgs {
        client: name.to_owned(),
        url: None,
        name: "omni".to_owned(),
        stdio: false,
        scope: Scope::User,
        dry_run: false,
        undo: false,
        yes: true,
        data_dir: None,
    }
}

fn plan(args: &ConnectArgs, home: &Home) -> Change {
    args.plan(client(&args.client), &home.context(), None).unwrap()
}

fn entry_in(text: &str, container: &str) -> Value {
    jsonc::parse(text).unwrap().plain()[container]["omni"].clone()
}

#[test]
fn each_client_gets_its_own_form_in_its_own_place() {
    let home = Home::new();
    let url = "http://127.0.0.1:8420/mcp";
    let program = "/opt/omni/bin/omni";
    for (name, path, container, http, stdio) in [
        (
            "claude",
            ".claude.json",
            "mcpServers",
            json!({"type": "http", "url": url}),
            json!({"type": "stdio", "command": program, "args": ["stdio"]}),
        ),
        (
            "claude-desktop",
            ".config/Claude/claude_desktop_config.json",
            "mcpServers",
            json!({"command": program, "args": ["stdio"]}),
            json!({"command": program, "args": ["stdio"]}),
        ),
        (
            "cursor",
            ".cursor/mcp.json",
            "mcpServers",
            json!({"url": url}),
            json!({"type": "stdio", "command": program, "args": ["stdio"]}),
        ),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            "servers",
            json!({"type": "http", "url": url}),
            json!({"type": "stdio", "command": program, "args": ["stdio"]}),
        ),
        (
            "windsurf",
            ".codeium/windsurf/mcp_config.json",
            "mcpServers",
            json!({"serverUrl": url}),
            json!({"command": program, "args": ["stdio"]}),
        ),
    ] {
        let change = plan(&args(name), &home);
        assert_eq!(change.path, home.around().home.unwrap().join(path));
        assert_eq!(entry_in(change.after.as_deref().unwrap(), container), http, "{name}");
        let change = plan(&ConnectArgs { stdio: true, ..args(name) }, &home);
        assert_eq!(entry_in(change.after.as_deref().unwrap(), container), stdio, "{name}");
    }
}

#[test]
fn project_scope_is_for_those_that_have_one() {
    let home = Home::new();
    for (name, path) in [
        ("claude", Some(".mcp.json")),
        ("cursor", Some(".cursor/mcp.json")),
        ("vscode", Some(".vscode/mcp.json")),
        ("windsurf", None),
        ("claude-desktop", None),
    ] {
        let args = ConnectArgs { scope: Scope::Project, ..args(name) };
        match (path, args.plan(client(name), &home.context(), None)) {
            (Some(path), Ok(change)) => assert_eq!(change.path, home.cwd().join(path)),
            (None, Err(error)) => assert!(error.to_string().contains("--scope"), "{error}"),
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_address_and_the_file_come_from_the_configuration() {
    let home = Home::new();
    home.write(&home.cwd().join("omni.yaml"), "gateway: {listen: '127.0.0.1:9001'}\n");
    let change = plan(&args("cursor"), &home);
    assert_eq!(entry_in(change.after.as_deref().unwrap(), "mcpServers"), json!({"url": "http://127.0.0.1:9001/mcp"}));
    let change = plan(&args("claude-desktop"), &home);
    let file = home.cwd().join("omni.yaml").to_string_lossy().into_owned();
    assert_eq!(entry_in(change.after.as_deref().unwrap(), "mcpServers")["args"], json!(["stdio", "--config", file]));
}

#[test]
fn a_claude_file_keeps_every_other_byte_and_comes_back_by_undo() {
    let home = Home::new();
    let path = home.around().home.unwrap().join(".claude.json");
    home.write(&path, CLAUDE_USER);
    let change = plan(&args("claude"), &home);
    let preview = change.preview();
    assert!(preview.contains("+    \"omni\": {") && preview.contains("+      \"type\": \"http\","), "{preview}");
    assert!(!preview.contains("not-a-real-token"), "secrets around are not shown: {preview}");
    let backup = change.carry_out(now(0)).unwrap().unwrap();
    assert_eq!(fs::read_to_string(&backup).unwrap(), CLAUDE_USER);
    let text = fs::read_to_string(&path).unwrap();
    let ours =
        "    },\n    \"omni\": {\n      \"type\": \"http\",\n      \"url\": \"http://127.0.0.1:8420/mcp\"\n    }\n  },";
    assert_eq!(text, CLAUDE_USER.replace("    }\n  },\n  \"projects\"", &format!("{ours}\n  \"projects\"")));

    assert!(plan(&args("claude"), &home).is_empty(), "connected already");

    let change = plan(&ConnectArgs { undo: true, ..args("claude") }, &home);
    assert_eq!(change.remark, None);
    change.carry_out(None).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), CLAUDE_USER);
    assert_eq!(home.files(path.parent().unwrap()), [".claude.json"], "the backup is used up");
    assert!(plan(&ConnectArgs { undo: true, ..args("claude") }, &home).is_empty());
}

#[test]
fn comments_tabs_and_crlf_of_vs_code_stay() {
    let home = Home::new();
    let path = home.cwd().join(".vscode/mcp.json");
    home.write(&path, VSCODE);
    let project = ConnectArgs { scope: Scope::Project, ..args("vscode") };
    plan(&project, &home).carry_out(now(0)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    for kept in [
        "\u{feff}{\r\n\t// asked once\r\n",
        "/* ours */",
        "}, // remote\r\n\t\t\"omni\": {\r\n\t\t\t\"type\": \"http\",",
    ] {
        assert!(text.contains(kept), "{kept:?} is not in {text}");
    }
    plan(&ConnectArgs { undo: true, ..project }, &home).carry_out(None).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), VSCODE);
}

#[test]
fn a_file_that_changed_since_loses_only_our_entry() {
    let home = Home::new();
    let path = home.cwd().join(".mcp.json");
    home.write(&path, "{\n  \"mcpServers\": {\n    \"a\": {}\n  }\n}\n");
    let project = || ConnectArgs { scope: Scope::Project, ..args("claude") };
    plan(&project(), &home).carry_out(now(0)).unwrap();
    let theirs = fs::read_to_string(&path).unwrap().replace("\"a\": {}", "\"a\": {\"command\": \"x\"}");
    fs::write(&path, &theirs).unwrap();
    let change = plan(&ConnectArgs { undo: true, ..project() }, &home);
    let remark = change.remark.clone().unwrap();
    assert!(remark.contains("has changed since") && remark.contains("+    \"a\": {\"command\": \"x\"}"), "{remark}");
    change.carry_out(None).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"mcpServers\": {\n    \"a\": {\"command\": \"x\"}\n  }\n}\n");
    assert_eq!(home.files(&home.cwd()).len(), 2, "the backup stays, it was not used");
}

#[test]
fn a_file_we_made_goes_again() {
    let home = Home::new();
    let args = || args("windsurf");
    let change = plan(&args(), &home);
    assert!(change.preview().ends_with("(a new file)\n"));
    change.carry_out(now(0)).unwrap();
    let change = plan(&ConnectArgs { undo: true, ..args() }, &home);
    assert!(change.preview().contains("the file is removed"));
    change.carry_out(None).unwrap();
    assert_eq!(home.files(&home.around().home.unwrap().join(".codeium/windsurf")), [""; 0]);
}

#[test]
fn two_connects_are_undone_one_after_the_other() {
    let home = Home::new();
    let path = home.around().home.unwrap().join(".cursor/mcp.json");
    home.write(&path, "{}");
    plan(&args("cursor"), &home).carry_out(now(0)).unwrap();
    let first = fs::read_to_string(&path).unwrap();
    plan(&ConnectArgs { url: Some("http://localhost:1/mcp".to_owned()), ..args("cursor") }, &home)
        .carry_out(now(0))
        .unwrap();
    for expected in [first.as_str(), "{}"] {
        plan(&ConnectArgs { undo: true, ..args("cursor") }, &home).carry_out(None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    }
}

#[test]
fn awkward_files() {
    let home = Home::new();
    let path = home.cwd().join(".mcp.json");
    let member = ["mcpServers", "omni"];
    let entry = json!({"url": "http://x"});
    for text in [
        "",
        "  \n",
        "{}",
        "\u{feff}{}",
        "{\"other\": 1}",
        "{\"mcpServers\": {}}",
        "{\"mcpServers\": {\"a\": 1,},}",
        "// only this\n{}",
    ] {
        home.write(&path, text);
        let change = connect(path.clone(), &member, &entry).unwrap();
        let after = change.after.unwrap();
        assert_eq!(entry_in(&after, "mcpServers"), entry, "{text:?}");
        assert!(after.starts_with('\u{feff}') == text.starts_with('\u{feff}'));
    }
    for text in ["{\"mcpServers\": []}", "[]", "{", "{\"mcpServers\": {\"a\": nope}}", "not json"] {
        home.write(&path, text);
        let error = connect(path.clone(), &member, &entry).unwrap_err().to_string();
        assert!(error.contains("by hand") && error.contains("\"omni\""), "{error}");
    }
    fs::write(&path, b"{\"a\": \"\xff\"}").unwrap();
    assert!(connect(path.clone(), &member, &entry).is_err(), "not UTF-8");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(connect(path.clone(), &member, &entry).is_err(), "a directory");
    assert!(undo(home.cwd().join("none.json"), &member).unwrap().is_empty());
}

#[test]
fn a_file_changed_between_preview_and_writing_is_not_overwritten() {
    let home = Home::new();
    let path = home.cwd().join(".mcp.json");
    home.write(&path, "{}");
    let change = plan(&ConnectArgs { scope: Scope::Project, ..args("claude") }, &home);
    fs::write(&path, "{\"new\": 1}").unwrap();
    assert!(change.carry_out(now(0)).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"new\": 1}");
    assert_eq!(home.files(&home.cwd()), [".mcp.json"], "no backup of a change that did not happen");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let home = Home::new();
    let (real, link) = (home.cwd().join("dotfiles/mcp.json"), home.cwd().join(".mcp.json"));
    home.write(&real, "{}");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    plan(&ConnectArgs { scope: Scope::Project, ..args("claude") }, &home).carry_out(now(0)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("omni"));
    plan(&ConnectArgs { scope: Scope::Project, undo: true, ..args("claude") }, &home).carry_out(None).unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), "{}");
}

#[test]
fn auth_1_the_token_stands_among_the_headers_and_a_new_one_takes_its_place() {
    let home = Home::new();
    for name in ["claude", "cursor", "vscode", "windsurf"] {
        let container = client(name).container;
        let args = args(name);
        for token in ["one", "two"] {
            let change = args.plan(client(name), &home.context(), Some(token)).unwrap();
            change.carry_out(now(0)).unwrap();
            let entry = entry_in(change.after.as_deref().unwrap(), container);
            assert_eq!(entry["headers"], json!({"Authorization": format!("Bearer {token}")}), "{name}");
        }
    }
}
