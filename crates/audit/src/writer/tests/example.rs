//! The worked example of `docs/AUDIT.md`, made from fixed keys and a fixed clock, and compared with what stands there.
//! `OMNI_BLESS=1` writes it there, and the proof that is the first of the fuzzing's corpus.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use omni_types::ServerName;

use super::who;
use crate::event::Event;
use crate::field::FieldName;
use crate::frame;
use crate::kind::{EventKind, Outcome};
use crate::note::{Checkpoint, Note, SigningKey};
use crate::query::parse_instant;
use crate::record::{Field, PlainRecord, Seal, Value};
use crate::segment::SegmentHeader;
use crate::tree::{Hash, leaf_hash, node_hash};
use crate::who::Who;

const BEGIN: &str = "<!-- The example begins; a test makes it. -->\n";
const END: &str = "<!-- The example ends. -->\n";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As lines of 48 bytes.
fn lines(bytes: &[u8]) -> String {
    bytes.chunks(48).map(|line| format!("  {}\n", hex(line))).collect()
}

struct Example {
    text: String,
    proof: String,
    key: String,
}

fn cbor(fields: &[Field]) -> Vec<u8> {
    const HEADER_LEN: usize = 28;
    PlainRecord { index: 0, time_us: 0, fields }.in_clear()[HEADER_LEN..].to_vec()
}

fn make() -> Example {
    let log: [u8; 16] = std::array::from_fn(|at| at as u8);
    let origin = format!("omni-mcp-hub/audit/{}", hex(&log));
    let key = SigningKey::from_seed(&origin, [0x55; 32]).unwrap();
    let data = Seal::new([0x11; 8], &[0x22; 32]).unwrap();
    let person = Seal::new([0x33; 8], &[0x44; 32]).unwrap();
    let time = |text: &str| u64::try_from(parse_instant(text).unwrap()).unwrap();
    let times = [time("2026-11-22T12:00:00Z"), time("2026-11-22T12:00:01Z")];
    let git = ServerName::parse("git").unwrap();
    let call = Event::new(EventKind::Call, "tools/call", Outcome::Success)
        .on(Some(&git), "git_log")
        .fact(FieldName::DurationUs, 1500_u64);
    let stop = Event::new(EventKind::Configuration, "hub/stop", Outcome::Success);
    let fields = |event: Event, who: &Who| event.into_fields(who).into_iter().map(Field::from).collect::<Vec<_>>();
    let (call, stop) = (fields(call, &who("ann")), fields(stop, &Who::System));
    let sealed = |index: usize, fields: &[Field], person: Option<&Seal>| {
        let plain = PlainRecord { index: index as u64, time_us: times[index], fields };
        plain.seal(&log, &data, person).unwrap()
    };
    let records = [sealed(0, &call, Some(&person)), sealed(1, &stop, None)];
    let mut hub = vec![Field::hub("log.person_key", Value::Bytes(person.id().to_vec()))];
    hub.extend(call.iter().filter(|field| !field.personal).cloned());
    let own: Vec<Field> = call.iter().filter(|field| field.personal).cloned().collect();
    let retain_until_us = times[0] + 2557 * 86_400_000_000;
    let header = SegmentHeader { log, first: 0, opened_us: times[0], retain_until_us, data_key: data.id() };
    let mut frames = [Vec::new(), Vec::new()];
    records.iter().zip(&mut frames).for_each(|(record, frame)| frame::push(frame, record));
    let leaves: [Hash; 2] = [leaf_hash(&records[0]), leaf_hash(&records[1])];
    let root = node_hash(&leaves[0], &leaves[1]);
    let note = Note::sign(Checkpoint { origin, size: 2, root }.text(), &key).to_string();
    let mut text = String::new();
    let mut tell = |what: &str, bytes: &[u8]| write!(text, "{what}\n{}", lines(bytes)).unwrap();
    tell("log's id", &log);
    tell("signing key: the seed of Ed25519", &[0x55; 32]);
    tell("data key: its id, the key", &[[0x11; 8].as_slice(), &[0x22; 32]].concat());
    tell("ann's key: its id, the key", &[[0x33; 8].as_slice(), &[0x44; 32]].concat());
    tell("segment's header", &header.encode());
    tell("record 0, first part before it is sealed", &cbor(&hub));
    tell("record 0, personal part before it is sealed", &cbor(&own));
    tell("record 0", &records[0]);
    tell("record 0 behind the head of its frame: length, CRC32C", &frames[0][..frame::FRAME_HEAD_LEN]);
    tell("record 1, first part before it is sealed", &cbor(&stop));
    tell("record 1", &records[1]);
    tell("record 1 behind the head of its frame", &frames[1][..frame::FRAME_HEAD_LEN]);
    tell("leaf 0 = SHA-256(00, record 0)", &leaves[0]);
    tell("leaf 1 = SHA-256(00, record 1)", &leaves[1]);
    tell("root = SHA-256(01, leaf 0, leaf 1)", &root);
    let key = key.public().to_string();
    write!(text, "log.vkey\n  {key}\n\ncheckpoint\n").unwrap();
    note.lines().for_each(|line| writeln!(text, "{}", format!("  {line}").trim_end()).unwrap());
    let proof = format!(
        "c2sp.org/tlog-proof@v1\nextra {}\nindex 0\n{}\n\n{note}",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &records[0]),
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, leaves[1]),
    );
    Example { text, proof, key }
}

#[test]
fn the_example_in_the_documents_is_what_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let place = |path: &str| -> PathBuf { root.join(path) };
    let Example { text, proof, key } = make();
    let block = format!("```text\n{text}```\n");
    let document = fs::read_to_string(place("docs/AUDIT.md")).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (stands, after) = rest.split_once(END).unwrap();
    let files = [("fuzz/corpus/audit_proof/proof", proof.clone()), ("fuzz/audit_proof.vkey", format!("{key}\n"))];
    if env::var_os("OMNI_BLESS").is_some() {
        fs::write(place("docs/AUDIT.md"), format!("{before}{BEGIN}{block}{END}{after}")).unwrap();
        files.iter().for_each(|(path, text)| fs::write(place(path), text).unwrap());
    } else {
        assert_eq!(stands, block, "the format changed, or the page did: OMNI_BLESS=1 writes it anew");
        for (path, text) in files {
            assert_eq!(fs::read_to_string(place(path)).unwrap(), text, "{path}");
        }
    }
    let proof: crate::RecordProof = proof.parse().unwrap();
    assert_eq!(proof.check(&[key.parse().unwrap()]).unwrap().index, 0);
}
