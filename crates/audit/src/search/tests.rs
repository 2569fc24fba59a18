//! A log is asked, followed, proven and exported; what its indexes say is checked against reading everything.

#![allow(clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod made;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use omni_types::Principal;
use proptest::prelude::*;

use crate::keys::Identity;
use crate::query::{Query, Term};
use crate::search::{Follow, Order, Search};
use crate::seen::Seen;
use crate::{ProofFault, RecordProof, SigningKey, export_tiles};
use made::{Event, Made};

const WHO: [&str; 3] = ["ann", "bob", "eve"];
const OUTCOME: [&str; 3] = ["success", "denied", "failed"];
const TOOL: [&str; 3] = ["git_commit", "git_push", "read"];

fn found(search: &Search, query: &Query, order: Order) -> Vec<Seen> {
    let mut events = Vec::new();
    search
        .find(query, order, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })
        .unwrap();
    events
}

fn indexes(search: &Search, query: &Query) -> Vec<u64> {
    found(search, query, Order::Oldest).iter().map(|event| event.index).collect()
}

fn asked(terms: &[&str]) -> Query {
    Query::parse(terms.iter().copied()).unwrap()
}

fn event(time_us: u64, who: Option<&'static str>, tool: &str, outcome: &str) -> Event {
    let fields = vec![
        ("kind", "call".to_owned()),
        ("action", "tools/call".to_owned()),
        ("outcome", outcome.to_owned()),
        ("server", "git".to_owned()),
        ("name", tool.to_owned()),
    ];
    Event { time_us, who, fields }
}

/// Three segments: 300 events, 300, 100; a microsecond apart, from ann, bob and eve in turn.
fn three() -> Made {
    let mut made = Made::new();
    for (from, to) in [(0, 300), (300, 600), (600, 700)] {
        made.begin(from as u64);
        let events: Vec<Event> =
            (from..to).map(|at| event(at as u64, Some(WHO[at % 3]), TOOL[at / 7 % 3], OUTCOME[at / 5 % 3])).collect();
        made.write(&events);
    }
    made.sign();
    made
}

fn index_files(made: &Made) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for day in fs::read_dir(made.path().join("index")).into_iter().flatten() {
        files.extend(fs::read_dir(day.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    files.sort();
    files
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..2_000_u64, proptest::option::of(0..3_usize), 0..3_usize, 0..3_usize);
    let one =
        one.prop_map(|(time, who, tool, outcome)| event(time, who.map(|who| WHO[who]), TOOL[tool], OUTCOME[outcome]));
    proptest::collection::vec(one, 1..400)
}

fn queries() -> impl Strategy<Value = Query> {
    let terms = prop_oneof![
        (0..3_usize).prop_map(|at| format!("who={}", WHO[at])),
        (0..3_usize).prop_map(|at| format!("who=local:{}", WHO[at])),
        (0..3_usize).prop_map(|at| format!("outcome={}", OUTCOME[at])),
        (0..3_usize).prop_map(|at| format!("outcome!={}", OUTCOME[at])),
        (0..3_usize).prop_map(|at| format!("resource={}", TOOL[at])),
        Just("resource=git_*".to_owned()),
        Just("what=git".to_owned()),
        Just("what=read".to_owned()),
        Just("who=*".to_owned()),
        Just("action=nothing".to_owned()),
    ];
    let range = proptest::option::of(0..2_000_i64);
    (proptest::collection::vec(terms, 0..4), range.clone(), range).prop_map(|(terms, from_us, until_us)| {
        let mut query = Query::parse(terms.iter().map(String::as_str)).unwrap();
        (query.from_us, query.until_us) = (from_us, until_us);
        query
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn diag_3_a_query_finds_what_reading_everything_finds(
        events in events(),
        cuts in proptest::collection::btree_set(0..400_usize, 0..4),
        queries in proptest::collection::vec(queries(), 1..8),
    ) {
        let mut made = Made::new();
        made.begin(0);
        for (at, event) in events.iter().enumerate() {
            if at > 0 && cuts.contains(&at) {
                made.begin(event.time_us);
            }
            made.write(std::slice::from_ref(event));
        }
        let search = made.search();
        let all: Vec<Seen> = (0..events.len() as u64).map(|index| search.event(index).unwrap()).collect();
        for query in &queries {
            let naive: Vec<&Seen> = all.iter().filter(|event| query.matches(*event)).collect();
            let told = found(&search, query, Order::Oldest);
            prop_assert_eq!(&told.iter().collect::<Vec<_>>(), &naive, "{:?}", query);
            let mut told = found(&search, query, Order::Newest);
            told.reverse();
            prop_assert_eq!(told.iter().collect::<Vec<_>>(), naive, "{:?}", query);
        }
        prop_assert_eq!(search.damaged(), 0);
    }
}

#[test]
fn diag_3_whoever_has_enough_is_told_no_more() {
    let made = three();
    let mut told = Vec::new();
    made.search()
        .find(&asked(&["who=ann"]), Order::Newest, &mut |event| {
            told.push(event.index);
            if told.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(told, [699, 696, 693]);
}

#[test]
fn shb_4_an_index_that_was_forged_deleted_or_is_stale_changes_no_answer() {
    let made = three();
    let query = asked(&["who=ann", "outcome=denied"]);
    let right = indexes(&made.search(), &query);
    assert_eq!(right.len(), (0..700).filter(|at| at % 3 == 0 && at / 5 % 3 == 1).count());
    let files = index_files(&made);
    assert_eq!(files.len(), 2, "of each segment that does not grow");
    let first = fs::read(&files[0]).unwrap();
    for at in (0..first.len()).step_by(7) {
        let mut forged = first.clone();
        forged[at] ^= 0x40;
        fs::write(&files[0], &forged).unwrap();
        assert_eq!(indexes(&made.search(), &query), right, "byte {at}");
    }
    fs::write(&files[0], &first).unwrap();
    // Of another segment; cut; empty; gone.
    for other in [fs::read(&files[1]).unwrap(), first[..first.len() / 2].to_vec(), Vec::new()] {
        fs::write(&files[0], other).unwrap();
        assert_eq!(indexes(&made.search(), &query), right);
    }
    fs::remove_dir_all(made.path().join("index")).unwrap();
    assert_eq!(indexes(&made.search(), &query), right);
    // A reader that cannot keep one is told the same.
    fs::remove_dir_all(made.path().join("index")).unwrap();
    fs::write(made.path().join("index"), "").unwrap();
    assert_eq!(indexes(&made.search(), &query), right);
}

#[test]
fn shb_4_the_disk_does_not_tell_who_did_what() {
    let made = three();
    let _made = indexes(&made.search(), &asked(&["who=ann"]));
    for file in index_files(&made) {
        let bytes = fs::read(file).unwrap();
        for word in ["ann", "local", "git_commit", "denied", "tools/call"] {
            assert!(!bytes.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
        }
    }
}

#[test]
fn shb_4_an_index_of_records_that_were_cut_off_is_not_believed() {
    let mut made = Made::new();
    made.begin(0);
    made.write(&[event(1, Some("ann"), "read", "success"), event(2, Some("bob"), "read", "success")]);
    made.begin(3);
    assert_eq!(indexes(&made.search(), &asked(&["who=bob"])), [1]);
    assert_eq!(index_files(&made).len(), 1);
    let segment = made.archive().segments().unwrap().remove(0);
    let whole = fs::read(&segment.path).unwrap();
    fs::write(&segment.path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(indexes(&made.search(), &asked(&["who=ann"])), [0], "cut within its last record");
    assert_eq!(indexes(&made.search(), &asked(&["who=bob"])), [] as [u64; 0]);
}

#[test]
fn shb_4_a_person_whose_key_is_gone_is_found_by_nobody() {
    let made = three();
    let search = made.search();
    let ann = indexes(&search, &asked(&["who=ann"]));
    assert_eq!(ann.len(), 234);
    let others = indexes(&search, &asked(&["who!=ann"]));
    assert!(made.keys.erase(&Identity::of(&Principal::local("ann"))).unwrap());
    // Also by a search that held the key, and by indexes that were made before.
    assert_eq!(indexes(&search, &asked(&["who=ann"])), [] as [u64; 0]);
    assert_eq!(indexes(&made.search(), &asked(&["who=local:ann"])), [] as [u64; 0]);
    let event = made.search().event(ann[0]).unwrap();
    assert_eq!((event.who(), event.closed.personal.as_deref()), (None, Some("erased")));
    assert_eq!(event.text("name"), Some("git_commit"), "what is of the hub stays");
    assert_eq!(indexes(&made.search(), &asked(&["who=*"])), others, "the others are untouched");
    RecordProof::of(&made.archive(), ann[0]).unwrap().check(made.archive().verifiers()).unwrap();
}

#[test]
fn diag_3_following_goes_over_the_end_of_a_segment() {
    let mut made = Made::new();
    let search = made.search();
    let mut follow = search.follow().unwrap();
    let query = asked(&["outcome=denied"]);
    let mut events = Vec::new();
    let mut look = |follow: &mut Follow| {
        events.clear();
        // Segments are looked for once a second.
        for _ in 0..40 {
            follow.look(&search, &query, &mut events).unwrap();
            if !events.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        events.iter().map(|event| event.index).collect::<Vec<_>>()
    };
    made.begin(0);
    made.write(&[event(1, None, "read", "success"), event(2, Some("ann"), "read", "denied")]);
    assert_eq!(look(&mut follow), [1]);
    // The end of one segment and the beginning of the next come between two looks.
    made.write(&[event(3, None, "read", "denied")]);
    made.begin(4);
    made.write(&[event(4, None, "read", "success"), event(5, None, "read", "denied")]);
    made.begin(6);
    made.write(&[event(6, None, "read", "denied")]);
    let mut told = look(&mut follow);
    while told.len() < 3 {
        told.extend(look(&mut follow));
    }
    assert_eq!(told, [2, 4, 5]);
    assert_eq!(follow.next_index(), 6);
}

#[test]
fn shb_4_a_proof_holds_without_the_hub_and_not_when_it_was_changed() {
    let made = three();
    let keys = made.archive().verifiers().to_vec();
    for index in [0, 1, 255, 256, 511, 698, 699] {
        let text = RecordProof::of(&made.archive(), index).unwrap().to_string();
        let proof: RecordProof = text.parse().unwrap();
        let proven = proof.check(&keys).unwrap();
        assert_eq!((proven.index, proven.size, proven.time_us), (index, 700, index as i64));
        let other = SigningKey::generate(keys[0].name()).unwrap();
        assert!(matches!(proof.check(&[other.public().clone()]), Err(ProofFault::NotSigned(_))));
    }
    let text = RecordProof::of(&made.archive(), 300).unwrap().to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra ") && text.contains("\nindex 300\n"));
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let Ok(proof) = String::from_utf8(changed).unwrap_or_default().parse::<RecordProof>() else { continue };
        assert!(proof.check(&keys).is_err(), "byte {at}");
    }
    assert!(matches!(RecordProof::of(&made.archive(), 700), Err(crate::LogError::NotThere(700))));
}

#[test]
fn shb_4_a_changed_record_is_left_out_and_proves_nothing() {
    let made = three();
    let segment = made.archive().segments().unwrap().remove(0);
    let mut bytes = fs::read(&segment.path).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    fs::write(&segment.path, bytes).unwrap();
    let search = made.search();
    let told = indexes(&search, &Query::default());
    assert_eq!(told, (0..700).filter(|index| *index != 299).collect::<Vec<_>>());
    assert!(search.damaged() > 0);
    let folder = tempfile::tempdir().unwrap();
    assert!(export_tiles(&made.archive(), folder.path()).is_err());
}

#[test]
fn shb_4_a_log_leaves_as_tiles_that_public_tools_read() {
    let made = three();
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = export_tiles(&made.archive(), folder.path()).unwrap();
    assert_eq!(checkpoint.size, 700);
    let tile = folder.path().join("tile");
    for (path, entries) in [("entries/000", 256), ("entries/001", 256), ("entries/002.p/188", 188)] {
        let bundle = fs::read(tile.join(path)).unwrap();
        let mut rest = bundle.as_slice();
        let mut count = 0;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            rest = &after[usize::from(u16::from_be_bytes(*length))..];
            count += 1;
        }
        assert_eq!(count, entries, "{path}");
    }
    for path in ["0/000", "0/001", "0/002.p/188", "1/000.p/2"] {
        assert_eq!(
            fs::read(tile.join(path)).unwrap(),
            fs::read(made.path().join("tile").join(path)).unwrap(),
            "{path}"
        );
    }
    assert!(export_tiles(&made.archive(), folder.path()).is_err(), "the folder is not empty any more");
}

#[test]
fn diag_3_a_trace_is_one_word_to_ask_for() {
    let mut made = Made::new();
    made.begin(0);
    let mut traced = event(1, Some("ann"), "read", "success");
    traced.fields.push(("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736".to_owned()));
    made.write(&[event(0, None, "read", "success"), traced]);
    made.begin(2);
    let mut query = Query::default();
    query.add(Term::exact("trace", "4bf92f3577b34da6a3ce929d0e0e4736")).unwrap();
    assert_eq!(indexes(&made.search(), &query), [1]);
}
