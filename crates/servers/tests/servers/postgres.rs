//! What the Database server does with a real PostgreSQL, and what it refuses (GW-3, TOOL-1, VAL-3).

use std::time::{Duration, Instant};

use omni_servers::{BuiltIn, database};
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::client::{Client, PATIENCE};
use crate::cluster::Cluster;

fn served(url: &str, write: bool, rows_max: u32, timeout_s: u32) -> BuiltIn {
    BuiltIn::Database(database::Options { url: url.to_owned(), write, rows_max, timeout_s })
}

const SETUP: &str = "
    CREATE ROLE app LOGIN;
    CREATE SCHEMA app AUTHORIZATION app;
    SET ROLE app;
    CREATE TABLE app.item (id bigint PRIMARY KEY, name text NOT NULL DEFAULT 'x', price numeric(30, 10));
    COMMENT ON COLUMN app.item.price IS 'in euro';
    CREATE TABLE app.\"Odd Name\" (item bigint REFERENCES app.item);
    CREATE SEQUENCE app.counter;
    CREATE FUNCTION app.sneaky() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN DELETE FROM app.item; RETURN 1; END $$;
    INSERT INTO app.item VALUES (1, 'apple', 1.5), (9223372036854775807, 'big', 12345678901234567890.0123456789);
    RESET ROLE;
    ALTER ROLE app SET search_path = app;
";

async fn rows(client: &mut Client, sql: &str, params: Value) -> Value {
    let called = client.ok("read_query", json!({"query": sql, "params": params})).await;
    called.result["structuredContent"]["rows"].clone()
}

/// One server for all, because starting one takes seconds.
#[tokio::test]
async fn the_database_server_on_postgresql() {
    let Some(cluster) = Cluster::start() else { return };
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    admin.execute(sqlx::raw_sql(SETUP)).await.unwrap();
    let url = cluster.url("app");
    types_lose_nothing(&url).await;
    parameters_are_values(&url).await;
    reading_changes_nothing(&url, &mut admin).await;
    calls_share_nothing(&url).await;
    writes_last(&url).await;
    answers_are_bounded(&url).await;
    long_statements_are_stopped(&url, &mut admin).await;
    the_schema_is_told(&url).await;
    admin.close().await.unwrap();
    drop(cluster);
    // A database that is gone is said, and the server lives on.
    let mut client = Client::start(served(&url, false, 10, 5)).await;
    client
        .refused("read_query", json!({"query": "SELECT 1"}), "cannot connect to the database postgres at 127.0.0.1")
        .await;
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

async fn types_lose_nothing(url: &str) {
    let mut client = Client::start(served(url, false, 1_000, 30)).await;
    let called = client.ok("read_query", json!({"query": "SELECT * FROM item ORDER BY id"})).await;
    let result = &called.result["structuredContent"];
    assert_eq!(result["columns"][0], json!({"name": "id", "type": "int8"}));
    let big = json!([9_223_372_036_854_775_807_i64, "big", "12345678901234567890.0123456789"]);
    assert_eq!(result["rows"], json!([[1, "apple", "1.5000000000"], big]));
    let sql = "SELECT 1::int2, 0.1::float8, 'NaN'::float8, true, '\\x00ff'::bytea, '{\"a\": [1, null]}'::jsonb, \
        timestamptz '2026-07-28 10:00:00.25+02' AT TIME ZONE 'UTC', timestamptz 'infinity', date '2026-07-28', \
        interval '1 day 2 hours', ARRAY[1, NULL, 3], ARRAY['a,b', 'c\"d'], '10.0.0.1/8'::inet, int4range(1, 5), \
        '7b0e8f9c-1d2e-4f30-8a4b-5c6d7e8f9012'::uuid, NULL::int, ROW(1, 'x'), 'sad'::text, time '10:00'";
    let expected = json!([[
        1, 0.1, "NaN", true, {"base64": "AP8="}, {"a": [1, null]},
        "2026-07-28T08:00:00.25", "infinity", "2026-07-28",
        "P1DT2H", [1, null, 3], ["a,b", "c\"d"], "10.0.0.1/8", "[1,5)",
        "7b0e8f9c-1d2e-4f30-8a4b-5c6d7e8f9012", null, "(1,x)", "sad", "10:00:00"
    ]]);
    assert_eq!(rows(&mut client, sql, json!([])).await, expected);
    // Columns are told also without rows.
    let empty = client.ok("read_query", json!({"query": "SELECT id, price FROM item WHERE false"})).await;
    let columns = json!([{"name": "id", "type": "int8"}, {"name": "price", "type": "numeric"}]);
    assert_eq!(empty.result["structuredContent"]["columns"], columns);
}

async fn parameters_are_values(url: &str) {
    let mut client = Client::start(served(url, false, 1_000, 30)).await;
    let sql = "SELECT $1::text, $2::int, $3::numeric, $4::bool, $5::bytea, $6::jsonb, $7::int[], $8::text[], $9::text";
    let params = json!([
        "'; DROP TABLE item; -- \\' \\\\ ü", 5, "1.10", true, {"base64": "AP8="}, {"a": "q'"}, [1, null], ["a,\"b", "c"], null
    ]);
    let expected = json!([[
        "'; DROP TABLE item; -- \\' \\\\ ü", 5, "1.10", true, {"base64": "AP8="}, {"a": "q'"}, [1, null], ["a,\"b", "c"], null
    ]]);
    assert_eq!(rows(&mut client, sql, params).await, expected);
    let name = rows(&mut client, "SELECT name FROM item WHERE id = $1", json!([1])).await;
    assert_eq!(name, json!([["apple"]]));
    client.refused("read_query", json!({"query": "SELECT $1::int", "params": []}), "parameter").await;
    client.refused("read_query", json!({"query": "SELECT $1::int", "params": [1, 2]}), "has 1 parameters").await;
    client.refused("read_query", json!({"query": "SELECT $1::int", "params": ["x"]}), "invalid input syntax").await;
    client.refused("read_query", json!({"query": "SELECT $1::text", "params": ["a\u{0}"]}), "NUL").await;
}

async fn reading_changes_nothing(url: &str, admin: &mut PgConnection) {
    for write in [false, true] {
        let mut client = Client::start(served(url, write, 1_000, 30)).await;
        for sql in [
            "INSERT INTO item VALUES (5)",
            "INSERT INTO item VALUES (5) RETURNING id",
            "UPDATE item SET name = 'x'",
            "DELETE FROM item",
            "WITH gone AS (DELETE FROM item RETURNING *) SELECT * FROM gone",
            "SELECT sneaky()",
            "SELECT nextval('counter')",
            "SELECT * FROM item FOR UPDATE",
            "SELECT set_config('transaction_read_only', 'off', false)",
            "SELECT set_config('transaction_read_only', 'off', true), sneaky()",
            "SELECT 1; DELETE FROM item",
            "SELECT 1; COMMIT; DELETE FROM item",
            "SELECT 1) ; DELETE FROM item; --",
            "SELECT 1) AS a; COMMIT; DELETE FROM item; SELECT * FROM (SELECT 1",
            "SELECT 1) AS a, (DELETE FROM item RETURNING 1",
            "SELECT 1) AS a WHERE sneaky() = 1; --",
            "COMMIT",
            "ROLLBACK",
            "BEGIN",
            "SET TRANSACTION READ WRITE",
            "SET transaction_read_only = off",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
            "RESET ALL",
            "CREATE TABLE t (a int)",
            "CREATE TEMP TABLE t (a int)",
            "SELECT 1 AS a INTO t",
            "DROP TABLE item",
            "TRUNCATE item",
            "COPY item TO STDOUT",
            "COPY item FROM STDIN",
            "COPY item TO PROGRAM 'cat'",
            "DO $$ BEGIN DELETE FROM item; END $$",
            "CALL nothing()",
            "LOCK TABLE item",
            "LISTEN x",
            "VACUUM",
            "PREPARE other AS SELECT 1",
            "EXECUTE omni_statement",
            "DEALLOCATE ALL",
            "",
            "-- nothing",
        ] {
            let called = client.call("read_query", json!({"query": sql})).await;
            assert!(called.failed, "{sql}: {}", called.text);
        }
        client.refused("read_query", json!({"query": "DELETE FROM item"}), "cannot change the database").await;
        client.refused("read_query", json!({"query": "VACUUM"}), "runs one SELECT").await;
        assert_eq!(rows(&mut client, "VALUES (1); -- done", json!([])).await, json!([[1]]));
    }
    let (count, called): (i64, bool) =
        sqlx::query_as("SELECT (SELECT count(*) FROM app.item), (SELECT is_called FROM app.counter)")
            .fetch_one(admin)
            .await
            .unwrap();
    assert_eq!((count, called), (2, false));
}

async fn calls_share_nothing(url: &str) {
    let mut client = Client::start(served(url, false, 1_000, 30)).await;
    let set =
        "SELECT set_config('search_path', 'pg_temp', false), set_config('standard_conforming_strings', 'off', false)";
    client.ok("read_query", json!({"query": set})).await;
    assert_eq!(rows(&mut client, "SELECT count(*) FROM item", json!([])).await, json!([[2]]));
    client.ok("read_query", json!({"query": "SELECT pg_advisory_lock(1)"})).await;
    let free = rows(&mut client, "SELECT pg_try_advisory_lock(1)", json!([])).await;
    assert_eq!(free, json!([[true]]), "the lock went with its call");
}

async fn writes_last(url: &str) {
    let mut client = Client::start(served(url, true, 2, 30)).await;
    let insert = json!({"query": "INSERT INTO item (id, name) SELECT g, $1 FROM generate_series(10, 14) g RETURNING id", "params": ["it's"]});
    let written = client.ok("write_query", insert).await.result["structuredContent"].clone();
    assert_eq!(
        (&written["affected_rows"], &written["row_count"], &written["truncated"]),
        (&json!(5), &json!(2), &json!(true))
    );
    assert_eq!(rows(&mut client, "SELECT count(*) FROM item WHERE name = 'it''s'", json!([])).await, json!([[5]]));
    let update = client.ok("write_query", json!({"query": "DELETE FROM item WHERE id BETWEEN 10 AND 14"})).await;
    assert_eq!(update.result["structuredContent"]["affected_rows"], 5);
    client.refused("write_query", json!({"query": "DELETE FROM item; DELETE FROM item"}), "PostgreSQL:").await;
    client.refused("write_query", json!({"query": "DROP TABLE item"}), "write_query runs one").await;
    client.refused("write_query", json!({"query": "COPY item TO PROGRAM 'cat'"}), "write_query runs one").await;
    client.refused("write_query", json!({"query": "INSERT INTO item VALUES (1)"}), "duplicate key").await;
    client.ok("create_table", json!({"query": "CREATE TABLE note (id serial PRIMARY KEY, text text)"})).await;
    client.ok("write_query", json!({"query": "INSERT INTO note (text) VALUES ($1)", "params": ["hello"]})).await;
    for sql in [
        "DROP TABLE note",
        "CREATE VIEW v AS SELECT 1",
        "COPY note TO PROGRAM 'cat'",
        "/* CREATE TABLE */ DROP TABLE note",
    ] {
        client.refused("create_table", json!({"query": sql}), "begins with CREATE TABLE").await;
    }
    client
        .refused("create_table", json!({"query": "CREATE TABLE a (b int); DROP TABLE note"}), "multiple commands")
        .await;
    assert_eq!(rows(&mut client, "SELECT * FROM note", json!([])).await, json!([[1, "hello"]]));
}

async fn answers_are_bounded(url: &str) {
    let mut client = Client::start(served(url, false, 5, 30)).await;
    let started = Instant::now();
    let called = client
        .ok("read_query", json!({"query": "SELECT g FROM generate_series(1, 100000) g, generate_series(1, 100000) h"}))
        .await;
    let result = &called.result["structuredContent"];
    assert_eq!((&result["row_count"], &result["truncated"]), (&json!(5), &json!(true)));
    assert!(started.elapsed() < Duration::from_secs(10), "the database made rows that nobody asked for");
    // Where the limit cannot be put around the statement it holds all the same.
    let odd = "SELECT g FROM generate_series(1, 100) g; -- remark";
    let called = client.ok("read_query", json!({"query": odd})).await;
    assert_eq!(called.result["structuredContent"]["row_count"], 5);
    let broken_out = "SELECT g FROM generate_series(1, 100) g) AS a, (SELECT 1";
    let called = client.call("read_query", json!({"query": broken_out})).await;
    assert!(called.failed || called.result["structuredContent"]["row_count"] == 5, "{}", called.text);
    let order = rows(&mut client, "SELECT g, g AS g FROM generate_series(1, 9) g ORDER BY g DESC", json!([])).await;
    assert_eq!(order[0], json!([9, 9]));
    let wide = "SELECT repeat('x', 3000000) FROM generate_series(1, 3)";
    let called = client.ok("read_query", json!({"query": wide})).await;
    assert!(called.text.contains("more than 4194304 bytes"));
}

async fn long_statements_are_stopped(url: &str, admin: &mut PgConnection) {
    let mut client = Client::start(served(url, false, 1_000, 1)).await;
    client.refused("read_query", json!({"query": "SELECT pg_sleep(60)"}), "longer than 1 s").await;
    let disarm = "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)";
    client.refused("read_query", json!({"query": disarm}), "longer than 1 s").await;

    let mut client = Client::start(served(url, false, 1_000, 60)).await;
    let call = json!({"name": "read_query", "arguments": {"query": "SELECT pg_sleep(50)"}});
    client.send(&json!({"jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": call})).await;
    wait_for_sleepers(admin, 1).await;
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "slow"}})).await;
    assert_eq!(rows(&mut client, "SELECT 7", json!([])).await, json!([[7]]));
    wait_for_sleepers(admin, 0).await;
}

/// Until as many statements sleep in the database.
async fn wait_for_sleepers(admin: &mut PgConnection, wanted: i64) {
    let started = Instant::now();
    loop {
        let sleepers: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND wait_event = 'PgSleep'",
        )
        .fetch_one(&mut *admin)
        .await
        .unwrap();
        if sleepers == wanted {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{sleepers} statements sleep, {wanted} should");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn the_schema_is_told(url: &str) {
    let mut client = Client::start(served(url, false, 1_000, 30)).await;
    let tables = client.ok("list_tables", json!({})).await.result["structuredContent"]["tables"].clone();
    let expected = json!([
        {"name": "\"Odd Name\"", "kind": "table"}, {"name": "item", "kind": "table"}, {"name": "note", "kind": "table"}
    ]);
    assert_eq!(tables, expected);
    let item: Value =
        serde_json::from_str(&client.ok("describe_table", json!({"table_name": "app.item"})).await.text).unwrap();
    assert_eq!(item["columns"][0]["type"], "bigint");
    assert_eq!((&item["columns"][0]["primary_key"], &item["columns"][1]["primary_key"]), (&json!(true), &json!(false)));
    assert_eq!(item["columns"][1]["default"], "'x'::text");
    assert_eq!(
        (&item["columns"][2]["type"], &item["columns"][2]["comment"]),
        (&json!("numeric(30,10)"), &json!("in euro"))
    );
    let odd: Value =
        serde_json::from_str(&client.ok("describe_table", json!({"table_name": "\"Odd Name\""})).await.text).unwrap();
    assert!(odd["constraints"][0]["definition"].as_str().unwrap().starts_with("FOREIGN KEY (item)"));
    client.refused("describe_table", json!({"table_name": "nowhere"}), "list_tables").await;
    client.refused("describe_table", json!({"table_name": "item'; DROP TABLE item; --"}), "").await;
    let listed = client.request("resources/list", json!({})).await["result"]["resources"].clone();
    assert_eq!(listed[0]["uri"], "db://schema/%22Odd%20Name%22");
    let read = client.request("resources/read", json!({"uri": listed[0]["uri"]})).await["result"].clone();
    assert_eq!(serde_json::from_str::<Value>(read["contents"][0]["text"].as_str().unwrap()).unwrap(), odd);
    assert_eq!(client.request("resources/read", json!({"uri": "db://schema/nowhere"})).await["error"]["code"], -32002);
}
