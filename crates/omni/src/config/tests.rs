//! `omni.yaml` as people write it, right and wrong.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::config::file::FILE_BYTES_MAX;
use crate::config::load::parse_in;
use crate::config::settings::{BuiltinSettings, LogFormat, Settings, Sharing};
use crate::config::{Config, ConfigErrors, Surroundings, data_dir, discover, load};

const WHOLE: &str = r#"# the hub
servers:
  zeta:
    command: npx
    args: [-y, "@modelcontextprotocol/server-everything", "${ENV:WHAT:-stdio}"]
    env: { TOKEN: "${ENV:TOKEN}", RAW: "$${HOME}" }
    cwd: ./work
    sharing: multiplied
    timeout_s: ${ENV:SECONDS}
    pool: { initial: 1, size: 2, max: 3 }
  alpha:
    url: https://example.com/mcp
    headers: { Authorization: "Bearer ${ENV:TOKEN}" }
  files:
    builtin: { kind: filesystem, roots: [., ~/notes, /srv], write: true }
  db:
    builtin: { kind: database, url: "sqlite:data/x.db" }
  local:
    command: bin/server
    disabled: true
    env: { MISSING: "${ENV:NOT_SET}" }
gateway:
  listen: "[::1]:9000"
policy:
  allow: ["*"]
  deny: ["files:write_*", alpha]
data_dir: ~/omni-data
log: { level: debug, format: json }
"#;

fn around() -> Surroundings {
    Surroundings::of_test(Path::new("/home/ada"), Path::new("/work")).with("TOKEN", "t0ken").with("SECONDS", "90")
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_in(text, Path::new("/etc/omni/omni.yaml"), &around())
}

/// Each problem as `line:column message`.
fn problems(text: &str) -> Vec<String> {
    let errors = parse(text).expect_err(text);
    let shown = |problem: &crate::config::Problem| match problem.place {
        Some(place) => format!("{}:{} {}", place.line, place.column, problem.message),
        None => problem.message.clone(),
    };
    errors.problems.iter().map(shown).collect()
}

#[test]
fn a_whole_file_gets_its_meaning() {
    let settings = parse(WHOLE).unwrap().settings;
    assert_eq!(
        settings.servers.keys().collect::<Vec<_>>(),
        ["zeta", "alpha", "files", "db", "local"],
        "order of the file"
    );
    let zeta = &settings.servers["zeta"];
    assert_eq!(zeta.args.last().unwrap(), "stdio");
    assert_eq!(zeta.env["TOKEN"], "t0ken");
    assert_eq!(zeta.env["RAW"], "${HOME}");
    assert_eq!(zeta.cwd, Some(PathBuf::from("/etc/omni/work")));
    assert_eq!(zeta.command.as_deref(), Some("npx"), "a bare name is left for PATH");
    assert_eq!((zeta.timeout_s, zeta.sharing), (Some(90), Sharing::Multiplied));
    assert_eq!(settings.servers["alpha"].headers["Authorization"], "Bearer t0ken");
    let Some(BuiltinSettings::Filesystem { roots, write: true }) = &settings.servers["files"].builtin else { panic!() };
    assert_eq!(roots, &["/etc/omni", "/home/ada/notes", "/srv"].map(PathBuf::from));
    let Some(BuiltinSettings::Database { url, .. }) = &settings.servers["db"].builtin else { panic!() };
    assert_eq!(url, "sqlite:/etc/omni/data/x.db");
    let local = &settings.servers["local"];
    assert_eq!(local.command.as_deref(), Some("/etc/omni/bin/server"));
    assert_eq!(local.env["MISSING"], "${ENV:NOT_SET}", "what a disabled server misses is no fault");
    assert_eq!(settings.data_dir, Some(PathBuf::from("/home/ada/omni-data")));
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn nothing_and_empty_sections_mean_the_defaults() {
    for text in [
        "",
        "\n# only a comment\n",
        "---\n",
        "{}",
        "servers:\n",
        "servers: {}\ngateway:\npolicy:\n",
        "\u{feff}servers:\r\n",
    ] {
        assert_eq!(parse(text).unwrap().settings, Settings::default(), "{text:?}");
    }
}

#[test]
fn byte_order_mark_and_crlf_do_not_move_the_caret() {
    let errors = parse("\u{feff}servers:\r\n  a:\r\n    comand: x\r\n").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/etc/omni/omni.yaml:3:5: unknown key `comand` at servers.a: did you mean `command`?\n 3 |     comand: x\n   |     ^^^^^^\n"
    );
}

#[test]
fn every_fault_is_reported_in_the_order_of_the_text() {
    let found = problems(
        "servers:\n  a:\n    comand: npx\n    args: [1]\n    timeout_s: 0\n  b:\n    command: x\n    sharing: sharde\ngateway: []\npolcy: {}\n",
    );
    assert_eq!(
        found,
        [
            "3:5 unknown key `comand` at servers.a: did you mean `command`?",
            "4:12 servers.a.args.0 wants a text: put it in quotes; here is the number 1",
            "5:16 servers.a.timeout_s wants a whole number from 1 to 86400; here is the number 0",
            "8:14 unknown word `sharde` at servers.b.sharing: did you mean `shared`?",
            "9:10 gateway wants a map (`key: value`); here is a list",
            "10:1 unknown key `polcy`: did you mean `policy`?",
        ]
    );
}

/// TOOL-2: rules about `omni:apply_profile` mean the hub's own tool.
#[test]
fn tool_2_no_server_has_the_hubs_own_name() {
    for name in ["omni", "Omni"] {
        let text = format!("servers:\n  {name}: {{command: x}}");
        let told = format!("servers.{name}: `{name}` cannot be a server's name: policies mean the hub's own");
        let found = problems(&text);
        assert!(found.len() == 1 && found[0].contains(&told), "{found:#?}");
    }
}

#[test]
fn faults_of_meaning_have_their_place() {
    for (text, expected) in [
        ("servers:\n  a: {}", "2:3 servers.a: says neither"),
        ("servers:\n  a:", "2:3 servers.a wants a map (`key: value`); here is nothing"),
        ("servers:\n  a: {command: x, url: 'http://h'}", "2:19 servers.a.url: `command` and `url` exclude one another"),
        ("servers:\n  a: {url: 'http://h', args: [x]}", "2:24 servers.a.args: `args` goes with `command`"),
        ("servers:\n  a: {command: x, headers: {A: b}}", "2:19 servers.a.headers: `headers` goes with `url`"),
        (
            "servers:\n  a: {builtin: {kind: git, repositories: [.]}, args: [x]}",
            "`args` goes with `command`, not with `builtin`",
        ),
        ("servers:\n  a: {builtin: {kind: git, repositories: []}}", "servers.a.builtin.repositories: is empty"),
        ("servers:\n  a: {builtin: {kind: git}}", "servers.a.builtin needs `repositories`"),
        (
            "servers:\n  a: {builtin: {roots: [.]}}",
            "servers.a.builtin needs `kind`: one of `filesystem`, `git`, `database`",
        ),
        ("servers:\n  a: {builtin: {kind: gti}}", "unknown word `gti` at servers.a.builtin.kind: did you mean `git`?"),
        (
            "servers:\n  a: {builtin: {kind: git, repositories: [.], root: x}}",
            "unknown key `root` at servers.a.builtin",
        ),
        ("servers:\n  a: {builtin: git}", "servers.a.builtin wants a map with `kind`"),
        (
            "servers:\n  a: {builtin: {kind: database, url: 'mysql://h'}}",
            "servers.a.builtin.url: is written `sqlite:FILE`",
        ),
        ("servers:\n  a__b: {command: x}", "2:3 servers.a__b: `a__b` cannot be a server's name: `__`"),
        ("servers:\n  a_: {command: x}", "may not end in `_`"),
        ("servers:\n  -a: {command: x}", "starts with a letter or a digit"),
        ("servers:\n  a.b: {command: x}", "only letters, digits"),
        ("servers:\n  aaaaaaaaaabbbbbbbbbbccccccccccddd: {command: x}", "longer than 32"),
        ("servers:\n  a: {url: 'ftp://h'}", "2:12 servers.a.url: starts with http://, https://, ws:// or wss://"),
        ("servers:\n  a: {url: 'http://u:p@h'}", "holds a user or password"),
        ("servers:\n  a: {url: 'http://'}", "names no host"),
        ("servers:\n  a: {url: 'http://h:99999'}", "no right port"),
        ("servers:\n  a: {url: 'http://h/a b'}", "holds a space"),
        ("servers:\n  a: {url: 'http://h', headers: {'a b': c}}", "cannot be the name of a header"),
        ("servers:\n  a: {url: 'http://h', headers: {a: \"b\\nc\"}}", "holds a line break"),
        ("servers:\n  a: {command: x, env: {'A=B': c}}", "cannot be the name of a variable"),
        ("servers:\n  a: {command: ''}", "servers.a.command: is empty"),
        (
            "servers:\n  a: {command: x, pool: {initial: 30}}",
            "2:19 servers.a.pool: wants initial <= size <= max; here they are 30, 10 and 20",
        ),
        ("servers:\n  a: {command: x, pool: {max: 1001}}", "wants a whole number from 1 to 1000"),
        ("servers:\n  a: {command: x, disabled: yes}", "wants `true` or `false`"),
        ("servers:\n  a: {command: x, cwd: '${HOME}'}", "write `${ENV:HOME}`"),
        ("servers:\n  a: {command: x, env: {A: '${ENV:NONE}'}}", "2:28 the variable NONE is not set"),
        (
            "gateway: {listen: '0.0.0.0:8420'}",
            "1:19 gateway.listen: can be reached from other machines, and what is said",
        ),
        ("gateway: {listen: localhost}", "gateway.listen: is written as address and port"),
        ("gateway: {allowed_origins: ['https://x/y']}", "gateway.allowed_origins.0: is an origin, without a path"),
        ("gateway: {allowed_hosts: ['http://x']}", "gateway.allowed_hosts.0: is a host name"),
        ("gateway: {body_bytes_max: -1}", "wants a whole number"),
        ("policy: {allow: ['']}", "1:18 policy.allow.0: is written `server:name`"),
        ("policy: {deny: ['a:']}", "policy.deny.0: is written"),
        ("policy: {deny: ['a__']}", "policy.deny.0: is written"),
        ("policy: {deny: ['a b:c']}", "matches no server's name"),
        ("policy: {deny: ['a:b c']}", "holds a space"),
        ("log: {level: inof}", "did you mean `info`?"),
        ("- a\n- b", "1:1 the file wants a map"),
        ("just text", "1:1 the file wants a map"),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}\n{found:#?}");
    }
}

#[test]
fn gw_1_what_is_spoken_at_an_address_must_fit_it() {
    for (text, expected) in [
        (
            "servers:\n  a: {url: 'ws://h', transport: sse}",
            "servers.a.transport: a ws:// or wss:// address is spoken to",
        ),
        ("servers:\n  a: {url: 'http://h', transport: websocket}", "servers.a.transport: `websocket` wants a ws://"),
        (
            "servers:\n  a: {url: 'http://h', transport: ssee}",
            "unknown word `ssee` at servers.a.transport: did you mean `sse`?",
        ),
        ("servers:\n  a: {command: x, transport: sse}", "`transport` goes with `url`, not with `command`"),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}\n{found:#?}");
    }
}

#[test]
fn faults_of_yaml_have_their_place() {
    for (text, line, part) in [
        ("servers:\n  a: {command: x}\n  a: {command: y}", 3, "the key `a` is there already"),
        ("servers:\n\ta: x", 2, "tab"),
        ("a: [1, 2", 1, ""),
        ("a: &x [*x]", 1, ""),
        ("servers: *nope", 1, ""),
        ("a: 1\n---\nb: 2", 2, ""),
    ] {
        let errors = parse(text).expect_err(text);
        let problem = &errors.problems[0];
        assert!(problem.message.contains(part), "{text}: {}", problem.message);
        assert!(problem.place.is_some_and(|place| place.line >= line), "{text}: {:?}", problem.place);
    }
}

#[test]
fn alias_bombs_and_deep_nesting_are_bounded() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ('b'..='j').zip('a'..) {
        bomb.push_str(&format!(
            "{name}: &{name} [*{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}, *{of}]\n"
        ));
    }
    for text in [bomb, "[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(!parse(&text).unwrap_err().problems.is_empty());
    }
}

#[test]
fn what_the_proxy_refuses_is_refused_here_with_its_place() {
    for (text, expected) in [
        ("servers:\n  a: {url: 'http://h', headers: {Host: b}}", "2:40 servers.a.headers.Host: is set by the hub"),
        ("servers:\n  a: {url: 'http://h h/'}", "2:12 servers.a.url: holds a space"),
        ("servers:\n  a: {url: 'http://h\"/'}", "2:12 servers.a.url: "),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}\n{found:#?}");
    }
}

#[test]
fn shared_blocks_by_anchor_and_merge_work() {
    let text = "servers:\n  a: &base {command: x, env: {K: v}}\n  b: {<<: *base, args: [y]}\n";
    let settings = parse(text).unwrap().settings;
    assert_eq!(settings.servers["b"].env["K"], "v");
}

#[test]
fn a_pattern_that_names_no_server_is_a_warning() {
    let config =
        parse("servers: {files: {command: x}}\npolicy: {deny: ['fiels:write', 'files:*', '*:x', files__write]}\n")
            .unwrap();
    let warnings: Vec<_> = config.warnings.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(warnings, ["policy.deny.0: `fiels:write` names no server of this file: did you mean `files`?"]);
}

#[test]
fn files_are_found_in_the_order_of_the_rules() {
    let home = tempfile::tempdir().unwrap();
    let cwd = home.path().join("work");
    fs::create_dir_all(home.path().join(".config/omni")).unwrap();
    fs::create_dir_all(&cwd).unwrap();
    let around = Surroundings::of_test(home.path(), &cwd);
    assert_eq!(discover(None, &around), None);
    let own = home.path().join(".config/omni/omni.yaml");
    fs::write(&own, "").unwrap();
    assert_eq!(discover(None, &around), Some(own));
    fs::write(cwd.join("omni.yaml"), "").unwrap();
    assert_eq!(discover(None, &around), Some(cwd.join("omni.yaml")));
    assert_eq!(discover(Some(Path::new("~/x.yaml")), &around), Some(home.path().join("x.yaml")));
    let elsewhere = around.with("XDG_CONFIG_HOME", "/nowhere").with("XDG_DATA_HOME", "/data");
    assert_eq!(data_dir(&Settings::default(), &elsewhere), Some(PathBuf::from("/data/omni")));
}

#[test]
fn what_cannot_be_read_says_why() {
    let home = tempfile::tempdir().unwrap();
    let around = Surroundings::of_test(home.path(), home.path());
    fs::write(home.path().join("latin"), b"a: 1\nb: \xff\n").unwrap();
    fs::write(home.path().join("huge"), "#".repeat(usize::try_from(FILE_BYTES_MAX).unwrap() + 1)).unwrap();
    for (path, part) in [
        ("none", "cannot be read"),
        (".", "is a directory"),
        ("latin", "not UTF-8 text (line 2)"),
        ("huge", "larger than 1048576"),
    ] {
        let errors = load(Path::new(path), &around).unwrap_err();
        assert!(errors.to_string().contains(part), "{errors}");
    }
}

#[test]
fn a_disabled_server_may_miss_its_address_too() {
    assert!(parse("servers:\n  a: {url: '${ENV:BASE}/mcp', disabled: true}").is_ok());
    assert!(problems("servers:\n  a: {url: '${ENV:TOKEN}/mcp'}")[0].contains("starts with http"));
}

#[test]
fn values_of_variables_are_not_shown() {
    let text = "servers:\n  a: {url: '${ENV:TOKEN}'}";
    assert!(!parse(text).unwrap_err().to_string().contains("t0ken"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// No text makes it panic, and every fault can be shown: the good file with bytes cut, doubled, swapped.
    #[test]
    fn no_mutation_makes_it_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..5_u8, "[\\PC\t\n:{}\\[\\]&*!|>'\"#$-]{0,3}"), 1..6)) {
        let mut text: Vec<char> = WHOLE.chars().collect();
        for (index, kind, piece) in edits {
            let at = index.index(text.len().max(1)).min(text.len());
            match kind {
                0 => { text.truncate(at); }
                1 => { text.splice(at..at, piece.chars()); }
                2 => { let end = (at + 7).min(text.len()); text.drain(at..end); }
                3 => { let copy: Vec<char> = text[at..(at + 40).min(text.len())].to_vec(); text.splice(at..at, copy); }
                _ => { let end = (at + 1).min(text.len()); text.splice(at..end, piece.chars()); }
            }
        }
        let text: String = text.into_iter().collect();
        match parse(&text) {
            Ok(config) => prop_assert!(config.settings.servers.len() < 100),
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\t\r\n:{}\\[\\]&*!|>'\"#$-]{0,200}") {
        if let Err(errors) = parse(&text) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
