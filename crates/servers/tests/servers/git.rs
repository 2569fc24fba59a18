//! What the Git server does and refuses (GW-3, TOOL-1, VAL-3).

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use git2::{Repository, RepositoryInitOptions, Signature, Time};
use omni_servers::{BuiltIn, git};
use serde_json::{Value, json};

use crate::client::Client;

const SECRET: &str = "the secret outside";

fn served(repositories: &[&Path], write: bool) -> BuiltIn {
    let repositories: Vec<PathBuf> = repositories.iter().map(|path| path.to_path_buf()).collect();
    BuiltIn::Git(git::Options { repositories, write })
}

fn init(path: &Path) -> Repository {
    let repository = Repository::init_opts(path, RepositoryInitOptions::new().initial_head("main")).unwrap();
    let mut config = repository.config().unwrap();
    config.set_str("user.name", "Ada").unwrap();
    config.set_str("user.email", "ada@example.org").unwrap();
    repository
}

/// Commits a file at a time of its own, without the server.
fn commit(repository: &Repository, name: &str, text: &str, seconds: i64) -> git2::Oid {
    std::fs::write(repository.workdir().unwrap().join(name), text).unwrap();
    let mut index = repository.index().unwrap();
    index.add_path(Path::new(name)).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let who = Signature::new("Ada", "ada@example.org", &Time::new(seconds, 60)).unwrap();
    let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("HEAD"), &who, &who, &format!("write {name}\n"), &tree, &parents).unwrap()
}

/// A repository with two commits, and a client that may write.
async fn two_commits() -> (tempfile::TempDir, PathBuf, Repository, Client) {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().canonicalize().unwrap().join("repo");
    let repository = init(&root);
    commit(&repository, "a.txt", "one\n", 1_700_000_000);
    commit(&repository, "b.txt", "two\n", 1_750_000_000);
    let client = Client::start(served(&[&root], true)).await;
    (base, root, repository, client)
}

fn staged(status: &Value) -> Vec<&str> {
    status["staged"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_tools_are_those_of_the_reference_server_and_the_writing_ones_only_with_write() {
    let (_base, root, _, mut client) = two_commits().await;
    let reading =
        ["git_status", "git_diff_unstaged", "git_diff_staged", "git_diff", "git_log", "git_show", "git_branch"];
    let names = client.tool_names().await;
    assert_eq!(names[..7], reading);
    assert_eq!(names[7..], ["git_add", "git_reset", "git_commit", "git_create_branch", "git_checkout"]);
    let mut reader = Client::start(served(&[&root], false)).await;
    assert_eq!(reader.tool_names().await, reading);
    for tool in &names[7..] {
        let answer = reader.request("tools/call", json!({"name": tool, "arguments": {"message": "x"}})).await;
        assert_eq!(answer["error"]["code"], -32602, "{tool}");
    }
}

#[tokio::test]
async fn a_change_is_seen_staged_unstaged_and_committed() {
    let (_base, root, repository, mut client) = two_commits().await;
    let clean = client.ok("git_status", json!({})).await;
    assert_eq!(clean.text, "On branch main\nnothing to commit, working tree clean");
    std::fs::write(root.join("a.txt"), "one\nmore\n").unwrap();
    std::fs::write(root.join("new.txt"), "new\n").unwrap();
    std::fs::remove_file(root.join("b.txt")).unwrap();
    let unstaged = client.ok("git_diff_unstaged", json!({"context_lines": 0})).await.text;
    assert!(unstaged.contains("+more") && unstaged.contains("deleted file") && !unstaged.contains("new.txt"));
    assert_eq!(client.ok("git_diff_staged", json!({})).await.text, "No staged changes");
    client.refused("git_commit", json!({"message": "too early"}), "nothing is staged").await;

    client.ok("git_add", json!({"files": ["a.txt", "b.txt", root.join("new.txt")]})).await;
    let status = client.ok("git_status", json!({"repo_path": root})).await;
    assert_eq!(staged(&status.result["structuredContent"]), ["a.txt", "b.txt", "new.txt"]);
    assert!(status.text.contains("Changes to be committed:\n  modified: a.txt\n  deleted: b.txt\n  new file: new.txt"));
    assert!(client.ok("git_diff_staged", json!({})).await.text.contains("+more"));
    assert_eq!(
        client.ok("git_add", json!({"files": ["a.txt"]})).await.text,
        "Nothing was staged: these paths hold no changes"
    );

    client.ok("git_reset", json!({})).await;
    assert_eq!(client.ok("git_diff_staged", json!({})).await.text, "No staged changes");
    client.ok("git_add", json!({"files": ["."]})).await;
    client.refused("git_commit", json!({"message": " \n"}), "'message' is empty").await;
    let made = client.ok("git_commit", json!({"message": "all of it"})).await.text;
    let head = repository.head().unwrap().peel_to_commit().unwrap();
    assert_eq!(made, format!("Changes committed successfully with hash {}", head.id()));
    assert_eq!((head.message().unwrap(), head.author().name().unwrap()), ("all of it\n", "Ada"));
    assert!(head.tree().unwrap().get_name("b.txt").is_none());
}

#[tokio::test]
async fn the_first_commit_of_an_empty_repository_works() {
    let base = tempfile::tempdir().unwrap();
    let repository = init(base.path());
    let mut client = Client::start(served(&[base.path()], true)).await;
    client.refused("git_log", json!({}), "no commits yet").await;
    assert!(client.ok("git_status", json!({})).await.text.contains("No commits yet"));
    std::fs::create_dir(base.path().join("dir")).unwrap();
    std::fs::write(base.path().join("dir/f"), "x").unwrap();
    client.ok("git_add", json!({"files": ["dir"]})).await;
    assert!(client.ok("git_diff_staged", json!({})).await.text.contains("dir/f"));
    client.ok("git_reset", json!({})).await;
    client.refused("git_commit", json!({"message": "x"}), "nothing is staged").await;
    client.ok("git_add", json!({"files": ["dir/f"]})).await;
    client.ok("git_commit", json!({"message": "first"})).await;
    assert_eq!(repository.head().unwrap().peel_to_commit().unwrap().parent_count(), 0);
    // A directory that is gone is staged as deleted.
    std::fs::remove_dir_all(base.path().join("dir")).unwrap();
    client.ok("git_add", json!({"files": ["dir"]})).await;
    let status = client.ok("git_status", json!({})).await;
    assert_eq!(staged(&status.result["structuredContent"]), ["dir/f"]);
    client.refused("git_add", json!({"files": ["gone"]}), "does not exist").await;
}

#[tokio::test]
async fn the_log_is_cut_by_count_and_by_time() {
    let (_base, _, repository, mut client) = two_commits().await;
    let log = client.ok("git_log", json!({})).await;
    let commits = log.result["structuredContent"]["commits"].as_array().unwrap().clone();
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[0]["hash"], repository.head().unwrap().target().unwrap().to_string());
    assert_eq!(commits[1]["date"], "2023-11-14 23:13:20 +0100");
    assert!(log.text.contains("Author: Ada <ada@example.org>"));
    let count = async |client: &mut Client, arguments: Value| {
        let log = client.ok("git_log", arguments).await;
        log.result["structuredContent"]["commits"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut client, json!({"max_count": 1})).await, 1);
    assert_eq!(count(&mut client, json!({"start_timestamp": "2024-01-01"})).await, 1);
    assert_eq!(count(&mut client, json!({"end_timestamp": "2023-11-14"})).await, 1);
    assert_eq!(count(&mut client, json!({"end_timestamp": "Nov 13 2023"})).await, 0);
    assert_eq!(count(&mut client, json!({"start_timestamp": "1 day ago"})).await, 0);
    client.refused("git_log", json!({"start_timestamp": "--since=x"}), "is not a time").await;
    client.refused("git_log", json!({"max_count": 100_000}), "at most 1000").await;
}

#[tokio::test]
async fn revisions_files_and_directories_are_shown() {
    let (_base, _, repository, mut client) = two_commits().await;
    let head = repository.head().unwrap().target().unwrap();
    let shown = client.ok("git_show", json!({"revision": "HEAD"})).await.text;
    assert!(shown.starts_with(&format!("commit {head}\nAuthor: Ada <ada@example.org>\n")), "{shown}");
    assert!(shown.contains("    write b.txt\n") && shown.contains("+two"));
    assert!(client.ok("git_show", json!({"revision": "HEAD~1"})).await.text.contains("+one"), "the first commit");
    assert_eq!(client.ok("git_show", json!({"revision": "HEAD:a.txt"})).await.text, "one\n");
    assert_eq!(client.ok("git_show", json!({"revision": "HEAD:"})).await.text, "a.txt\nb.txt\n");
    client.refused("git_show", json!({"revision": "HEAD:none"}), "names nothing").await;
    client.refused("git_show", json!({"revision": "nope"}), "names nothing").await;
    let diff = client.ok("git_diff", json!({"target": "HEAD~1..HEAD"})).await.text;
    assert!(diff.contains("+two") && !diff.contains("+one"));
    assert!(client.ok("git_diff", json!({"target": "HEAD~1"})).await.text.contains("+two"));
    assert_eq!(client.ok("git_diff", json!({"target": "HEAD~1...HEAD~1"})).await.text, "No differences");
}

#[tokio::test]
async fn branches_are_made_listed_and_switched() {
    let (_base, root, repository, mut client) = two_commits().await;
    client.ok("git_create_branch", json!({"branch_name": "old", "base_branch": "HEAD~1"})).await;
    client.refused("git_create_branch", json!({"branch_name": "old"}), "exists already").await;
    client.refused("git_create_branch", json!({"branch_name": "a..b"}), "not a valid branch name").await;
    let head = repository.head().unwrap().target().unwrap().to_string();
    let names = async |client: &mut Client, arguments: Value| client.ok("git_branch", arguments).await.text;
    assert_eq!(names(&mut client, json!({"branch_type": "local"})).await, "* main\n  old");
    assert_eq!(names(&mut client, json!({"contains": head})).await, "* main");
    assert_eq!(names(&mut client, json!({"not_contains": head})).await, "  old");
    assert_eq!(names(&mut client, json!({"branch_type": "remote"})).await, "No branches");
    client.refused("git_branch", json!({"branch_type": "every"}), "branch_type").await;

    assert_eq!(client.ok("git_checkout", json!({"branch_name": "old"})).await.text, "Switched to branch 'old'");
    assert!(!root.join("b.txt").exists());
    std::fs::write(root.join("b.txt"), "in the way").unwrap();
    client.refused("git_checkout", json!({"branch_name": "main"}), "would be overwritten").await;
    assert_eq!(std::fs::read_to_string(root.join("b.txt")).unwrap(), "in the way");
    std::fs::remove_file(root.join("b.txt")).unwrap();
    let detached = client.ok("git_checkout", json!({"branch_name": head})).await.text;
    assert_eq!(detached, format!("HEAD is now detached at {head}"));
    let status = client.ok("git_status", json!({})).await;
    assert_eq!(status.result["structuredContent"]["branch"], Value::Null);
}

#[tokio::test]
async fn names_that_look_like_options_are_refused_everywhere() {
    let (_base, root, repository, mut client) = two_commits().await;
    // Even where a reference of that name was put in place.
    let head = repository.head().unwrap().target().unwrap().to_string();
    std::fs::write(root.join(".git/refs/heads/--output=x"), format!("{head}\n")).unwrap();
    let name = "--output=x";
    for (tool, arguments) in [
        ("git_diff", json!({"target": name})),
        ("git_diff", json!({"target": format!("HEAD..{name}")})),
        ("git_show", json!({"revision": name})),
        ("git_checkout", json!({"branch_name": name})),
        ("git_create_branch", json!({"branch_name": name})),
        ("git_create_branch", json!({"branch_name": "fine", "base_branch": name})),
        ("git_branch", json!({"contains": name})),
        ("git_branch", json!({"not_contains": name})),
    ] {
        client.refused(tool, arguments, "begin with '-'").await;
    }
}

#[tokio::test]
async fn other_repositories_are_refused_however_they_are_named() {
    let (base, root, _, mut client) = two_commits().await;
    let other = base.path().join("repo-too");
    commit(&init(&other), "secret.txt", SECRET, 1_700_000_000);
    symlink(&other, root.join("link")).unwrap();
    for path in [
        other.display().to_string(),
        "../repo-too".to_owned(),
        format!("{}/../repo-too", root.display()),
        root.join("link").display().to_string(),
        "/".to_owned(),
        "/no/such/place".to_owned(),
    ] {
        client
            .refused("git_show", json!({"repo_path": path, "revision": "HEAD"}), "not in a repository that is served")
            .await;
    }
    // Directories of the served one are fine, and one name for two is not enough.
    std::fs::create_dir(root.join("sub")).unwrap();
    client.ok("git_status", json!({"repo_path": root.join("sub")})).await;
    client.ok("git_status", json!({"repo_path": "sub"})).await;
    let mut two = Client::start(served(&[&root, &other], false)).await;
    two.refused("git_status", json!({}), "'repo_path' must be one of").await;
    assert!(two.ok("git_show", json!({"repo_path": other, "revision": "HEAD"})).await.text.contains(SECRET));
}

#[tokio::test]
async fn a_repository_inside_may_not_point_outside() {
    let (base, root, _, mut client) = two_commits().await;
    let other = base.path().canonicalize().unwrap().join("other");
    commit(&init(&other), "secret.txt", SECRET, 1_700_000_000);
    // A file in the place of .git, as submodules and linked working trees have it.
    std::fs::create_dir(root.join("by-file")).unwrap();
    std::fs::write(root.join("by-file/.git"), format!("gitdir: {}/.git\n", other.display())).unwrap();
    // A repository whose working tree is elsewhere.
    init(&root.join("by-worktree")).config().unwrap().set_str("core.worktree", other.to_str().unwrap()).unwrap();
    // A repository that borrows objects.
    let borrower = init(&root.join("by-alternates"));
    let objects = format!("{}\n", other.join(".git/objects").display());
    std::fs::write(borrower.path().join("objects/info/alternates"), objects).unwrap();
    // A linked .git directory.
    std::fs::create_dir(root.join("by-link")).unwrap();
    symlink(other.join(".git"), root.join("by-link/.git")).unwrap();
    for inner in ["by-file", "by-worktree", "by-alternates", "by-link"] {
        let arguments = json!({"repo_path": inner, "revision": "HEAD"});
        client.refused("git_show", arguments, "is refused").await;
    }
    // One that keeps to itself is served.
    commit(&init(&root.join("honest")), "f", "x", 1_700_000_000);
    assert!(client.ok("git_log", json!({"repo_path": "honest"})).await.text.contains("write f"));
    // And the served one is refused once it was made to point elsewhere.
    Repository::open(&root).unwrap().config().unwrap().set_str("core.worktree", other.to_str().unwrap()).unwrap();
    client.refused("git_status", json!({}), "is refused").await;
}

#[tokio::test]
async fn nothing_outside_is_staged() {
    let (base, root, _, mut client) = two_commits().await;
    let outside = base.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.txt"), SECRET).unwrap();
    symlink(&outside, root.join("dir")).unwrap();
    symlink(outside.join("secret.txt"), root.join("file")).unwrap();
    client.refused("git_add", json!({"files": ["../outside/secret.txt"]}), "not a path inside").await;
    client.refused("git_add", json!({"files": [outside.join("secret.txt")]}), "not a path inside").await;
    client.refused("git_add", json!({"files": ["a.txt\u{0}"]}), "not a path inside").await;
    client.refused("git_add", json!({"files": [".git/config"]}), "").await;
    client.refused("git_add", json!({"files": ["dir/secret.txt"]}), "symbolic link dir").await;
    client.refused("git_add", json!({"files": []}), "1 to 1000").await;
    client.ok("git_add", json!({"files": ["."]})).await;
    let diff = client.ok("git_diff_staged", json!({})).await.text;
    assert!(!diff.contains(SECRET), "{diff}");
    assert_eq!(diff.matches("new file mode 120000").count(), 2, "links are staged as links: {diff}");
    // A tracked directory that becomes a link shows as gone, not as what is behind the link.
    std::fs::write(root.join(".gitignore"), "*.log\n").unwrap();
    std::fs::write(root.join("x.log"), "").unwrap();
    client.refused("git_add", json!({"files": ["x.log"]}), "ignored").await;
}

#[tokio::test]
async fn a_tracked_directory_swapped_for_a_link_shows_nothing_from_outside() {
    let (base, root, repository, mut client) = two_commits().await;
    let outside = base.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f.txt"), SECRET).unwrap();
    std::fs::create_dir(root.join("dir")).unwrap();
    commit(&repository, "dir/f.txt", "mine\n", 1_760_000_000);
    std::fs::remove_dir_all(root.join("dir")).unwrap();
    symlink(&outside, root.join("dir")).unwrap();
    for (tool, arguments) in [("git_diff_unstaged", json!({})), ("git_diff", json!({"target": "HEAD"}))] {
        let text = client.ok(tool, arguments).await.text;
        assert!(text.contains("-mine") && !text.contains(SECRET), "{tool}: {text}");
    }
    client.ok("git_add", json!({"files": ["."]})).await;
    assert!(!client.ok("git_diff_staged", json!({})).await.text.contains(SECRET));
    // And a checkout does not write through it.
    client.ok("git_reset", json!({})).await;
    client.call("git_checkout", json!({"branch_name": "HEAD~1"})).await;
    assert_eq!(std::fs::read_to_string(outside.join("f.txt")).unwrap(), SECRET);
}

#[tokio::test]
async fn hooks_and_filters_of_a_hostile_repository_are_not_run() {
    let (base, root, repository, mut client) = two_commits().await;
    let witness = base.path().join("was-run");
    let script = format!("#!/bin/sh\necho x >> {}\ncat\n", witness.display());
    let program = base.path().join("evil.sh");
    for hook in
        ["pre-commit", "commit-msg", "post-commit", "post-checkout", "reference-transaction", "post-index-change"]
    {
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        let path = root.join(".git/hooks").join(hook);
        std::fs::write(&path, &script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(&program, &script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = repository.config().unwrap();
    for key in [
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.fsmonitor",
        "core.sshCommand",
        "core.editor",
        "core.pager",
        "gpg.program",
        "merge.evil.driver",
    ] {
        config.set_str(key, program.to_str().unwrap()).unwrap();
    }
    config.set_bool("commit.gpgsign", true).unwrap();
    std::fs::write(root.join(".gitattributes"), "* filter=evil diff=evil merge=evil\n").unwrap();
    std::fs::write(root.join("a.txt"), "changed\n").unwrap();
    for (tool, arguments) in [
        ("git_status", json!({})),
        ("git_diff_unstaged", json!({})),
        ("git_diff", json!({"target": "HEAD~1"})),
        ("git_add", json!({"files": ["."]})),
        ("git_diff_staged", json!({})),
        ("git_commit", json!({"message": "x"})),
        ("git_create_branch", json!({"branch_name": "b", "base_branch": "HEAD~1"})),
        ("git_checkout", json!({"branch_name": "b"})),
        ("git_show", json!({"revision": "main"})),
        ("git_log", json!({})),
    ] {
        client.ok(tool, arguments).await;
    }
    assert!(!witness.exists(), "a program of the repository was run");
}

#[tokio::test]
async fn a_huge_diff_is_cut_and_says_so() {
    let (_base, root, _, mut client) = two_commits().await;
    std::fs::write(root.join("a.txt"), "0123456789abcde\n".repeat(40_000)).unwrap();
    let diff = client.ok("git_diff_unstaged", json!({})).await.text;
    assert!(diff.len() < 257 * 1024, "{}", diff.len());
    assert!(diff.ends_with("more bytes are not shown)"));
    std::fs::write(root.join("a.txt"), "0123456789abcde\n".repeat(700_000)).unwrap();
    let diff = client.ok("git_diff_unstaged", json!({})).await.text;
    assert!(diff.contains("Binary files") && diff.len() < 1_000, "{}", diff.len());
    client.refused("git_diff_unstaged", json!({"context_lines": 4_000_000}), "at most 10000").await;
}

#[tokio::test]
async fn a_merge_is_concluded_with_both_parents() {
    let (_base, root, _, mut client) = two_commits().await;
    client.ok("git_create_branch", json!({"branch_name": "side", "base_branch": "HEAD~1"})).await;
    client.ok("git_checkout", json!({"branch_name": "side"})).await;
    // A handle keeps the index it has read: what the server changed is seen by a new one.
    let side = commit(&Repository::open(&root).unwrap(), "c.txt", "three\n", 1_760_000_000);
    client.ok("git_checkout", json!({"branch_name": "main"})).await;
    let repository = Repository::open(&root).unwrap();
    let annotated = repository.find_annotated_commit(side).unwrap();
    repository.merge(&[&annotated], None, None).unwrap();
    client.refused("git_checkout", json!({"branch_name": "side"}), "Merge is going on").await;
    client.ok("git_commit", json!({"message": "merge side"})).await;
    let head = repository.head().unwrap().peel_to_commit().unwrap();
    assert_eq!(head.parent_ids().nth(1), Some(side));
    assert_eq!(repository.state(), git2::RepositoryState::Clean);
    assert!(root.join("b.txt").exists() && root.join("c.txt").exists());
}
