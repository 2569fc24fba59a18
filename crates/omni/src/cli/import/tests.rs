//! What people's files really hold, imported into a home of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::import::{ImportArgs, Report};
use crate::cli::own_file::OwnFile;
use crate::config::{self, Surroundings};

const CLAUDE_USER: &str = r#"{
  "numStartups": 3,
  "mcpServers": {
    "github": {"type": "stdio", "command": "npx", "args": ["-y", "@modelcontextprotocol/server-github"], "env": {"GITHUB_TOKEN": "ghp_secretvalue"}},
    "linear": {"type": "sse", "url": "https://mcp.linear.app/sse"},
    "omni": {"type": "http", "url": "http://127.0.0.1:8420/mcp"}
  },
  "projects": {
    "CWD": {"mcpServers": {"local": {"command": "./run.sh"}}, "disabledMcpjsonServers": ["refused"]},
    "/elsewhere": {"mcpServers": {"other": {"command": "x"}}}
  }
}"#;

const CLAUDE_PROJECT: &str = r#"{"mcpServers": {
  "api": {"type": "http", "url": "${API_BASE:-https://api.example.com}/mcp", "headers": {"Authorization": "Bearer ${API_KEY}"}},
  "refused": {"command": "x"}
}}"#;

const VSCODE: &str = "\u{feff}{\r\n  // comment\r\n  \"inputs\": [{\"type\": \"promptString\", \"id\": \"perplexity-key\", \"password\": true}],\r\n  \"servers\": {\r\n    \"My Perplexity\": {\"type\": \"stdio\", \"command\": \"npx\", \"args\": [\"-y\", \"server-perplexity\"], \"env\": {\"KEY\": \"${input:perplexity-key}\"}, \"envFile\": \"${workspaceFolder}/.env\",},\r\n    \"fetch\": {\"command\": \"uvx\", \"args\": [\"mcp-server-fetch\", \"${workspaceFolder}/x\"]},\r\n  },\r\n}\r\n";

const CURSOR: &str = r#"{"mcpServers": {
  "fetch": {"command": "uvx", "args": ["mcp-server-fetch"]},
  "remote": {"url": "https://mcp.example.com/mcp", "headers": {"X-Key": "${env:SET}"}}
}}"#;

const WINDSURF: &str = r#"{"mcpServers": {"remote": {"serverUrl": "https://other.example.com/mcp", "disabledTools": ["a"]}, "off": {"command": "x", "disabled": true}}}"#;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.cwd()).unwrap();
        home
    }

    fn home(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    fn cwd(&self) -> PathBuf {
        self.home().join("work")
    }

    fn context(&self) -> Context {
        Context {
            config: None,
            remote: None,
            around: Surroundings::of_test(&self.home(), &self.cwd()).with("SET", "x"),
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.home().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Imports and writes; name, file, status of each, then what omni.yaml holds.
    fn import(&self, args: ImportArgs) -> (Vec<(String, String, String)>, Report, Value) {
        let context = self.context();
        let mut own = OwnFile::open(&context).unwrap();
        let report = args.import(&context, &mut own).unwrap();
        own.save().unwrap();
        let servers = own.servers().unwrap().into_iter().collect::<serde_json::Map<_, _>>();
        let rows = report.rows.iter().map(|(from, row)| (row.name.clone(), from.clone(), row.status.clone())).collect();
        (rows, report, Value::Object(servers))
    }
}

fn all() -> ImportArgs {
    ImportArgs { files: Vec::new(), dry_run: false, from: None }
}

fn of(files: &[&str]) -> ImportArgs {
    ImportArgs { files: files.iter().map(PathBuf::from).collect(), ..all() }
}

fn statuses(rows: &[(String, String, String)]) -> Vec<String> {
    rows.iter().map(|(name, from, status)| format!("{name} | {from} | {status}")).collect()
}

#[test]
fn every_client_s_servers_come_together_once() {
    let home = Home::new();
    let cwd = home.cwd().to_string_lossy().into_owned();
    home.write(".claude.json", &CLAUDE_USER.replace("CWD", &cwd));
    home.write("work/.mcp.json", CLAUDE_PROJECT);
    home.write("work/.vscode/mcp.json", VSCODE);
    home.write(".cursor/mcp.json", CURSOR);
    home.write(".codeium/windsurf/mcp_config.json", WINDSURF);
    home.write(".config/Claude/claude_desktop_config.json", "");
    let (rows, report, servers) = home.import(all());
    assert_eq!(
        statuses(&rows),
        [
            "api | .mcp.json | added; disabled until API_KEY is set",
            "refused | .mcp.json | skipped: disabled in Claude Code",
            "local | ~/.claude.json | added",
            "github | ~/.claude.json | added",
            "linear | ~/.claude.json | added",
            "omni | ~/.claude.json | skipped: is this hub itself",
            "fetch | ~/.cursor/mcp.json | added",
            "remote | ~/.cursor/mcp.json | added",
            "My Perplexity | .vscode/mcp.json | added as My-Perplexity: the name is not valid here; disabled until PERPLEXITY_KEY is set",
            "fetch | .vscode/mcp.json | added as fetch-vscode: the name is taken",
            "remote | ~/.codeium/windsurf/mcp_config.json | added as remote-windsurf: the name is taken",
            "off | ~/.codeium/windsurf/mcp_config.json | skipped: disabled there",
        ]
    );
    assert_eq!(
        servers["api"],
        json!({"url": "${ENV:API_BASE:-https://api.example.com}/mcp", "headers": {"Authorization": "Bearer ${ENV:API_KEY}"}, "disabled": true})
    );
    assert_eq!(servers["remote"]["headers"]["X-Key"], "${ENV:SET}");
    assert_eq!(servers["local"], json!({"command": "./run.sh"}), "the file is in the same directory");
    assert_eq!(servers["fetch-vscode"]["args"][1], json!(format!("{cwd}/x")));
    let notes: Vec<String> =
        report.notes.iter().cloned().chain(report.rows.iter().flat_map(|(_, row)| row.notes.clone())).collect();
    let notes = notes.join("\n");
    for part in [
        "inputs (perplexity-key)",
        "not imported: envFile",
        "not imported: disabledTools",
        "env.GITHUB_TOKEN looks like a secret",
        "needs API_KEY",
    ] {
        assert!(notes.contains(part), "{part} is not in {notes}");
    }
    assert!(!notes.contains("ghp_secretvalue"), "a value is never shown");
    // What was written is a right configuration.
    config::load(&home.cwd().join("omni.yaml"), &home.context().around).unwrap();
    // Once more, nothing is new.
    let (rows, _, again) = home.import(all());
    assert_eq!(again, servers);
    assert!(
        rows.iter().all(|(_, _, status)| status.starts_with("already there") || status.starts_with("skipped")),
        "{rows:?}"
    );
}

#[test]
fn of_one_client_the_most_specific_entry_counts() {
    let home = Home::new();
    let cwd = home.cwd().to_string_lossy().into_owned();
    let user = json!({
        "mcpServers": {"a": {"command": "user"}, "b": {"command": "user"}, "c": {"command": "user"}},
        "projects": {cwd: {"mcpServers": {"a": {"command": "local"}}}}
    });
    home.write(".claude.json", &user.to_string());
    home.write("work/.mcp.json", r#"{"mcpServers": {"a": {"command": "project"}, "b": {"command": "project"}}}"#);
    home.write(".cursor/mcp.json", r#"{"mcpServers": {"a": {"command": "cursor"}}}"#);
    let (rows, _, servers) = home.import(all());
    assert_eq!(
        statuses(&rows),
        [
            "a | .mcp.json | skipped: overridden by the entry for this directory in ~/.claude.json",
            "b | .mcp.json | added",
            "a | ~/.claude.json | added",
            "a | ~/.claude.json | skipped: overridden by the entry before",
            "b | ~/.claude.json | skipped: overridden by the entry before",
            "c | ~/.claude.json | added",
            "a | ~/.cursor/mcp.json | added as a-cursor: the name is taken",
        ]
    );
    assert_eq!(servers["a"]["command"], "local");
}

#[test]
fn what_cannot_be_edited_is_given_to_the_person_whole() {
    let home = Home::new();
    let ours = "servers: {a: {command: other}}\n";
    home.write("work/omni.yaml", ours);
    home.write("work/.mcp.json", r#"{"mcpServers": {"a": {"command": "x"}, "b": {"command": "y"}}}"#);
    let context = home.context();
    let mut own = OwnFile::open(&context).unwrap();
    let report = all().import(&context, &mut own).unwrap();
    let statuses: Vec<_> = report.rows.iter().map(|(_, row)| row.status.as_str()).collect();
    assert_eq!(statuses, ["by hand as a-claude: the name is taken", "by hand"]);
    assert_eq!(own.by_hand(), "  a-claude:\n    command: x\n  b:\n    command: \"y\"\n");
    assert_eq!(own.text, ours);
}

#[test]
fn the_clients_files_stay_as_they_are() {
    let home = Home::new();
    home.write("work/.mcp.json", CLAUDE_PROJECT);
    home.import(all());
    assert_eq!(fs::read_to_string(home.cwd().join(".mcp.json")).unwrap(), CLAUDE_PROJECT);
}

#[test]
fn the_inherited_hub_in_all_its_forms() {
    for (text, added, notes) in [
        (
            "mode: standard\nautoLoad:\n  profiles:\n    - {name: a, path: a.md}\nexternalServers:\n  enabled: true\n  autoConnect: true\n  servers:\n    - name: fs\n      command: npx\n      args: [-y, x]\n      description: files\n    - {name: db, command: py, environment: {URL: '${DATABASE_URL}', N: 1}, workingDirectory: ./db}\n  retry: {maxAttempts: 3}\n",
            json!({
                "fs": {"command": "npx", "args": ["-y", "x"], "description": "files"},
                "db": {"command": "py", "env": {"N": "1", "URL": "${ENV:DATABASE_URL}"}, "cwd": "./db", "disabled": true}
            }),
            vec!["externalServers.autoConnect, externalServers.retry", "mode, autoLoad (1 profiles)"],
        ),
        (
            "externalServers:\n  - name: fs\n    command: npx\n  - command: nameless\n",
            json!({"fs": {"command": "npx"}}),
            vec![],
        ),
        ("externalServers:\n  fs: {command: npx}\n", json!({"fs": {"command": "npx"}}), vec![]),
        ("externalServers: {enabled: false, servers: [{name: fs, command: x}]}\n", json!({}), vec![]),
        (
            "mcpServers:\n  fs: {command: npx, env: {A: '${VAULT:db/password}'}}\nserver: {name: x}\nprofiles: [{name: p}]\n",
            json!({"fs": {"command": "npx", "env": {"A": "${ENV:DB_PASSWORD}"}, "disabled": true}}),
            vec!["server, profiles (1 profiles)"],
        ),
        (
            "replicaCount: 2\nconfig:\n  omniConfig: |\n    externalServers:\n      servers:\n        - {name: fs, command: npx}\n    logging: {level: info}\n",
            json!({"fs": {"command": "npx"}}),
            vec!["logging", "replicaCount"],
        ),
        ("externalServers:\n", json!({}), vec![]),
        ("profiles:\n  - {name: a}\n", json!({}), vec!["profiles (1 profiles)"]),
    ] {
        let home = Home::new();
        home.write("work/omni-config.yaml", text);
        let (_, report, servers) = home.import(all());
        assert_eq!(servers, added, "{text}");
        for note in notes {
            assert!(report.notes.iter().any(|said| said.contains(note)), "{note}: {:?}", report.notes);
        }
        assert!(report.notes.iter().all(|note| note.contains("not imported: ")), "{:?}", report.notes);
    }
}

#[test]
fn the_older_json_is_named_not_dropped() {
    let home = Home::new();
    home.write(
        "work/.mcp-config.json",
        r#"{"initialProfiles": [{"name": "a", "path": "a.md"}], "profiles": {"a": {}}}"#,
    );
    let (_, report, servers) = home.import(all());
    assert_eq!(servers, json!({}));
    assert!(report.notes[0].contains("initialProfiles (1 profiles), profiles (1 profiles)"), "{:?}", report.notes);
}

#[test]
fn paths_of_a_project_hold_from_elsewhere() {
    let home = Home::new();
    home.write(".config/omni/omni.yaml", "# mine\nservers:\n");
    home.write("work/.mcp.json", r#"{"mcpServers": {"a": {"command": "./a.sh", "args": ["x"]}, "b": {"command": "b", "cwd": "sub"}, "u": {"url": "http://h/mcp"}}}"#);
    let (_, _, servers) = home.import(all());
    let cwd = home.cwd().to_string_lossy().into_owned();
    assert_eq!(servers["a"], json!({"command": format!("{cwd}/a.sh"), "args": ["x"], "cwd": cwd}));
    assert_eq!(servers["b"]["cwd"], json!(format!("{cwd}/sub")));
    assert_eq!(servers["u"], json!({"url": "http://h/mcp"}));
    assert!(
        fs::read_to_string(home.home().join(".config/omni/omni.yaml")).unwrap().starts_with("# mine\nservers:\n  a:\n")
    );
}

#[test]
fn given_files_are_told_apart_by_name_place_and_content() {
    let home = Home::new();
    home.write("work/a/servers.json", r#"{"servers": {"vs": {"command": "x", "args": ["${env:SET}"]}}}"#);
    home.write("work/a/any.json", r#"{"mcpServers": {"cl": {"command": "x", "args": ["${SET}"]}}}"#);
    home.write("work/a/settings.json", r#"{"mcp": {"servers": {"old": {"command": "x"}}}, "editor.fontSize": 12}"#);
    home.write("work/a/values.yaml", "mcpServers: {helm: {command: x}}\n");
    let (rows, _, servers) = home.import(of(&["a/servers.json", "a/any.json", "a/settings.json", "a/values.yaml"]));
    assert!(rows.iter().all(|(_, _, status)| status == "added"), "{rows:?}");
    assert_eq!(servers["vs"]["args"], json!(["${ENV:SET}"]));
    assert_eq!(servers["cl"]["args"], json!(["${ENV:SET}"]));
    assert_eq!(servers.as_object().unwrap().len(), 4);
}

#[test]
fn broken_files_are_named_and_do_not_stop_the_others() {
    let home = Home::new();
    home.write("work/.mcp.json", "{\"mcpServers\": {");
    home.write(".cursor/mcp.json", CURSOR);
    home.write(".codeium/windsurf/mcp_config.json", "{\"mcpServers\": []}");
    fs::create_dir_all(home.cwd().join(".vscode/mcp.json")).unwrap();
    let (rows, report, _) = home.import(all());
    assert_eq!(rows.len(), 2);
    let notes = report.notes.join("\n");
    for part in [
        ".mcp.json: not read: line 1, column 17",
        "mcp_config.json: not read: the servers are not an object",
        ".vscode/mcp.json: not read: not a regular file",
    ] {
        assert!(notes.contains(part), "{part} is not in {notes}");
    }
    let context = home.context();
    let mut own = OwnFile::open(&context).unwrap();
    let error = of(&[".mcp.json"]).import(&context, &mut own).unwrap_err();
    assert!(format!("{error:#}").contains("line 1"), "a file that was asked for must be readable: {error:#}");
    assert!(of(&["none.json"]).import(&context, &mut own).unwrap_err().to_string().contains("no such file"));
}

#[test]
fn awkward_files_hold_nothing() {
    for text in
        ["", "\u{feff}", "{}", "// x\n{}", "{\"mcpServers\": {}}", "{\"mcpServers\": null}", "{\"other\": {\"a\": 1}}"]
    {
        let home = Home::new();
        home.write("work/.mcp.json", text);
        let (rows, report, _) = home.import(all());
        assert_eq!((rows.len(), report.read), (0, 1), "{text:?}");
        assert!(report.notes.is_empty(), "{text:?}: {:?}", report.notes);
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_from_looks_only_there() {
    let home = Home::new();
    home.write("dotfiles/mcp.json", CURSOR);
    home.write("work/.mcp.json", CLAUDE_PROJECT);
    fs::create_dir_all(home.home().join(".cursor")).unwrap();
    std::os::unix::fs::symlink(home.home().join("dotfiles/mcp.json"), home.home().join(".cursor/mcp.json")).unwrap();
    let (rows, ..) = home.import(ImportArgs { from: Some("cursor".to_owned()), ..all() });
    assert_eq!(statuses(&rows), ["fetch | ~/.cursor/mcp.json | added", "remote | ~/.cursor/mcp.json | added"]);
    assert!(Path::new(&home.cwd()).join("omni.yaml").is_file());
}
