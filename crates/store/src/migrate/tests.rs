//! Tests of the migrations: once each, all or nothing, never backwards, never another one under a known number.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::{ALL, Migration, apply, migrate, plan};
use crate::error::StoreError;

const PATH: &str = "omni.db";

async fn memory() -> SqliteConnection {
    SqliteConnection::connect("sqlite::memory:").await.unwrap()
}

async fn count(connection: &mut SqliteConnection, table: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name = $1";
    let (count,): (i64,) = sqlx::query_as(sql).bind(table).fetch_one(connection).await.unwrap();
    count
}

#[test]
fn numbers_follow_one_another() {
    let numbers: Vec<i64> = ALL.iter().map(|m| m.version).collect();
    assert_eq!(numbers, (1..=i64::try_from(ALL.len()).unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn each_step_is_applied_once() {
    let mut connection = memory().await;
    let before = plan(Path::new(PATH), &mut connection).await.unwrap();
    assert!(before.iter().all(|step| !step.applied));
    assert_eq!(count(&mut connection, "migrations").await, 0, "a plan changes nothing");
    assert_eq!(migrate(Path::new(PATH), &mut connection, 1).await.unwrap().len(), ALL.len());
    assert_eq!(migrate(Path::new(PATH), &mut connection, 2).await.unwrap(), []);
    assert!(plan(Path::new(PATH), &mut connection).await.unwrap().iter().all(|step| step.applied));
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let mut connection = memory().await;
    let newer = [
        Migration { version: 1, name: "one", sql: "CREATE TABLE one (x BIGINT)" },
        Migration { version: 2, name: "two", sql: "CREATE TABLE two (x BIGINT)" },
    ];
    apply(Path::new(PATH), &mut connection, &newer, 1).await.unwrap();
    let older = &newer[..1];
    let refused = apply(Path::new(PATH), &mut connection, older, 2).await.unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 2, known: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("newer hub"));
}

#[tokio::test]
async fn an_altered_step_is_told() {
    let mut connection = memory().await;
    let first = [Migration { version: 1, name: "one", sql: "CREATE TABLE one (x BIGINT)" }];
    apply(Path::new(PATH), &mut connection, &first, 1).await.unwrap();
    let altered = [Migration { version: 1, name: "one", sql: "CREATE TABLE one (y BIGINT)" }];
    let refused = apply(Path::new(PATH), &mut connection, &altered, 2).await.unwrap_err();
    assert!(matches!(refused, StoreError::Altered { version: 1, .. }), "{refused}");
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing_behind() {
    let mut connection = memory().await;
    let broken = [
        Migration { version: 1, name: "one", sql: "CREATE TABLE one (x BIGINT)" },
        Migration { version: 2, name: "two", sql: "CREATE TABLE two (x BIGINT); CREATE TABLE two (x BIGINT);" },
    ];
    apply(Path::new(PATH), &mut connection, &broken, 1).await.unwrap_err();
    for table in ["one", "two", "migrations"] {
        assert_eq!(count(&mut connection, table).await, 0, "{table}");
    }
}
