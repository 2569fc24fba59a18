//! What the Filesystem server does (GW-3, TOOL-1).

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::{Client, files};

async fn served(write: bool) -> (tempfile::TempDir, PathBuf, Client) {
    let root = tempfile::tempdir().unwrap();
    let real = root.path().canonicalize().unwrap();
    let client = Client::start(files(&[&real], write)).await;
    (root, real, client)
}

#[tokio::test]
async fn the_tools_are_those_of_the_reference_server_and_the_writing_ones_only_with_write() {
    let reading = [
        "read_text_file",
        "read_file",
        "read_media_file",
        "read_multiple_files",
        "list_directory",
        "list_directory_with_sizes",
        "directory_tree",
        "search_files",
        "get_file_info",
        "list_allowed_directories",
    ];
    let (_root, _, mut client) = served(false).await;
    assert_eq!(client.tool_names().await, reading);
    for tool in ["write_file", "edit_file", "create_directory", "move_file"] {
        let answer =
            client.request("tools/call", json!({"name": tool, "arguments": {"path": "x", "content": "y"}})).await;
        assert_eq!(answer["error"]["code"], -32602, "{tool}");
    }
    let (_root, _, mut client) = served(true).await;
    let names = client.tool_names().await;
    assert_eq!(names[..reading.len()], reading);
    assert_eq!(names[reading.len()..], ["write_file", "create_directory", "move_file", "edit_file"]);
}

#[tokio::test]
async fn text_is_read_whole_or_from_either_end() {
    let (_root, real, mut client) = served(false).await;
    std::fs::write(real.join("f.txt"), "one\ntwo\nthree\nfour\n").unwrap();
    std::fs::write(real.join("open-end.txt"), "one\ntwo").unwrap();
    std::fs::write(real.join("binary"), [0xff, 0xfe, 0x00]).unwrap();
    let cases = [
        (json!({"path": "f.txt"}), "one\ntwo\nthree\nfour\n"),
        (json!({"path": "f.txt", "head": 2}), "one\ntwo\n"),
        (json!({"path": "f.txt", "head": 0}), ""),
        (json!({"path": "f.txt", "head": 99}), "one\ntwo\nthree\nfour\n"),
        (json!({"path": "f.txt", "tail": 1}), "four\n"),
        (json!({"path": "f.txt", "tail": 2}), "three\nfour\n"),
        (json!({"path": "f.txt", "tail": 99}), "one\ntwo\nthree\nfour\n"),
        (json!({"path": "open-end.txt", "tail": 1}), "two"),
        (json!({"path": real.join("f.txt"), "head": 1}), "one\n"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(client.ok("read_text_file", arguments.clone()).await.text, expected, "{arguments}");
    }
    client.refused("read_text_file", json!({"path": "f.txt", "head": 1, "tail": 1}), "not both").await;
    client.refused("read_text_file", json!({"path": "binary"}), "not UTF-8").await;
    client.refused("read_text_file", json!({"path": "."}), "is a directory").await;
}

#[tokio::test]
async fn a_file_over_the_bound_is_read_in_parts_only() {
    let (_root, real, mut client) = served(false).await;
    std::fs::write(real.join("big.txt"), "0123456789abcde\n".repeat(11 * 65_536)).unwrap();
    client.refused("read_text_file", json!({"path": "big.txt"}), "'head' or 'tail'").await;
    client.refused("read_media_file", json!({"path": "big.txt"}), "too large").await;
    assert_eq!(client.ok("read_text_file", json!({"path": "big.txt", "tail": 1})).await.text, "0123456789abcde\n");
    let cut = client.ok("read_text_file", json!({"path": "big.txt", "head": 4_000_000})).await;
    assert_eq!(cut.result["content"].as_array().unwrap().len(), 2);
    assert!(cut.text.ends_with("fit into 10485760 bytes)"));
}

#[tokio::test]
async fn several_files_are_read_together_and_one_failure_stops_none() {
    let (_root, real, mut client) = served(false).await;
    std::fs::write(real.join("a"), "AAA").unwrap();
    std::fs::write(real.join("b"), "BBB").unwrap();
    let text = client.ok("read_multiple_files", json!({"paths": ["a", "gone", "b"]})).await.text;
    assert!(text.contains("a:\nAAA") && text.contains("gone: Error - ") && text.contains("b:\nBBB"), "{text}");
    client.refused("read_multiple_files", json!({"paths": []}), "1 to 100").await;
}

#[tokio::test]
async fn media_come_as_base64_under_their_type() {
    let (_root, real, mut client) = served(false).await;
    std::fs::write(real.join("p.PNG"), [137, 80, 78, 71]).unwrap();
    std::fs::write(real.join("s.mp3"), b"ID3").unwrap();
    std::fs::write(real.join("d.bin"), [0, 255]).unwrap();
    let block = |called: &Value| called["content"][0].clone();
    let image = client.ok("read_media_file", json!({"path": "p.PNG"})).await;
    assert_eq!(block(&image.result), json!({"type": "image", "data": "iVBORw==", "mimeType": "image/png"}));
    let sound = client.ok("read_media_file", json!({"path": "s.mp3"})).await;
    assert_eq!(block(&sound.result)["type"], "audio");
    let other = client.ok("read_media_file", json!({"path": "d.bin"})).await;
    let resource = block(&other.result)["resource"].clone();
    assert_eq!((&resource["blob"], &resource["mimeType"]), (&json!("AP8="), &json!("application/octet-stream")));
    assert_eq!(resource["uri"], format!("file://{}/d.bin", real.display()));
}

#[tokio::test]
async fn directories_are_listed_as_text_and_as_data() {
    let (_root, real, mut client) = served(false).await;
    std::fs::create_dir(real.join("sub")).unwrap();
    std::fs::write(real.join("small"), "1").unwrap();
    std::fs::write(real.join("large"), "12345").unwrap();
    let listing = client.ok("list_directory", json!({"path": "."})).await;
    assert_eq!(listing.text, "[FILE] large\n[FILE] small\n[DIR] sub");
    assert_eq!(listing.result["structuredContent"]["entries"][2], json!({"name": "sub", "type": "directory"}));
    let sized = client.ok("list_directory_with_sizes", json!({"path": ".", "sortBy": "size"})).await;
    assert!(sized.text.starts_with("[FILE] large 5\n[FILE] small 1\n[DIR] sub\n"), "{}", sized.text);
    assert!(sized.text.ends_with("Total: 2 files, 1 directories, 6 bytes"));
    client.refused("list_directory_with_sizes", json!({"path": ".", "sortBy": "age"}), "sortBy").await;
    assert_eq!(client.ok("list_directory", json!({"path": "sub"})).await.text, "(empty directory)");
    client.refused("list_directory", json!({"path": "small"}), "cannot list").await;
}

#[tokio::test]
async fn a_tree_leaves_out_what_is_excluded_and_stops_at_its_bounds() {
    let (_root, real, mut client) = served(false).await;
    std::fs::create_dir_all(real.join("src/deep")).unwrap();
    std::fs::create_dir_all(real.join("node_modules/x")).unwrap();
    std::fs::write(real.join("src/deep/a.rs"), "").unwrap();
    std::fs::write(real.join("src/b.log"), "").unwrap();
    let arguments = json!({"path": ".", "excludePatterns": ["node_modules", "**/*.log"]});
    let tree = client.ok("directory_tree", arguments).await.result["structuredContent"].clone();
    let expected = json!([{"name": "src", "type": "directory", "children": [
        {"name": "deep", "type": "directory", "children": [{"name": "a.rs", "type": "file"}]}]}]);
    assert_eq!(tree, json!({"entries": expected, "truncated": false}));

    let mut deep = real.clone();
    for _ in 0..70 {
        deep.push("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    let tree = client.ok("directory_tree", json!({"path": "."})).await;
    assert_eq!(tree.result["structuredContent"]["truncated"], true);
    let many = real.join("many");
    std::fs::create_dir(&many).unwrap();
    for index in 0..10_001 {
        std::fs::write(many.join(index.to_string()), "").unwrap();
    }
    let tree = client.ok("directory_tree", json!({"path": "many"})).await.result["structuredContent"].clone();
    assert_eq!((tree["entries"].as_array().unwrap().len(), &tree["truncated"]), (10_000, &json!(true)));
    assert!(
        client.ok("list_directory", json!({"path": "many"})).await.text.ends_with("(cut: more than 10000 entries)")
    );
}

#[tokio::test]
async fn files_are_found_by_the_pattern_of_their_path() {
    let (_root, real, mut client) = served(false).await;
    std::fs::create_dir_all(real.join("a/b")).unwrap();
    for name in ["x.md", "a/y.md", "a/b/z.md", "a/b/z.txt"] {
        std::fs::write(real.join(name), "").unwrap();
    }
    let cases = [
        (json!({"path": ".", "pattern": "*.md"}), vec!["x.md"]),
        (json!({"path": ".", "pattern": "**/*.md"}), vec!["a/b/z.md", "a/y.md", "x.md"]),
        (json!({"path": "a", "pattern": "**/*.{md,txt}", "excludePatterns": ["y.*"]}), vec!["a/b/z.md", "a/b/z.txt"]),
        (json!({"path": ".", "pattern": "**/b"}), vec!["a/b"]),
    ];
    for (arguments, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|name| real.join(name).display().to_string()).collect();
        let found = client.ok("search_files", arguments.clone()).await;
        assert_eq!(found.result["structuredContent"]["paths"], json!(expected), "{arguments}");
        assert_eq!(found.text, expected.join("\n"));
    }
    client.refused("search_files", json!({"path": ".", "pattern": ""}), "pattern").await;
}

#[tokio::test]
async fn information_about_a_file_is_exact() {
    let (_root, real, mut client) = served(false).await;
    std::fs::write(real.join("f"), "12345").unwrap();
    std::fs::set_permissions(real.join("f"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let file = std::fs::File::options().write(true).open(real.join("f")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    let info = client.ok("get_file_info", json!({"path": "f"})).await;
    let data = &info.result["structuredContent"];
    assert_eq!((&data["size"], &data["permissions"]), (&json!(5), &json!("640")));
    assert_eq!((&data["isFile"], &data["modified"]), (&json!(true), &json!("2001-09-09T01:46:40Z")));
    assert!(info.text.contains("size: 5\n"));
    let allowed = client.ok("list_allowed_directories", json!({})).await;
    assert_eq!(allowed.result["structuredContent"]["directories"], json!([real]));
}

#[tokio::test]
async fn a_write_replaces_the_file_in_one_step_and_keeps_its_permissions() {
    let (_root, real, mut client) = served(true).await;
    client.ok("write_file", json!({"path": "new.txt", "content": "first"})).await;
    std::fs::set_permissions(real.join("new.txt"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let reader = std::fs::File::open(real.join("new.txt")).unwrap();
    client.ok("write_file", json!({"path": real.join("new.txt"), "content": "second"})).await;
    assert_eq!(std::fs::read_to_string(real.join("new.txt")).unwrap(), "second");
    assert_eq!(std::io::read_to_string(reader).unwrap(), "first", "who read the old file keeps it whole");
    assert_eq!(std::fs::metadata(real.join("new.txt")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(&real).unwrap().count(), 1, "no temporary file is left");
    client.refused("write_file", json!({"path": "no/dir/f", "content": ""}), "no such file or directory").await;
    client.refused("write_file", json!({"path": "f", "content": "x".repeat(10 * 1024 * 1024 + 1)}), "at most").await;
    client.ok("create_directory", json!({"path": "no/dir"})).await;
    client.ok("create_directory", json!({"path": "no/dir"})).await;
    client.ok("write_file", json!({"path": "no/dir/f", "content": ""})).await;
    client.refused("write_file", json!({"path": "no/dir", "content": ""}), "is a directory").await;
}

#[tokio::test]
async fn edits_are_shown_as_a_diff_and_made_together_or_not_at_all() {
    let (_root, real, mut client) = served(true).await;
    std::fs::write(real.join("f"), "one\ntwo\nthree\n").unwrap();
    let edits = json!([{"oldText": "two", "newText": "2"}, {"oldText": "2\nthree", "newText": "2\n3"}]);
    let dry = client.ok("edit_file", json!({"path": "f", "edits": edits, "dryRun": true})).await.text;
    assert!(dry.contains("-two\n-three\n+2\n+3\n"), "{dry}");
    assert_eq!(std::fs::read_to_string(real.join("f")).unwrap(), "one\ntwo\nthree\n");
    let failing = json!([{"oldText": "two", "newText": "2"}, {"oldText": "four", "newText": "4"}]);
    client.refused("edit_file", json!({"path": "f", "edits": failing}), "edits[1]: 'oldText' does not occur").await;
    assert_eq!(std::fs::read_to_string(real.join("f")).unwrap(), "one\ntwo\nthree\n");
    let made = client.ok("edit_file", json!({"path": "f", "edits": edits})).await.text;
    assert_eq!(made, dry);
    assert_eq!(std::fs::read_to_string(real.join("f")).unwrap(), "one\n2\n3\n");
}

#[tokio::test]
async fn a_move_never_overwrites() {
    let (_root, real, mut client) = served(true).await;
    std::fs::write(real.join("a"), "A").unwrap();
    std::fs::write(real.join("b"), "B").unwrap();
    client.refused("move_file", json!({"source": "a", "destination": "b"}), "exists already").await;
    client.refused("move_file", json!({"source": "gone", "destination": "c"}), "does not exist").await;
    client.ok("move_file", json!({"source": "a", "destination": "c"})).await;
    assert_eq!(std::fs::read_to_string(real.join("c")).unwrap(), "A");
    assert_eq!(std::fs::read_to_string(real.join("b")).unwrap(), "B");
    assert!(!real.join("a").exists());
}

#[tokio::test]
async fn two_roots_are_served_and_the_innermost_one_answers() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(two.path().join("f"), "of two").unwrap();
    let mut client = Client::start(files(&[one.path(), two.path()], true)).await;
    assert_eq!(client.ok("read_text_file", json!({"path": two.path().join("f")})).await.text, "of two");
    client.refused("read_text_file", json!({"path": "f"}), "no such file").await;
    let destination = one.path().join("g");
    client.ok("move_file", json!({"source": two.path().join("f"), "destination": destination})).await;
    assert_eq!(client.ok("read_text_file", json!({"path": "g"})).await.text, "of two");
}
