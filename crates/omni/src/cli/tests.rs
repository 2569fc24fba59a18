//! The command line from its words to its files, in a home of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::Cli;
use crate::config::{Surroundings, load};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.cwd()).unwrap();
        home
    }

    fn cwd(&self) -> PathBuf {
        self.0.path().join("work")
    }

    fn around(&self) -> Surroundings {
        Surroundings::of_test(self.0.path(), &self.cwd())
    }

    /// The message of the error, if the command failed with one.
    fn omni(&self, words: &[&str]) -> Result<bool, String> {
        let cli = Cli::try_parse_from(["omni"].iter().chain(words)).map_err(|error| error.to_string())?;
        let code = cli.run_in(self.around()).map_err(|error| format!("{error:#}"))?;
        Ok(code == ExitCode::SUCCESS)
    }

    fn file(&self) -> String {
        fs::read_to_string(self.cwd().join("omni.yaml")).unwrap()
    }
}

#[test]
fn the_commands_are_put_together_right() {
    Cli::command().debug_assert();
}

#[test]
fn add_makes_a_file_that_is_right_and_remove_empties_it() {
    let home = Home::new();
    assert_eq!(home.omni(&["check"]), Ok(false), "there is none yet");
    let command =
        ["add", "files", "-e", "TOKEN=${ENV:HOME:-x}", "--cwd", ".", "--", "sh", "-c", "echo ${HOME}", "--", "-x"];
    assert_eq!(home.omni(&command), Ok(true));
    assert_eq!(
        home.omni(&["add", "web", "--url", "https://h/mcp", "--header", "X-Key: a: b", "--description", "it's"]),
        Ok(true)
    );
    let config = load(Path::new("omni.yaml"), &home.around()).unwrap();
    let files = &config.settings.servers["files"];
    assert_eq!(files.args, ["-c", "echo ${HOME}", "--", "-x"], "a shell's own variables reach the shell");
    assert_eq!(files.env["TOKEN"], "x");
    assert_eq!(files.cwd, Some(home.cwd()));
    assert_eq!(config.settings.servers["web"].headers["X-Key"], "a: b");
    assert_eq!(home.omni(&["check"]), Ok(true));
    assert_eq!(home.omni(&["check", "--json", "omni.yaml"]), Ok(true));

    let before = home.file();
    assert!(home.omni(&["add", "web", "--", "x"]).unwrap_err().contains("--force"));
    assert_eq!(home.file(), before);
    assert_eq!(home.omni(&["add", "web", "--force", "--", "x"]), Ok(true));
    assert!(home.file().ends_with("  web:\n    command: x\n"), "{}", home.file());
    for name in ["files", "web"] {
        assert_eq!(home.omni(&["remove", name]), Ok(true));
    }
    assert!(home.omni(&["remove", "web"]).unwrap_err().contains("none at all"));
    assert_eq!(home.omni(&["check"]), Ok(true));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_written() {
    let home = Home::new();
    for (words, part) in [
        (vec!["add", "a"], "required"),
        (vec!["add", "a__b", "--", "x"], "cannot be a server's name"),
        (vec!["add", "a", "--url", "https://h", "--", "x"], "cannot be used with"),
        (vec!["add", "a", "--url", "https://h", "--env", "A=b"], "cannot be used with"),
        (vec!["add", "a", "--header", "A: b", "--", "x"], "goes with `url`"),
        (vec!["add", "a", "--env", "A", "--", "x"], "--env NAME=VALUE"),
        (vec!["add", "a", "--env", "A=1", "--env", "A=2", "--", "x"], "twice"),
        (vec!["add", "a", "--url", "ftp://h"], "starts with http"),
        (vec!["add", "a", "--url", "https://h", "--header", "no header"], "--header"),
        (vec!["connect", "claude"], "--yes"),
        (vec!["connect", "claude-desktop", "--url", "http://h", "--yes"], "knows no addresses"),
        (vec!["connect", "nobody"], "possible values"),
        (vec!["import", "none.json"], "no such file"),
    ] {
        // Without a terminal nobody can agree; with one the test would wait for an answer.
        if words == ["connect", "claude"] && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            continue;
        }
        let error = home.omni(&words).unwrap_err();
        assert!(error.contains(part), "{words:?}: {error}");
    }
    assert_eq!(fs::read_dir(home.cwd()).unwrap().count(), 0);
    assert_eq!(home.omni(&["import"]), Ok(false), "nothing to import");
}

#[test]
fn a_file_elsewhere_is_edited_there_and_paths_hold_from_there() {
    let home = Home::new();
    let file = home.0.path().join("etc/hub.yaml");
    let config = file.to_str().unwrap();
    assert_eq!(home.omni(&["--config", config, "add", "a", "--cwd", "sub", "--", "./run.sh", "./arg"]), Ok(true));
    let settings = load(&file, &home.around()).unwrap().settings;
    let server = &settings.servers["a"];
    assert_eq!(server.command.as_deref(), Some(home.cwd().join("run.sh").to_str().unwrap()));
    assert_eq!(server.cwd, Some(home.cwd().join("sub")));
    assert_eq!(server.args, ["./arg"], "what an argument means only the program knows");
}

#[test]
fn a_file_that_cannot_be_read_is_not_edited() {
    let home = Home::new();
    fs::write(home.cwd().join("omni.yaml"), "servers: {a: {command: x}}\n").unwrap();
    assert!(home.omni(&["add", "b", "--", "y"]).unwrap_err().contains("put this in by hand"));
    assert!(home.omni(&["remove", "a"]).unwrap_err().contains("take out `servers.a` by hand"));
    fs::write(home.cwd().join("omni.yaml"), "servers: [").unwrap();
    assert!(home.omni(&["add", "b", "--", "y"]).unwrap_err().contains("mend this first"));
    assert_eq!(home.file(), "servers: [");
    assert_eq!(home.omni(&["check"]), Ok(false));
}

#[test]
fn import_writes_only_when_it_is_no_dry_run() {
    let home = Home::new();
    fs::write(home.cwd().join(".mcp.json"), r#"{"mcpServers": {"a": {"command": "x"}}}"#).unwrap();
    assert_eq!(home.omni(&["import", "--dry-run"]), Ok(true));
    assert!(!home.cwd().join("omni.yaml").exists());
    assert_eq!(home.omni(&["import"]), Ok(true));
    assert!(home.file().ends_with("servers:\n  a:\n    command: x\n"));
}

#[test]
fn connect_writes_only_when_it_is_no_dry_run() {
    let home = Home::new();
    let path = home.cwd().join(".mcp.json");
    assert_eq!(home.omni(&["connect", "claude", "--scope", "project", "--dry-run"]), Ok(true));
    assert!(!path.exists());
    assert_eq!(home.omni(&["connect", "claude", "--scope", "project", "--yes"]), Ok(true));
    assert!(fs::read_to_string(&path).unwrap().contains("http://127.0.0.1:8420/mcp"));
    assert_eq!(home.omni(&["connect", "claude", "--scope", "project", "--undo", "--yes"]), Ok(true));
    assert_eq!(fs::read_dir(home.cwd()).unwrap().count(), 0, "file and backup are gone");
}
