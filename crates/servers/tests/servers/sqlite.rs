//! What the Database server does with a SQLite file, and what it refuses (GW-3, TOOL-1, VAL-3).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use omni_servers::{BuiltIn, database};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::client::Client;

fn served(url: &str, write: bool, rows_max: u32, timeout_s: u32) -> BuiltIn {
    BuiltIn::Database(database::Options { url: url.to_owned(), write, rows_max, timeout_s })
}

struct Ground {
    base: tempfile::TempDir,
    path: PathBuf,
    url: String,
}

/// A database of two tables, and another one beside it that must stay out of reach.
fn ground() -> Ground {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("shop.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x', price REAL, picture BLOB);
             CREATE TABLE sale (item INTEGER REFERENCES item (id) ON DELETE CASCADE, at TEXT);
             CREATE UNIQUE INDEX sale_at ON sale (at, item);
             CREATE VIEW cheap AS SELECT * FROM item WHERE price < 2;
             INSERT INTO item VALUES (1, 'apple', 1.5, x'00ff'), (2, 'pear', NULL, NULL), (9223372036854775807, 'big', 1e300, NULL);",
        )
        .unwrap();
    let secret = Connection::open(base.path().join("secret.db")).unwrap();
    secret.execute_batch("CREATE TABLE secret (word TEXT); INSERT INTO secret VALUES ('hidden')").unwrap();
    let url = format!("sqlite:{}", path.display());
    Ground { base, path, url }
}

async fn reader(ground: &Ground) -> Client {
    Client::start(served(&ground.url, false, 1_000, 30)).await
}

async fn writer(ground: &Ground) -> Client {
    Client::start(served(&ground.url, true, 1_000, 30)).await
}

async fn rows(client: &mut Client, sql: &str) -> Value {
    client.ok("read_query", json!({"query": sql})).await.result["structuredContent"]["rows"].clone()
}

fn content(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn the_tools_are_those_of_the_reference_server_and_the_writing_ones_only_with_write() {
    let ground = ground();
    let mut client = reader(&ground).await;
    assert_eq!(client.tool_names().await, ["read_query", "list_tables", "describe_table"]);
    let answer = client.request("tools/call", json!({"name": "write_query", "arguments": {"query": "x"}})).await;
    assert_eq!(answer["error"]["code"], -32602);
    let mut client = writer(&ground).await;
    let names = ["read_query", "list_tables", "describe_table", "write_query", "create_table"];
    assert_eq!(client.tool_names().await, names);
}

#[tokio::test]
async fn rows_come_with_their_columns_and_lose_nothing() {
    let ground = ground();
    let mut client = reader(&ground).await;
    let called = client.ok("read_query", json!({"query": "SELECT * FROM item ORDER BY id"})).await;
    let result = &called.result["structuredContent"];
    let columns = json!([
        {"name": "id", "type": "INTEGER"}, {"name": "name", "type": "TEXT"},
        {"name": "price", "type": "REAL"}, {"name": "picture", "type": "BLOB"},
    ]);
    assert_eq!(result["columns"], columns);
    let expected = json!([
        [1, "apple", 1.5, {"base64": "AP8="}],
        [2, "pear", null, null],
        [9_223_372_036_854_775_807_i64, "big", 1e300, null],
    ]);
    assert_eq!(result["rows"], expected);
    assert_eq!((&result["row_count"], &result["truncated"]), (&json!(3), &json!(false)));
    assert!(called.text.contains("9223372036854775807"));
    // Two columns of one name, an infinity, a text that is no UTF-8.
    let odd = rows(&mut client, "SELECT 1 AS a, 2 AS a, 9e999, -9e999, CAST(x'ff' AS TEXT)").await;
    assert_eq!(odd, json!([[1, 2, "Infinity", "-Infinity", {"base64": "/w=="}]]));
}

#[tokio::test]
async fn parameters_are_values_and_never_text() {
    let ground = ground();
    let mut client = reader(&ground).await;
    let sql = "SELECT ?1, typeof(?1), ?2, typeof(?2), ?3, typeof(?3), ?4, ?5, typeof(?5)";
    let params = json!(["'; DROP TABLE item; --", 5, 2.5, null, {"base64": "AP8="}]);
    let called = client.ok("read_query", json!({"query": sql, "params": params})).await;
    let expected =
        json!([["'; DROP TABLE item; --", "text", 5, "integer", 2.5, "real", null, {"base64": "AP8="}, "blob"]]);
    assert_eq!(called.result["structuredContent"]["rows"], expected);
    client
        .refused("read_query", json!({"query": "SELECT ?1", "params": []}), "has 1 parameters and 'params' has 0")
        .await;
    client.refused("read_query", json!({"query": "SELECT 1", "params": [1]}), "has 0 parameters").await;
    client.refused("read_query", json!({"query": "SELECT ?1", "params": [u64::MAX]}), "too large an integer").await;
    client.refused("read_query", json!({"query": "SELECT ?1", "params": 5}), "invalid argument 'params'").await;
}

#[tokio::test]
async fn reading_changes_nothing_however_it_is_asked_for() {
    let ground = ground();
    let before = content(&ground.path);
    for write in [false, true] {
        let mut client = Client::start(served(&ground.url, write, 1_000, 30)).await;
        for sql in [
            "INSERT INTO item VALUES (5, 'x', 1, NULL)",
            "INSERT INTO item (id) VALUES (6) RETURNING id",
            "UPDATE item SET name = 'x'",
            "DELETE FROM item",
            "WITH gone AS (SELECT 1) DELETE FROM item",
            "DROP TABLE item",
            "CREATE TABLE t (a)",
            "CREATE TEMP TABLE t (a)",
            "CREATE INDEX i ON item (name)",
            "ALTER TABLE item ADD COLUMN c",
            "REINDEX",
            "ANALYZE",
            "VACUUM",
            "BEGIN",
            "BEGIN IMMEDIATE",
            "COMMIT",
            "SAVEPOINT s",
            "PRAGMA query_only = 0",
            "PRAGMA user_version = 5",
            "PRAGMA journal_mode = WAL",
            "PRAGMA writable_schema = 1",
            "PRAGMA wal_checkpoint",
            "PRAGMA incremental_vacuum",
            "SELECT * FROM pragma_wal_checkpoint",
            "SELECT 1; DELETE FROM item",
            "SELECT 1 /* ; */ ; -- x\n DROP TABLE item",
        ] {
            let called = client.call("read_query", json!({"query": sql})).await;
            assert!(called.failed, "{sql}: {}", called.text);
        }
    }
    assert_eq!(content(&ground.path), before);
    assert_eq!(std::fs::read_dir(ground.base.path()).unwrap().count(), 2, "no new file");
    let mut client = reader(&ground).await;
    client.refused("read_query", json!({"query": "DELETE FROM item"}), "cannot change the database").await;
    client.refused("read_query", json!({"query": "SELECT 1; SELECT 2"}), "one statement").await;
    client.refused("read_query", json!({"query": "BEGIN"}), "its own transaction").await;
    client.refused("read_query", json!({"query": "SELECT missing"}), "no such column").await;
    client.refused("read_query", json!({"query": " "}), "1 to 1048576").await;
    client.refused("read_query", json!({"query": "SELECT 1\u{0}"}), "NUL").await;
    // What ends in semicolons and remarks is still one statement.
    assert_eq!(rows(&mut client, "SELECT 1;;; -- done").await, json!([[1]]));
    let many = format!("SELECT 1{}", ";".repeat(500_000));
    assert_eq!(rows(&mut client, &many).await, json!([[1]]));
}

#[tokio::test]
async fn no_other_file_is_read_or_written() {
    let ground = ground();
    let secret = ground.base.path().join("secret.db").display().to_string();
    let stolen = ground.base.path().join("stolen.db").display().to_string();
    let mut client = writer(&ground).await;
    for tool in ["read_query", "write_query", "create_table"] {
        for sql in [
            format!("ATTACH '{secret}' AS s"),
            format!("ATTACH 'file:{secret}?mode=ro' AS s"),
            format!("ATTACH '{stolen}' AS s"),
            "ATTACH ':memory:' AS s".to_owned(),
            "ATTACH '' AS s".to_owned(),
            "DETACH main".to_owned(),
            format!("VACUUM INTO '{stolen}'"),
            format!("SELECT load_extension('{secret}')"),
            format!("SELECT readfile('{secret}')"),
            format!("SELECT writefile('{stolen}', 'x')"),
            format!("PRAGMA temp_store_directory = '{}'", ground.base.path().display()),
            format!("CREATE VIRTUAL TABLE v USING csv(filename='{secret}')"),
            format!("CREATE VIRTUAL TABLE v USING zipfile('{secret}')"),
            "CREATE VIRTUAL TABLE temp.v USING fts5(a)".to_owned(),
            "SELECT fts3_tokenizer('simple')".to_owned(),
            "PRAGMA trusted_schema = 1".to_owned(),
            "PRAGMA hard_heap_limit = 0".to_owned(),
            "PRAGMA mmap_size = 1000000".to_owned(),
        ] {
            let called = client.call(tool, json!({"query": sql})).await;
            assert!(called.failed, "{tool} {sql}: {}", called.text);
        }
    }
    client
        .refused("read_query", json!({"query": format!("ATTACH '{secret}' AS s")}), "this server serves one file")
        .await;
    assert!(!Path::new(&stolen).exists());
}

#[tokio::test]
async fn a_hostile_schema_runs_nothing_dangerous_for_its_reader() {
    let ground = ground();
    let connection = Connection::open(&ground.path).unwrap();
    connection
        .execute_batch(
            "CREATE VIEW trap AS SELECT load_extension('x.so') AS x;
             CREATE TRIGGER bomb AFTER INSERT ON sale BEGIN SELECT load_extension('x.so'); END;",
        )
        .unwrap();
    let mut client = writer(&ground).await;
    let view = client.call("read_query", json!({"query": "SELECT * FROM trap"})).await;
    assert!(view.failed && view.text.contains("load_extension"), "{}", view.text);
    let trigger = client.call("write_query", json!({"query": "INSERT INTO sale VALUES (1, 'now')"})).await;
    assert!(trigger.failed, "{}", trigger.text);
}

#[tokio::test]
async fn telling_pragmas_and_their_tables_work() {
    let ground = ground();
    let mut client = reader(&ground).await;
    assert_eq!(rows(&mut client, "PRAGMA user_version").await, json!([[0]]));
    assert_eq!(rows(&mut client, "PRAGMA quick_check").await, json!([["ok"]]));
    assert_eq!(rows(&mut client, "SELECT count(*) FROM pragma_table_info('item')").await, json!([[4]]));
    assert!(rows(&mut client, "EXPLAIN QUERY PLAN SELECT * FROM item").await.to_string().contains("SCAN item"));
}

#[tokio::test]
async fn writes_tell_how_many_rows_and_last() {
    let ground = ground();
    let mut client = writer(&ground).await;
    let insert =
        json!({"query": "INSERT INTO item (name, price) VALUES (?, ?), ('b', 2) RETURNING id", "params": ["a'b", 1]});
    let called = client.ok("write_query", insert).await.result["structuredContent"].clone();
    assert_eq!(called["affected_rows"], 2);
    assert_eq!(called["row_count"], 2);
    assert_eq!(rows(&mut client, "SELECT count(*) FROM item WHERE name = 'a''b'").await, json!([[1]]));
    let update = client.ok("write_query", json!({"query": "UPDATE item SET price = 9 WHERE id <= 2"})).await;
    assert_eq!(update.result["structuredContent"]["affected_rows"], 2);
    // What a rule of the database changes besides is not counted.
    client.ok("write_query", json!({"query": "INSERT INTO sale VALUES (1, 'a'), (1, 'b')"})).await;
    let delete = client.ok("write_query", json!({"query": "DELETE FROM item WHERE id = 1"})).await;
    assert_eq!(delete.result["structuredContent"]["affected_rows"], 1);
    assert_eq!(rows(&mut client, "SELECT count(*) FROM sale").await, json!([[0]]));
    client.refused("write_query", json!({"query": "SELECT 1"}), "use read_query").await;
    client.refused("write_query", json!({"query": "INSERT INTO sale VALUES (77, 'x')"}), "FOREIGN KEY").await;
    client.refused("write_query", json!({"query": "DELETE FROM item; DELETE FROM sale"}), "one statement").await;

    client
        .ok(
            "create_table",
            json!({"query": "CREATE TABLE note (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE)"}),
        )
        .await;
    client.ok("create_table", json!({"query": "CREATE TABLE IF NOT EXISTS note (id)"})).await;
    client.ok("create_table", json!({"query": "CREATE TABLE copy AS SELECT * FROM item"})).await;
    for sql in ["DROP TABLE item", "CREATE VIEW v AS SELECT 1", "INSERT INTO item DEFAULT VALUES", "SELECT 1"] {
        client.refused("create_table", json!({"query": sql}), "only CREATE TABLE").await;
    }
    // Full text search keeps its data in the database itself.
    client.ok("write_query", json!({"query": "CREATE VIRTUAL TABLE search USING fts5(text)"})).await;
    client.ok("write_query", json!({"query": "INSERT INTO search VALUES ('green apples')"})).await;
    assert_eq!(
        rows(&mut client, "SELECT text FROM search WHERE search MATCH 'apples'").await,
        json!([["green apples"]])
    );
}

#[tokio::test]
async fn a_long_statement_is_stopped_by_time_and_by_the_client() {
    let ground = ground();
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let mut client = Client::start(served(&ground.url, false, 1_000, 1)).await;
    let started = Instant::now();
    client.refused("read_query", json!({"query": endless}), "longer than 1 s").await;
    assert!(started.elapsed() < Duration::from_secs(10));

    let mut client = reader(&ground).await;
    let call = json!({"name": "read_query", "arguments": {"query": endless}});
    client.send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": call})).await;
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}})).await;
    // The next answer is the next request's: a cancelled one has none.
    assert_eq!(rows(&mut client, "SELECT 7").await, json!([[7]]));
    client.send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": call})).await;
    let ended = Instant::now();
    assert!(client.finish().await.is_empty());
    assert!(ended.elapsed() < Duration::from_secs(5), "the end of input ends a running statement");
}

#[tokio::test]
async fn answers_are_bounded_in_rows_bytes_and_memory() {
    let ground = ground();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)";
    let mut client = Client::start(served(&ground.url, true, 5, 30)).await;
    let called = client.ok("read_query", json!({"query": format!("{numbers} SELECT i FROM n")})).await;
    let result = called.result["structuredContent"].clone();
    assert_eq!((&result["row_count"], &result["truncated"]), (&json!(5), &json!(true)));
    assert_eq!(result["note"], "there are more than 5 rows");
    // A write whose rows do not fit is made all the same.
    let insert = format!("INSERT INTO sale (at) {numbers} SELECT i FROM n LIMIT 50 RETURNING at");
    let written = client.ok("write_query", json!({"query": insert})).await.result["structuredContent"].clone();
    assert_eq!((&written["row_count"], &written["affected_rows"]), (&json!(5), &json!(50)));

    let mut client = reader(&ground).await;
    let wide = format!("{numbers} SELECT printf('%.*c', 100000, 'x') FROM n");
    let called = client.ok("read_query", json!({"query": wide})).await;
    assert!(called.text.len() < 5 * 1024 * 1024 && called.text.contains("more than 4194304 bytes"));
    client.refused("read_query", json!({"query": "SELECT zeroblob(20000000)"}), "too big").await;
    let hungry = "WITH RECURSIVE n (i, t) AS (SELECT 1, zeroblob(9000000) UNION ALL SELECT i + 1, t || i FROM n) \
        SELECT count(DISTINCT t) FROM n";
    let called = client.call("read_query", json!({"query": hungry})).await;
    assert!(called.failed && called.text.contains("too much memory"), "{}", called.text);
    assert_eq!(rows(&mut client, "SELECT 7").await, json!([[7]]));
}

#[tokio::test]
async fn the_schema_is_told_by_tools_and_resources() {
    let ground = ground();
    let mut client = reader(&ground).await;
    let tables = client.ok("list_tables", json!({})).await.result["structuredContent"]["tables"].clone();
    let expected = json!([{"name": "cheap", "kind": "view"}, {"name": "item", "kind": "table"}, {"name": "sale", "kind": "table"}]);
    assert_eq!(tables, expected);
    let sale: Value =
        serde_json::from_str(&client.ok("describe_table", json!({"table_name": "sale"})).await.text).unwrap();
    assert_eq!(sale["columns"][0]["name"], "item");
    assert_eq!(sale["foreign_keys"][0]["references_table"], "item");
    assert_eq!(sale["foreign_keys"][0]["on_delete"], "CASCADE");
    assert_eq!(sale["indexes"][0]["columns"], "at, item");
    let item: Value =
        serde_json::from_str(&client.ok("describe_table", json!({"table_name": "ITEM"})).await.text).unwrap();
    assert_eq!((&item["columns"][1]["nullable"], &item["columns"][1]["default"]), (&json!(false), &json!("'x'")));
    client.refused("describe_table", json!({"table_name": "nothing"}), "list_tables").await;
    client.refused("describe_table", json!({"table_name": "x'; DROP TABLE item; --"}), "list_tables").await;

    let listed = client.request("resources/list", json!({})).await["result"]["resources"].clone();
    assert_eq!(listed[1]["uri"], "db://schema/item");
    let templates = client.request("resources/templates/list", json!({})).await["result"].clone();
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "db://schema/{table}");
    let read = client.request("resources/read", json!({"uri": "db://schema/item"})).await["result"].clone();
    let schema: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(schema, item);
    for uri in ["db://schema/none", "db://schema/", "file:///etc/passwd"] {
        let missing = client.request("resources/read", json!({"uri": uri})).await["error"].clone();
        assert_eq!((&missing["code"], &missing["data"]["uri"]), (&json!(-32002), &json!(uri)));
    }
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let missing = client.request("resources/read", json!({"uri": "db://schema/none", "_meta": meta})).await;
    assert_eq!(missing["error"]["code"], -32602);
    let read =
        client.request("resources/read", json!({"uri": "db://schema/item", "_meta": meta})).await["result"].clone();
    assert!(read["ttlMs"].is_u64() && read["cacheScope"] == "private");
}

#[tokio::test]
async fn urls_that_name_no_database_are_refused() {
    let ground = ground();
    let directory = ground.base.path().display().to_string();
    std::fs::write(
        ground.base.path().join("no.db"),
        "this is not a database, but long enough to be looked at".repeat(20),
    )
    .unwrap();
    for (url, reason) in [
        ("mysql://x".to_owned(), "--url must be"),
        ("shop.txt".to_owned(), "--url must be"),
        ("sqlite::memory:".to_owned(), "in memory"),
        (format!("sqlite:{directory}/missing.db"), "cannot open"),
        (format!("{directory}/no.db"), "cannot open"),
        ("postgres://user:hunter2@host:port/".to_owned(), "not a valid postgres:// URL"),
    ] {
        let error = omni_servers::serve_streams(served(&url, false, 10, 1), &b""[..], Vec::new()).await.unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains(reason) && !text.contains("hunter2"), "{url}: {text}");
    }
    assert!(!ground.base.path().join("missing.db").exists());
    // A bare path is enough, and with --write a new file is made.
    let fresh = format!("{directory}/fresh.sqlite");
    let mut client = Client::start(served(&fresh, true, 10, 1)).await;
    client.ok("create_table", json!({"query": "CREATE TABLE t (a)"})).await;
    assert!(Path::new(&fresh).exists());
}
