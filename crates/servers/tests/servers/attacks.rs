//! Ways out of the served directories, each of which must be closed (GW-3, VAL-3).

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::client::{Client, files};

const SECRET: &str = "the secret outside";
const OUTSIDE: &str = "outside the allowed directories";

/// `base/inside` is served; `base/outside/secret.txt` must never be seen or changed.
struct Ground {
    _base: tempfile::TempDir,
    inside: PathBuf,
    outside: PathBuf,
}

fn ground() -> Ground {
    let base = tempfile::tempdir().unwrap();
    let real = base.path().canonicalize().unwrap();
    let (inside, outside) = (real.join("inside"), real.join("outside"));
    std::fs::create_dir_all(inside.join("dir")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret.txt"), SECRET).unwrap();
    std::fs::write(inside.join("plain.txt"), "plain").unwrap();
    Ground { _base: base, inside, outside }
}

async fn writer(ground: &Ground) -> Client {
    Client::start(files(&[&ground.inside], true)).await
}

/// Every tool that takes a path must refuse this one, for any reason that is its own.
async fn refused_by_all(client: &mut Client, path: &str) {
    for tool in ["read_text_file", "read_file", "read_media_file", "get_file_info", "list_directory", "directory_tree"]
    {
        let called = client.call(tool, json!({"path": path})).await;
        assert!(called.failed, "{tool} {path}: {}", called.text);
        assert!(!called.text.contains(SECRET));
    }
    let writing = [
        ("search_files", json!({"path": path, "pattern": "**"})),
        ("list_directory_with_sizes", json!({"path": path})),
        ("write_file", json!({"path": path, "content": "x"})),
        ("edit_file", json!({"path": path, "edits": [{"oldText": "secret", "newText": "x"}]})),
        ("create_directory", json!({"path": format!("{path}/new")})),
        ("move_file", json!({"source": path, "destination": "taken"})),
        ("move_file", json!({"source": "plain.txt", "destination": path})),
    ];
    for (tool, arguments) in writing {
        let called = client.call(tool, arguments).await;
        assert!(called.failed, "{tool} {path}: {}", called.text);
    }
    let many = client.ok("read_multiple_files", json!({"paths": [path]})).await;
    assert!(many.text.contains("Error - ") && !many.text.contains(SECRET), "{}", many.text);
}

fn untouched(ground: &Ground) {
    assert_eq!(std::fs::read_to_string(ground.outside.join("secret.txt")).unwrap(), SECRET);
    assert_eq!(std::fs::read_dir(&ground.outside).unwrap().count(), 1, "something new lies outside");
    assert_eq!(std::fs::read_to_string(ground.inside.join("plain.txt")).unwrap(), "plain");
}

#[tokio::test]
async fn parent_steps_do_not_lead_out() {
    let ground = ground();
    let mut client = writer(&ground).await;
    let inside = ground.inside.display();
    for path in [
        "../outside/secret.txt".to_owned(),
        "dir/../../outside/secret.txt".to_owned(),
        "dir/../../inside/../outside/secret.txt".to_owned(),
        format!("{inside}/../outside/secret.txt"),
        format!("{inside}/dir/../../outside/secret.txt"),
        "..".to_owned(),
        "../../../../../../../../etc/passwd".to_owned(),
    ] {
        refused_by_all(&mut client, &path).await;
    }
    client.refused("read_text_file", json!({"path": "../outside/secret.txt"}), OUTSIDE).await;
    // Steps that stay inside are fine.
    assert_eq!(client.ok("read_text_file", json!({"path": "dir/../plain.txt"})).await.text, "plain");
    untouched(&ground);
}

#[tokio::test]
async fn absolute_paths_outside_are_refused_also_where_the_name_begins_alike() {
    let ground = ground();
    let twin = ground.inside.parent().unwrap().join("inside-too");
    std::fs::create_dir(&twin).unwrap();
    std::fs::write(twin.join("secret.txt"), SECRET).unwrap();
    let mut client = writer(&ground).await;
    for path in [twin.join("secret.txt"), ground.outside.join("secret.txt"), PathBuf::from("/etc/passwd"), "/".into()] {
        let path = path.display().to_string();
        refused_by_all(&mut client, &path).await;
        client.refused("read_text_file", json!({"path": path}), OUTSIDE).await;
    }
    untouched(&ground);
}

#[tokio::test]
async fn symbolic_links_do_not_lead_out() {
    let ground = ground();
    symlink(ground.outside.join("secret.txt"), ground.inside.join("absolute-file")).unwrap();
    symlink(&ground.outside, ground.inside.join("absolute-dir")).unwrap();
    symlink("../outside/secret.txt", ground.inside.join("relative-file")).unwrap();
    symlink("../../outside", ground.inside.join("dir/relative-dir")).unwrap();
    symlink("relative-file", ground.inside.join("link-to-link")).unwrap();
    symlink("/proc/self/root/etc", ground.inside.join("proc")).unwrap();
    symlink("/proc/self/cwd", ground.inside.join("cwd")).unwrap();
    symlink("loop-b", ground.inside.join("loop-a")).unwrap();
    symlink("loop-a", ground.inside.join("loop-b")).unwrap();
    let mut client = writer(&ground).await;
    for path in ["absolute-dir/secret.txt", "dir/relative-dir/secret.txt", "proc/passwd", "cwd/Cargo.toml"] {
        refused_by_all(&mut client, path).await;
    }
    for path in ["absolute-file", "relative-file", "link-to-link", "absolute-dir", "dir/relative-dir", "loop-a"] {
        for tool in ["read_text_file", "read_media_file", "get_file_info", "list_directory", "directory_tree"] {
            let called = client.call(tool, json!({"path": path})).await;
            assert!(called.failed, "{tool} {path}: {}", called.text);
        }
        let write = client.call("write_file", json!({"path": path, "content": "x"})).await;
        assert!(write.failed, "write_file {path}: {}", write.text);
    }
    // Walks show links and do not enter them.
    let tree = client.ok("directory_tree", json!({"path": "."})).await.text;
    assert!(tree.contains(r#""type":"link""#) && !tree.contains("secret.txt"), "{tree}");
    let found = client.ok("search_files", json!({"path": ".", "pattern": "**/secret.txt"})).await.text;
    assert_eq!(found, "No matches found");
    untouched(&ground);
}

#[tokio::test]
async fn a_link_inside_may_be_followed_and_written_through() {
    let ground = ground();
    symlink("plain.txt", ground.inside.join("alias")).unwrap();
    symlink("nowhere", ground.inside.join("dangling")).unwrap();
    let mut client = writer(&ground).await;
    assert_eq!(client.ok("read_text_file", json!({"path": "alias"})).await.text, "plain");
    client.ok("write_file", json!({"path": "alias", "content": "changed"})).await;
    assert_eq!(std::fs::read_to_string(ground.inside.join("plain.txt")).unwrap(), "changed");
    assert!(ground.inside.join("alias").symlink_metadata().unwrap().is_symlink(), "the link is still one");
    client.refused("write_file", json!({"path": "dangling", "content": "x"}), "no such file").await;
    // Moving a link moves the link.
    client.ok("move_file", json!({"source": "alias", "destination": "dir/alias"})).await;
    assert!(ground.inside.join("dir/alias").symlink_metadata().unwrap().is_symlink());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_swapped_for_a_link_in_a_race_never_leads_out() {
    let ground = ground();
    let swapped = ground.inside.join("swapped");
    let (kept, link) = (ground.inside.join("kept"), ground.inside.join("link"));
    std::fs::create_dir(&swapped).unwrap();
    std::fs::write(swapped.join("secret.txt"), "harmless").unwrap();
    symlink(&ground.outside, &link).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, swapped) = (Arc::clone(&stop), swapped.clone());
        move || {
            let mut swaps = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                swap(&swapped, &kept, &link);
                swaps += 1;
            }
            swaps
        }
    });
    let mut client = writer(&ground).await;
    let mut harmless = 0;
    for _ in 0..600 {
        let called = client.call("read_text_file", json!({"path": "swapped/secret.txt"})).await;
        assert!(!called.text.contains(SECRET));
        harmless += u32::from(called.text == "harmless");
        let called = client.call("list_directory", json!({"path": "swapped"})).await;
        assert!(
            called.failed
                || called.text == "[FILE] secret.txt"
                || called.text == "[FILE] written.txt\n[FILE] secret.txt"
                || called.text == "[FILE] secret.txt\n[FILE] written.txt"
                || called.text.contains(".tmp"),
            "{}",
            called.text
        );
        client.call("write_file", json!({"path": "swapped/written.txt", "content": "x"})).await;
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = swapper.join().unwrap();
    assert!(harmless > 0 && swaps > 100, "the race did not happen: {harmless} good reads, {swaps} swaps");
    untouched(&ground);
}

/// Puts the link in the place of the directory, and back.
fn swap(swapped: &Path, kept: &Path, link: &Path) {
    std::fs::rename(swapped, kept).unwrap();
    std::fs::rename(link, swapped).unwrap();
    std::fs::rename(swapped, link).unwrap();
    std::fs::rename(kept, swapped).unwrap();
}

#[tokio::test]
async fn pipes_and_devices_are_refused_without_waiting() {
    let ground = ground();
    let pipe = ground.inside.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let socket = std::os::unix::net::UnixListener::bind(ground.inside.join("socket")).unwrap();
    let mut client = writer(&ground).await;
    for path in ["pipe", "socket"] {
        for tool in ["read_text_file", "read_media_file"] {
            client.refused(tool, json!({"path": path}), "not a regular file").await;
        }
        client.refused("write_file", json!({"path": path, "content": "x"}), "not a regular file").await;
        let edit = json!({"path": path, "edits": [{"oldText": "a", "newText": "b"}]});
        client.refused("edit_file", edit, "not a regular file").await;
    }
    drop(socket);
    // With all of /dev served, its devices still are not read.
    let mut client = Client::start(files(&[Path::new("/dev")], false)).await;
    for device in ["zero", "random", "tty"] {
        client.refused("read_text_file", json!({"path": device}), "not a regular file").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_swapped_for_a_pipe_in_a_race_never_makes_a_reader_wait() {
    let ground = ground();
    let (swapped, kept, pipe) = (ground.inside.join("swapped"), ground.inside.join("kept"), ground.inside.join("pipe"));
    std::fs::write(&swapped, "harmless").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (stop, swapped) = (Arc::clone(&stop), swapped.clone());
        move || {
            while !stop.load(Ordering::Relaxed) {
                swap(&swapped, &kept, &pipe);
            }
        }
    });
    let mut client = writer(&ground).await;
    let (mut read, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let called = client.call("read_text_file", json!({"path": "swapped"})).await;
        read += u32::from(called.text == "harmless");
        refused += u32::from(called.text.contains("not a regular file"));
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(read > 0 && refused > 0, "the race did not happen: {read} read, {refused} refused");
}

#[tokio::test]
async fn nul_empty_and_overlong_paths_are_refused() {
    let ground = ground();
    let mut client = writer(&ground).await;
    client.refused("read_text_file", json!({"path": "plain.txt\u{0}.png"}), "NUL").await;
    client.refused("read_text_file", json!({"path": ""}), "1 to 4096").await;
    client.refused("read_text_file", json!({"path": "a/".repeat(3_000)}), "1 to 4096").await;
    client.refused("read_text_file", json!({"path": "n".repeat(300)}), "name too long").await;
}

#[tokio::test]
async fn proc_served_as_a_root_shows_no_way_out() {
    let mut client = Client::start(files(&[Path::new("/proc/self")], false)).await;
    for path in ["root/etc/passwd", "cwd/Cargo.toml", "/proc/self/root/etc/passwd", "exe", "fd/0"] {
        let called = client.call("read_text_file", json!({"path": path})).await;
        assert!(called.failed, "{path}: {}", called.text);
    }
    // Files of the kernel's own say that they are empty and are read all the same.
    assert!(client.ok("read_text_file", json!({"path": "status"})).await.text.contains("Pid:"));
}

#[tokio::test]
async fn a_root_that_is_a_link_serves_its_target_by_both_names() {
    let ground = ground();
    let alias = ground.inside.parent().unwrap().join("alias");
    symlink(&ground.inside, &alias).unwrap();
    let mut client = Client::start(files(&[&alias], false)).await;
    for path in [alias.join("plain.txt"), ground.inside.join("plain.txt"), PathBuf::from("plain.txt")] {
        assert_eq!(client.ok("read_text_file", json!({"path": path})).await.text, "plain");
    }
    // The root stays what it was when the server started, wherever the link leads now.
    std::fs::remove_file(&alias).unwrap();
    symlink(&ground.outside, &alias).unwrap();
    client.refused("read_text_file", json!({"path": alias.join("secret.txt")}), "no such file").await;
    assert_eq!(client.ok("read_text_file", json!({"path": "plain.txt"})).await.text, "plain");
}

#[tokio::test]
async fn a_root_itself_is_not_moved_or_written_over() {
    let ground = ground();
    let mut client = writer(&ground).await;
    for root in [".".to_owned(), ground.inside.display().to_string(), "dir/..".to_owned()] {
        let called = client.call("move_file", json!({"source": root, "destination": "dir/x"})).await;
        assert!(called.failed, "{root}: {}", called.text);
        let called = client.call("write_file", json!({"path": root, "content": "x"})).await;
        assert!(called.failed, "{root}: {}", called.text);
    }
    untouched(&ground);
}
