//! Tests of the pool against a real listener: reuse, bounds, stale connections, deadlines.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{Client, PoolLimits};
use crate::{EgressError, Target, collect};

const LIMITS: PoolLimits = PoolLimits {
    initial: 1,
    size: 2,
    max: 3,
    connect_timeout: Duration::from_secs(5),
    idle_timeout: Duration::from_secs(60),
};

/// A server that answers each request with the number of its connection, and closes after `per_connection` answers.
async fn server(per_connection: usize, delay: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                for _ in 0..per_connection {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    tokio::time::sleep(delay).await;
                    let body = format!("connection {number}");
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, opened)
}

async fn get(client: &Client) -> Result<Bytes, EgressError> {
    let answer = client.send(Method::GET, HeaderMap::new(), Bytes::new()).await?;
    collect(answer.into_body(), 1000).await
}

#[tokio::test]
async fn pool_1_connections_are_kept_and_used_again() {
    let (url, opened) = server(1000, Duration::ZERO).await;
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    for _ in 0..20 {
        get(&client).await.unwrap();
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    assert_eq!(client.status().idle, 1);
    assert_eq!(client.status().in_use, 0);
}

#[tokio::test]
async fn pool_1_never_more_than_max_and_no_more_than_size_when_idle() {
    let (url, opened) = server(1000, Duration::from_millis(50)).await;
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { get(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Three at a time, kept while they are needed: nothing was opened twice.
    assert_eq!(opened.load(Ordering::SeqCst), 3);
    assert_eq!(client.status().idle, 3);
    client.prune();
    assert_eq!(client.status().idle, 3);
    client.prune_as_of(tokio::time::Instant::now() + super::ABOVE_SIZE_IDLE);
    assert_eq!(client.status().idle, 2);
    client.prune_as_of(tokio::time::Instant::now() + LIMITS.idle_timeout);
    assert_eq!(client.status().idle, 0);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let (url, opened) = server(1, Duration::ZERO).await;
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    for _ in 0..5 {
        get(&client).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(opened.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn waiting_for_a_free_connection_ends() {
    let (url, _) = server(1000, Duration::from_secs(3600)).await;
    let limits = PoolLimits { max: 1, size: 1, connect_timeout: Duration::from_millis(100), ..LIMITS };
    let client = Client::new(Target::parse(&url).unwrap(), limits);
    let held = {
        let client = client.clone();
        tokio::spawn(async move { get(&client).await })
    };
    while client.status().in_use == 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(get(&client).await, Err(EgressError::PoolFull { max: 1, .. })));
    held.abort();
}

#[tokio::test]
async fn large_answers_are_refused() {
    let (url, _) = server(1000, Duration::ZERO).await;
    let client = Client::new(Target::parse(&url).unwrap(), LIMITS);
    let answer = client.send(Method::GET, HeaderMap::new(), Bytes::new()).await.unwrap();
    assert_eq!(collect(answer.into_body(), 3).await, Err(EgressError::BodyTooLarge { max: 3 }));
}

#[tokio::test]
async fn pool_1_a_full_pool_lets_asides_out_and_an_answer_that_waits_can_be_set_apart() {
    let (url, opened) = server(1000, Duration::ZERO).await;
    let limits = PoolLimits { max: 2, connect_timeout: Duration::from_millis(100), ..LIMITS };
    let client = Client::new(Target::parse(&url).unwrap(), limits);
    let ask = || client.send(Method::GET, HeaderMap::new(), Bytes::new());
    let (mut first, second) = (ask().await.unwrap().into_body(), ask().await.unwrap().into_body());
    assert!(matches!(ask().await, Err(EgressError::PoolFull { max: 2, .. })));

    let head = client.head(Method::GET, HeaderMap::new());
    for connection in 2..5 {
        let answer = client.request_aside(&head, &Bytes::new()).await.unwrap();
        assert_eq!(collect(answer.into_body(), 100).await.unwrap(), format!("connection {connection}"));
    }
    assert_eq!((client.status().in_use, client.status().idle), (2, 0), "none of them is kept");
    let held: Vec<_> = {
        let mut held = Vec::new();
        for _ in 0..super::ASIDES_APART_MAX {
            held.push(client.request_aside(&head, &Bytes::new()).await.unwrap());
        }
        held
    };
    assert!(matches!(client.request_aside(&head, &Bytes::new()).await, Err(EgressError::PoolFull { .. })));
    drop(held);

    first.set_apart();
    assert_eq!(client.status().in_use, 1);
    let before = opened.load(Ordering::SeqCst);
    assert_eq!(get(&client).await.unwrap(), format!("connection {before}"));
    assert_eq!(collect(first, 100).await.unwrap(), "connection 0");
    assert_eq!((client.status().in_use, client.status().idle), (1, 1), "what was set apart is not kept");
    drop(second);
    assert_eq!((client.status().in_use, client.status().idle), (0, 1));
    let answer = client.request_aside(&head, &Bytes::new()).await.unwrap();
    assert_eq!(collect(answer.into_body(), 100).await.unwrap(), format!("connection {before}"), "a free one is taken");
}
