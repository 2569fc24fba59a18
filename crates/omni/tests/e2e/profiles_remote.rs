//! CFG-4: profiles from GitHub and from plain addresses, over TLS: shown, accepted by a person, pinned, kept, and refused where
//! anything is not as it should be.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::github::GitHub;
use crate::harness::hub::{TRUSTED, command};
use crate::harness::{Client, Era, Hub, everything, until};

const KEY: &str = "RWRU2KDfglRKaBwizoZ7jh5n63ekyPJ9p5D+lmAEjPMMRyCzdCbrfWcu";
const SIGNED: &str = "Be kind.\n";
/// Made by py-minisign for that text as `dev.md`.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\nRURU2KDfglRKaF+pceDOf0tYdcJJJI6bwRl31OnzdqxaCgQd+YZivYihQVvlFaA/S02VnhvdAemUa1tN0z1xHrSRbJO2yAyzowk=\ntrusted comment: timestamp:1 file:dev.md hashed\n1itOooH/0VmAnNV3ElIZ2I7PRha8mQ7VekVZ/8XrM7uXBWz+14ZGgTOyfcIPYQlstF2KNDeR5p6UfrsZmjc6CA==";

/// A home whose `profiles` section is `section`, with what reaches `github`.
fn home(github: &GitHub, section: Value) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::copy(&github.authority, home.path().join(TRUSTED)).unwrap();
    configure(&home, &profiles(github, section));
    home
}

fn profiles(github: &GitHub, section: Value) -> Value {
    let mut whole = json!({ "github_api": github.url(), "private_hosts": ["localhost"] });
    for (key, value) in section.as_object().unwrap() {
        whole[key] = value.clone();
    }
    whole
}

fn configure(home: &TempDir, profiles: &Value) {
    let config = json!({ "data_dir": "data", "profiles": profiles });
    fs::write(home.path().join("omni.yaml"), config.to_string()).unwrap();
}

/// Whether it succeeded, and what it said on both streams.
fn omni(home: &TempDir, arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = command(home);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // It may have ended without reading.
    let _it_may_be_gone = process.stdin.take().unwrap().write_all(input.as_bytes());
    let output = process.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

fn update(home: &TempDir) -> (bool, String) {
    omni(home, &["profile", "update", "--accept"], "")
}

fn names(home: &TempDir) -> Vec<String> {
    let (_, said) = omni(home, &["profile", "list", "--json"], "");
    let listed: Value = serde_json::from_str(&said[..=said.rfind('}').unwrap()]).unwrap();
    listed["profiles"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap().to_owned()).collect()
}

fn team() -> Value {
    json!({ "remote": { "team": { "from": "github:acme/profiles/team@main" } } })
}

#[test]
fn cfg_4_a_source_is_shown_accepted_pinned_and_kept() {
    let github = GitHub::start();
    let first = github.push(
        "main",
        &[
            ("team/dev.md", "---\nextends: ./base\n---\n## Rules\n- Two\n"),
            ("team/base.md", "## Rules\n- One\u{202e}\n"),
            ("team/CLAUDE.md", "The team.\n"),
            ("team/link.md", "dev.md"),
            ("team/code.rs", "fn main() {}"),
            ("other/ops.md", "Not ours.\n"),
        ],
    );
    let home = home(&github, team());
    let lock = home.path().join("omni.lock");
    let (good, said) = omni(&home, &["profile", "list"], "");
    assert!(!good && said.contains("omni profile update team"), "{said}");
    // Shown, with every hidden character; without a person's word nothing is in force.
    let (good, said) = omni(&home, &["profile", "update"], "");
    assert!(!good && said.contains("+- One\\u{202e}") && said.contains("nothing was accepted"), "{said}");
    assert!(!lock.exists() && names(&home).is_empty());
    assert!(update(&home).0);
    let pinned: Value = serde_json::from_str(&fs::read_to_string(&lock).unwrap()).unwrap();
    assert_eq!(pinned["sources"]["team"]["commit"], json!(first));
    assert_eq!(names(&home), ["base", "dev", "team"]);
    let (_, shown) = omni(&home, &["profile", "show", "dev"], "");
    assert!(shown.contains("builds on base") && shown.contains("- Two") && shown.contains(&first[..12]), "{shown}");
    // The same again costs one request, which counts for nothing.
    github.asked();
    let (good, said) = update(&home);
    assert!(good && said.contains("nothing new"), "{said}");
    assert_eq!(github.asked(), ["/repos/acme/profiles/commits/main 304"]);
    // Another commit changes nothing before it is accepted.
    github.push("main", &[("team/dev.md", "## Rules\n- Three\n")]);
    assert_eq!(names(&home), ["base", "dev", "team"]);
    let (good, said) = omni(&home, &["profile", "update", "team"], "");
    assert!(!good && said.contains("-## Rules") && said.contains("+- Three") && said.contains(&first[..12]), "{said}");
    assert_eq!(names(&home), ["base", "dev", "team"]);
    assert!(update(&home).0);
    assert_eq!(names(&home), ["dev"]);
    // Offline it goes on.
    drop(github);
    assert_eq!(names(&home), ["dev"]);
    let (good, said) = update(&home);
    assert!(!good && said.contains("team: ") && said.contains("nothing was changed"), "{said}");
    // What changed on the disk is nothing; what is read from elsewhere than was accepted is nothing.
    for file in fs::read_dir(home.path().join("data/profiles")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none() {
            fs::write(path, "Be rude.\n").unwrap();
        }
    }
    assert_eq!(names(&home), [] as [&str; 0]);
}

/// CFG-5, SEC-1: a private repository's token is a reference; it stands in no file, and no literal is taken.
#[test]
fn cfg_4_a_private_repository_takes_a_token_of_the_secret_manager() {
    let github = GitHub::start();
    github.push("v1", &[("CLAUDE.md", "Private.\n")]);
    github.state().token = Some("gh-secret-value-1".to_owned());
    let source = |token: &str| json!({ "remote": { "own": { "from": "github:acme/profiles@v1", "token": token } } });
    let home = home(&github, json!({ "remote": { "own": { "from": "github:acme/profiles@v1" } } }));
    let (good, said) = update(&home);
    assert!(!good && said.contains("a private repository needs a `token`"), "{said}");
    configure(&home, &profiles(&github, source("gh-secret-value-1")));
    let (good, said) = update(&home);
    assert!(!good && said.contains("write a reference to a secret"), "{said}");
    configure(&home, &profiles(&github, source("${SECRET:gh}")));
    let (good, said) = update(&home);
    assert!(!good && said.contains("gh"), "{said}");
    let (good, said) = omni(&home, &["secret", "set", "gh"], "gh-secret-value-1");
    assert!(good, "{said}");
    let (good, said) = update(&home);
    assert!(good && !said.contains("gh-secret-value-1"), "{said}");
    assert_eq!(names(&home), ["own"]);
    let lock = fs::read_to_string(home.path().join("omni.lock")).unwrap();
    assert!(!lock.contains("gh-secret"));
}

/// CFG-4: limits, cut answers, lies, large and renamed repositories: told in words, and nothing changes; or gone around.
#[test]
fn cfg_4_what_github_does_otherwise_is_told_or_gone_around() {
    let github = GitHub::start();
    let files = [("team/a/dev.md", "Dev.\n"), ("zoo/b.md", "Zoo.\n"), ("x.md", "X.\n")];
    github.push("main", &files);
    let home = home(&github, team());
    let refused = |word: &str| {
        let (good, said) = update(&home);
        assert!(!good && said.contains(word), "{word}: {said}");
        assert!(!home.path().join("omni.lock").exists());
    };
    let message = json!({ "message": "API rate limit exceeded" }).to_string();
    let spent = "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1893456000\r\n".to_owned();
    for (status, headers, word) in [
        (403, spent.clone(), "until Tue, 01 Jan 2030 00:00:00 GMT"),
        (429, spent, "the rate limit is spent"),
        (403, "retry-after: 61\r\n".to_owned(), "for 61 s (secondary rate limit)"),
        (403, String::new(), "API rate limit exceeded"),
        (500, String::new(), "status 500"),
        (401, String::new(), "does not take the token"),
        (302, "location: https://example.com/x\r\n".to_owned(), "leads away"),
        (302, "location: /repos/acme/profiles/commits/main\r\n".to_owned(), "redirects"),
        (200, String::new(), "no commit's id"),
    ] {
        github.state().instead = Some((status, headers, message.clone()));
        refused(word);
    }
    github.state().instead = None;
    github.state().cut = true;
    refused("team: ");
    github.state().cut = false;
    github.state().lies = true;
    refused("another content than the commit has");
    github.state().lies = false;
    github.state().truncated = true;
    github.state().renamed = true;
    let (good, said) = update(&home);
    assert!(good, "{said}");
    assert_eq!(names(&home), ["dev"]);
    let asked = github.asked().join("\n");
    assert!(asked.contains("/repositories/1/git/trees/") && !asked.contains("zoo"), "{asked}");
    configure(&home, &profiles(&github, json!({ "remote": { "team": { "from": "github:acme/profiles/none@main" } } })));
    assert_eq!(names(&home), [] as [&str; 0], "accepted from elsewhere");
    assert!(update(&home).1.contains("`none` holds no profile"));
}

/// CFG-4: nothing is fetched from this machine or its network, nor from hosts that nobody named, whatever leads there.
#[test]
fn cfg_4_only_named_hosts_at_public_addresses_are_reached() {
    let github = GitHub::start();
    github.push("main", &[("team/dev.md", "Dev.\n")]);
    github.state().files.insert("dev.md".to_owned(), b"Plain.\n".to_vec());
    let port = github.address.port();
    let home = home(&github, team());
    let mut closed = profiles(&github, team());
    let inside = "its name leads to this machine or its network";
    for api in ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0"] {
        closed["private_hosts"] = json!([]);
        closed["github_api"] = json!(format!("https://{api}:{port}"));
        configure(&home, &closed);
        let (good, said) = update(&home);
        // A system that does not know such a form of an address refuses it by itself.
        assert!(!good && (said.contains(inside) || said.contains("resolve")), "{api}: {said}");
    }
    assert_eq!(github.asked(), [] as [&str; 0]);
    let plain = |hosts: Value| {
        let from = format!("{}/files/dev.md", github.url());
        profiles(&github, json!({ "remote": { "one": { "from": from } }, "remote_hosts": hosts }))
    };
    configure(&home, &plain(json!(["example.com"])));
    assert!(update(&home).1.contains("`profiles.remote_hosts` does not name it"));
    configure(&home, &plain(json!(["localhost"])));
    for (location, word) in [
        (format!("https://127.0.0.1:{port}/files/dev.md"), "does not name it"),
        ("http://localhost/files/dev.md".to_owned(), "https:// alone"),
        ("/files/dev.md".to_owned(), "redirects"),
    ] {
        github.state().instead = Some((302, format!("location: {location}\r\n"), String::new()));
        let (good, said) = update(&home);
        assert!(!good && said.contains(word), "{location}: {said}");
    }
    github.state().instead = None;
    github.asked();
    assert!(update(&home).0);
    assert_eq!(names(&home), ["dev"]);
    assert!(update(&home).1.contains("nothing new"));
    assert_eq!(github.asked(), ["/files/dev.md 200", "/files/dev.md 304"]);
}

/// CFG-4: where the operator wants signatures, what is not signed by one of the keys is not even shown.
#[test]
fn cfg_4_signatures_are_required_where_they_are_configured() {
    let github = GitHub::start();
    let home =
        home(&github, json!({ "remote": { "team": { "from": "github:acme/profiles@main", "signed_by": [KEY] } } }));
    github.push("main", &[("dev.md", SIGNED)]);
    assert!(update(&home).1.contains("`dev.md` is not signed"));
    github.push("main", &[("dev.md", "Be rude.\n"), ("dev.md.minisig", SIGNATURE)]);
    assert!(update(&home).1.contains("none of the keys"));
    github.push("main", &[("dev.md", SIGNED), ("dev.md.minisig", SIGNATURE), ("more.md", "Unsigned.\n")]);
    assert!(update(&home).1.contains("`more.md` is not signed"));
    assert_eq!(names(&home), [] as [&str; 0]);
    github.push("main", &[("dev.md", SIGNED), ("dev.md.minisig", SIGNATURE)]);
    let (good, said) = update(&home);
    assert!(good, "{said}");
    assert_eq!(names(&home), ["dev"]);
}

/// CFG-4, CFG-6: a hub takes over what is accepted while it runs; on another machine it fetches what `omni.lock` pins, and
/// nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn cfg_4_a_hub_serves_what_was_accepted_elsewhere() {
    let github = GitHub::start();
    github.push("main", &[("team/dev.md", "Accepted.\n")]);
    let first = home(&github, team());
    assert!(update(&first).0);
    github.push("main", &[("team/dev.md", "Newer, and nobody's word for it.\n")]);
    let second = tempfile::tempdir().unwrap();
    for file in [TRUSTED, "omni.lock"] {
        fs::copy(first.path().join(file), second.path().join(file)).unwrap();
    }
    let config = json!({ "servers": { "s": everything(&[]) }, "profiles": profiles(&github, team()) });
    let hub = Hub::at(second, config);
    hub.awake().await;
    let text = async || {
        let answer = Client::open(&hub, "/mcp/p/dev", Era::Modern).await.ask("server/discover", json!({})).await;
        if answer.status != 200 {
            return format!("status {}", answer.status);
        }
        answer.json()["result"]["instructions"].as_str().unwrap_or_default().to_owned()
    };
    until("the hub has fetched what was accepted", 30, async || {
        let text = text().await;
        if text.starts_with("Accepted.\n") { Ok(()) } else { Err(format!("{text} {}", hub.log())) }
    })
    .await;
    let asked = github.asked().join("\n");
    assert!(asked.contains("/contents/team/dev.md?ref="), "{asked}");
}
