//! What a store keeps, and what it gives back.
#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::{
    ALL_BYTES_MAX, ALL_STREAMS_LEFT_MAX, BYTES_MAX, EVENTS_MAX, EventId, EventStore, Keeping, Missed, Reader,
    STREAMS_LEFT_MAX, StreamId,
};

fn store(window: Duration) -> (EventStore, Arc<Keeping>) {
    let (store, keeping) = (EventStore::default(), Keeping::new(window));
    store.share(&keeping);
    (store, keeping)
}

const LONG: Duration = Duration::from_secs(3600);

fn add(store: &EventStore, stream: StreamId, text: &str) -> EventId {
    let mut id = None;
    store.add(stream, None, |own| {
        id = Some(own);
        Bytes::copy_from_slice(text.as_bytes())
    });
    id.unwrap()
}

fn all(store: &EventStore, stream: StreamId, reader: Reader) -> (Vec<String>, bool) {
    let mut found = Vec::new();
    loop {
        match store.next(stream, reader) {
            Missed::Event(bytes) => found.push(String::from_utf8(bytes.to_vec()).unwrap()),
            Missed::Nothing => return (found, false),
            Missed::Over => return (found, true),
        }
    }
}

#[test]
fn ids_are_read_as_they_are_written() {
    let (store, _) = store(LONG);
    for of_call in [false, true] {
        let id = store.prime(store.open(of_call).0);
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
    }
    for bad in ["", "c", "c-", "c1", "x1-2", "c1-2-3", "c-1-2", "s1-", "ſ1-2", "c1-99999999999999999999999"] {
        assert_eq!(EventId::parse(bad), None, "{bad}");
    }
}

#[test]
fn gw_1_a_resumed_stream_holds_what_was_missed_of_it_and_nothing_else() {
    let (store, _) = store(LONG);
    let (one, first_reader) = store.open(true);
    let (two, _) = store.open(true);
    let a = add(&store, one, "a");
    add(&store, two, "other");
    add(&store, one, "b");
    let reader = store.resume(a).unwrap();
    assert!(!store.reads(one, first_reader) && store.reads(one, reader));
    assert!(matches!(store.next(one, first_reader), Missed::Over));
    assert_eq!(all(&store, one, reader), (vec!["b".to_owned()], false));
    add(&store, one, "c");
    store.end(one);
    assert_eq!(all(&store, one, reader), (vec!["c".to_owned()], true));
    // The same again: its connection broke, too.
    let again = store.resume(a).unwrap();
    assert_eq!(all(&store, one, again), (vec!["b".to_owned(), "c".to_owned()], true));
    assert!(!store.leave(one, reader) && store.leave(one, again));
}

#[test]
fn gw_1_a_store_is_bounded_in_events_bytes_and_over_all_sessions() {
    let (store, keeping) = store(LONG);
    let (stream, reader) = store.open(true);
    for number in 0..EVENTS_MAX + 10 {
        add(&store, stream, &number.to_string());
    }
    let (kept, _) = all(&store, stream, reader);
    assert_eq!((kept.len(), kept[0].as_str()), (EVENTS_MAX, "10"));
    let large = "x".repeat(BYTES_MAX + 1);
    add(&store, stream, &large);
    assert_eq!(all(&store, stream, reader).0, [large]);
    assert_eq!(keeping.bytes.load(Ordering::Relaxed), BYTES_MAX + 1);
    // Where the others have all there is, this one keeps nothing, and sends what it has all the same.
    keeping.bytes.fetch_add(ALL_BYTES_MAX, Ordering::Relaxed);
    assert_eq!(store.add(stream, None, |_| Bytes::from_static(b"sent")).as_ref(), b"sent");
    assert_eq!(all(&store, stream, reader).0, [""; 0]);
    assert_eq!(keeping.bytes.load(Ordering::Relaxed), ALL_BYTES_MAX);
}

#[test]
fn gw_1_what_is_too_old_is_forgotten_and_a_closed_store_gives_everything_back() {
    let (short, keeping) = store(Duration::ZERO);
    let (stream, _) = short.open(true);
    let id = add(&short, stream, "a");
    short.end(stream);
    std::thread::sleep(Duration::from_millis(2));
    short.expire();
    assert!(short.resume(id).is_none());
    assert_eq!(keeping.bytes.load(Ordering::Relaxed), 0);

    let (store, keeping) = store(LONG);
    let (stream, reader) = store.open(false);
    add(&store, stream, "a");
    store.expire();
    assert_eq!(keeping.bytes.load(Ordering::Relaxed), 1);
    store.close();
    assert!(matches!(store.next(stream, reader), Missed::Over) && !store.reads(stream, reader));
    assert_eq!(keeping.bytes.load(Ordering::Relaxed), 0);
}

fn streams(store: &EventStore) -> usize {
    store.kept().streams.len()
}

#[test]
fn trb_4_streams_that_are_left_are_bounded_for_a_session_and_for_all() {
    let (one, keeping) = store(LONG);
    // A call that still runs, whose client has gone, and a stream that is read: neither gives way.
    let (running, reader) = one.open(true);
    assert!(one.leave(running, reader));
    let (read, _) = one.open(false);
    for round in 0..5_000 {
        let (stream, reader) = one.open(round % 2 == 0);
        assert!(one.leave(stream, reader));
        one.end(stream);
    }
    assert_eq!(streams(&one), STREAMS_LEFT_MAX + 2);
    assert!(one.waiting(running).is_some() && one.waiting(read).is_some());
    assert_eq!(keeping.streams_left.load(Ordering::Relaxed), STREAMS_LEFT_MAX);
    // The last that was left is there still, and is none of them once it is taken up again.
    let (last, reader) = one.open(false);
    let id = one.prime(last);
    assert!(one.leave(last, reader) && one.resume(id).is_some());
    assert_eq!(keeping.streams_left.load(Ordering::Relaxed), STREAMS_LEFT_MAX - 1);

    let others: Vec<EventStore> = (0..ALL_STREAMS_LEFT_MAX / STREAMS_LEFT_MAX + 8)
        .map(|_| {
            let other = EventStore::default();
            other.share(&keeping);
            for _ in 0..STREAMS_LEFT_MAX {
                let (stream, reader) = other.open(false);
                assert!(other.leave(stream, reader));
            }
            other
        })
        .collect();
    assert_eq!(keeping.streams_left.load(Ordering::Relaxed), ALL_STREAMS_LEFT_MAX);
    let kept: usize = others.iter().map(streams).sum();
    assert_eq!(kept, ALL_STREAMS_LEFT_MAX - (STREAMS_LEFT_MAX - 1));
    drop(others);
    one.close();
    assert_eq!(keeping.streams_left.load(Ordering::Relaxed), 0);
}
