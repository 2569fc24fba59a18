//! A log made by hand, to the byte as `docs/AUDIT.md` says, so that reading is tested apart from writing.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use omni_types::Principal;
use tempfile::TempDir;

use crate::archive::{Archive, ORIGIN_PREFIX};
use crate::frame;
use crate::keys::{FileKek, Identity, KeyPlaces, Keys};
use crate::note::{Checkpoint, Note, SigningKey};
use crate::record::{Field, PlainRecord, Seal, Value};
use crate::search::Search;
use crate::segment::{SegmentHeader, segment_path};
use crate::tree::{Frontier, TileWriter, leaf_hash};

const LOG: [u8; 16] = [9; 16];

/// What is written down of one event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) time_us: u64,
    pub(crate) who: Option<&'static str>,
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// A log in a folder of its own.
pub(crate) struct Made {
    pub(crate) folder: TempDir,
    pub(crate) keys: Keys,
    signing: SigningKey,
    data: Option<Seal>,
    path: PathBuf,
    frontier: Frontier,
    tiles: TileWriter,
}

impl Made {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = KeyPlaces::of(folder.path());
        fs::create_dir(places.folder()).unwrap();
        let kek = FileKek::generate().unwrap();
        kek.write(&places.encryption()).unwrap();
        let keys = Keys::open_or_create(folder.path(), LOG, Box::new(kek)).unwrap();
        let signing = SigningKey::generate(&format!("{ORIGIN_PREFIX}{:032x}", u128::from_be_bytes(LOG))).unwrap();
        fs::write(folder.path().join("log.vkey"), format!("{}\n", signing.public())).unwrap();
        let tiles = TileWriter::resume(folder.path(), 0).unwrap();
        Self { folder, keys, signing, data: None, path: PathBuf::new(), frontier: Frontier::default(), tiles }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Begins a segment.
    pub(crate) fn begin(&mut self, time_us: u64) {
        let data = self.keys.new_data_key().unwrap();
        let first = self.frontier.size();
        let header =
            SegmentHeader { log: LOG, first, opened_us: time_us, retain_until_us: u64::MAX, data_key: data.id() };
        self.path = segment_path(self.folder.path(), first, time_us);
        fs::create_dir_all(self.path.parent().unwrap()).unwrap();
        fs::write(&self.path, header.encode()).unwrap();
        self.data = Some(data);
    }

    /// Writes events at the end of the segment.
    pub(crate) fn write(&mut self, events: &[Event]) {
        let mut bytes = Vec::new();
        for event in events {
            frame::push(&mut bytes, &self.record(event));
        }
        OpenOptions::new().append(true).open(&self.path).unwrap().write_all(&bytes).unwrap();
    }

    fn record(&mut self, event: &Event) -> Vec<u8> {
        let mut fields: Vec<Field> =
            event.fields.iter().map(|(name, text)| Field::hub(*name, Value::from(text.as_str()))).collect();
        let mut person = None;
        if let Some(who) = event.who {
            person = Some(self.keys.seal_of(&Identity::of(&Principal::local(who))).unwrap());
            fields.push(Field::hub("principal_kind", Value::from("local")));
            fields.push(Field::personal("principal", Value::from(who)));
        }
        let plain = PlainRecord { index: self.frontier.size(), time_us: event.time_us, fields: &fields };
        let record = plain.seal(&LOG, self.data.as_ref().unwrap(), person.as_ref()).unwrap();
        self.frontier.append(leaf_hash(&record), |height, _, hash| self.tiles.add(height, hash));
        record
    }

    /// Signs what is there.
    pub(crate) fn sign(&mut self) {
        self.tiles.flush().unwrap();
        let origin = self.signing.public().name().to_owned();
        let checkpoint = Checkpoint { origin, size: self.frontier.size(), root: self.frontier.root() };
        let note = Note::sign(checkpoint.text(), &self.signing);
        fs::write(self.path().join("checkpoint"), note.to_string()).unwrap();
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(self.path()).unwrap()
    }

    pub(crate) fn search(&self) -> Search {
        Search::new(self.archive()).unwrap()
    }
}
