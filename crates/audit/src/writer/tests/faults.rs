//! Writes that tear, fall short, fail; syncs that fail; disks that fill and empty; power that goes: in every order that chance
//! gives, nothing acknowledged is lost and nothing is invented. `OMNI_AUDIT_FAULT_ROUNDS=1000` tries that many orders.

use std::collections::HashMap;
use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Durability, LastingLog, names, read, settings, write};
use crate::archive::Archive;
use crate::verify::{VerifyOptions, verify};
use crate::writer::Disk;

const ROUNDS: &str = "OMNI_AUDIT_FAULT_ROUNDS";
const ROUNDS_IN_CI: u64 = 12;

/// Numbers of chance that come again with the same seed (xorshift64*).
#[derive(Debug)]
pub(super) struct Chance {
    pub(super) seed: u64,
    state: u64,
}

impl Chance {
    pub(super) fn of(seed: u64) -> Self {
        Self { seed, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    pub(super) fn of_now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self::of(u64::from(now.subsec_nanos()))
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }

    pub(super) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// A disk on which each operation may fail, and whose power goes after some.
#[derive(Debug)]
struct Shaky(Mutex<State>);

#[derive(Debug)]
struct State {
    chance: Chance,
    /// By inode: how much of a file is durable.
    durable: HashMap<u64, u64>,
    /// Writes that fail for want of room before there is some again.
    full_for: u64,
    operations_left: u64,
    faults: u64,
}

impl State {
    /// Whether the power still is there.
    fn lives(&mut self) -> io::Result<()> {
        self.operations_left = self.operations_left.saturating_sub(1);
        if self.operations_left == 0 { Err(io::Error::other("no power")) } else { Ok(()) }
    }

    fn fault(&mut self, one_in: u64) -> bool {
        let fault = self.chance.one_in(one_in);
        self.faults += u64::from(fault);
        fault
    }
}

impl Disk for Shaky {
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let begun = file.metadata()?;
        state.durable.entry(begun.ino()).or_insert(begun.len());
        let part = state.chance.below(bytes.len() as u64 + 1) as usize;
        let alive = state.lives();
        if alive.is_err() || state.full_for > 0 {
            state.full_for = state.full_for.saturating_sub(1);
            file.write_all(&bytes[..part])?;
            return alive.and(Err(io::ErrorKind::StorageFull.into()));
        }
        if state.fault(14) {
            state.full_for = state.chance.below(3);
            file.write_all(&bytes[..part])?;
            let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::WriteZero];
            return Err(kinds[state.chance.below(3) as usize].into());
        }
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.lives()?;
        if state.fault(14) {
            return Err(io::Error::other("the device does not answer"));
        }
        let now = file.metadata()?;
        state.durable.insert(now.ino(), now.len());
        Ok(())
    }

    fn shorten(&self, file: &File, length: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.lives()?;
        if state.fault(6) {
            return Err(io::Error::other("the device does not answer"));
        }
        file.set_len(length)?;
        let inode = file.metadata()?.ino();
        let durable = state.durable.entry(inode).or_insert(length);
        *durable = length.min(*durable);
        Ok(())
    }
}

/// What a file system may make of what was not durable when the power went: gone, there in part, or other bytes in its place.
fn lose_power(directory: &Path, state: &mut State) {
    for segment in Archive::open(&directory.join("audit")).unwrap().segments().unwrap() {
        let file = OpenOptions::new().write(true).open(&segment.path).unwrap();
        let now = file.metadata().unwrap();
        let durable = state.durable.get(&now.ino()).copied().unwrap_or(now.len()).min(now.len());
        let length = durable + state.chance.below(now.len() - durable + 1);
        file.set_len(length).unwrap();
        if length > durable && state.chance.one_in(2) {
            let at = durable + state.chance.below(length - durable);
            let rubbish = vec![[0, 0xa5][state.chance.below(2) as usize]; usize::try_from(length - at).unwrap()];
            file.write_all_at(&rubbish, at).unwrap();
        }
    }
}

/// Some starts of one log, each until the power goes or it is closed.
fn round(seed: u64) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let (mut tried, mut acknowledged, mut faults) = (Vec::new(), Vec::new(), 0);
    for start in 0..3 {
        let mut chance = Chance::of(seed * 8 + start);
        let operations_left = 3 + chance.below(90);
        let state = State { chance, durable: HashMap::new(), full_for: 0, operations_left, faults: 0 };
        let disk = Arc::new(Shaky(Mutex::new(state)));
        let mut settings = settings(directory.path(), Durability::Strict);
        settings.segment_bytes_max = 2_000;
        let (log, _) = LastingLog::open_on(&settings, disk.clone()).expect("it opens after each fault");
        for at in 0..30 {
            let name = format!("{seed}-{start}-{at}");
            tried.push(name.clone());
            if write(&log, "ann", name.clone()).is_ok() {
                acknowledged.push(name);
            }
            if disk.0.lock().unwrap().operations_left == 0 {
                break;
            }
        }
        log.close();
        let mut state = disk.0.lock().unwrap();
        if state.operations_left == 0 {
            lose_power(directory.path(), &mut state);
        }
        faults += state.faults;
    }
    LastingLog::open(&settings(directory.path(), Durability::Strict)).unwrap().0.close();
    let outcome = verify(&directory.path().join("audit"), &VerifyOptions::default()).unwrap();
    assert_eq!(outcome.findings, [], "seed {seed}");
    let there = names(&read(directory.path()));
    let mut rest = there.iter();
    for name in &acknowledged {
        assert!(rest.any(|one| one == name), "seed {seed}: {name} was acknowledged and is not there: {there:?}");
    }
    let mut rest = tried.iter();
    for name in &there {
        assert!(rest.any(|one| one == name), "seed {seed}: {name} is there twice, out of order, or was never recorded");
    }
    faults
}

#[test]
fn ret_1_whatever_a_disk_does_nothing_acknowledged_is_lost_and_nothing_is_invented() {
    let rounds = env::var(ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS_IN_CI);
    let first = Chance::of_now().seed;
    // The same ones each time, so that what failed can be tried again, and as many of chance.
    let faults: u64 = (0..rounds / 2).chain(first..first + rounds.div_ceil(2)).map(round).sum();
    assert!(faults > 0, "no fault was injected");
}
