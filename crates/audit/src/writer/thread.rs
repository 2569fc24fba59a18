//! The thread that writes: takes what waits, commits it as a group, and says so where it cannot.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::{Drafting, Entry, now_us};
use super::journal::Journal;
use super::queue::{Command, Item, Queue, Shed, Taken, Waiting};
use super::settings::LogSettings;
use super::turns::Turns;
use crate::error::LogError;
use crate::event::Event;
use crate::field::FieldName;
use crate::kind::{EventKind, Outcome};
use crate::record::{Field, Value};
use crate::sink::NotRecorded;
use crate::who::Who;

/// Rounds without an event after which the thread sleeps until it is called.
const IDLE_ROUNDS: u32 = 50;
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How often a log that cannot be written says so.
const COMPLAINT_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    queue: Arc<Queue>,
    journal: Journal,
    group: Duration,
    complained: Option<Instant>,
    /// What is to be written, kept until it is durable.
    batch: Vec<Entry>,
    drafting: Drafting,
    waiting: Vec<Waiting>,
    /// What was not recorded, until a record says so.
    shed: Shed,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, mut journal: Journal, settings: &LogSettings) -> Self {
        journal.turns = Turns::of(Arc::clone(&queue));
        queue.state().records = journal.size;
        Self {
            queue,
            journal,
            group: settings.group,
            complained: None,
            batch: Vec::new(),
            drafting: Drafting::default(),
            waiting: Vec::new(),
            shed: Shed::default(),
        }
    }

    /// Runs until the log is closed.
    pub(super) fn run(mut self, notices: Vec<String>) {
        for notice in notices {
            self.batch.push(found(notice));
        }
        let mut taken = Taken::default();
        let mut quiet = 0;
        loop {
            let idle = quiet > IDLE_ROUNDS && self.batch.is_empty();
            // What is already to be written does not wait for more.
            let group = if self.batch.is_empty() { self.group } else { Duration::ZERO };
            if idle {
                self.journal.persons.let_go();
            }
            self.queue.take(group, idle, &mut taken);
            quiet = if taken.items.is_empty() { quiet.saturating_add(1) } else { 0 };
            self.gather(&mut taken.items);
            self.add_shed(taken.shed);
            self.commit_until_done(taken.closing);
            for command in taken.commands.drain(..) {
                self.obey(command);
            }
            if taken.closing && self.queue.state().items.is_empty() {
                break;
            }
        }
        self.journal.signing.close();
    }

    fn gather(&mut self, items: &mut VecDeque<Item>) {
        let group = items.len();
        for (done, Item { time_us, who, event, waiting }) in items.drain(..).enumerate() {
            self.journal.turns.after(done, group);
            self.batch.push(self.drafting.entry(time_us, who, event));
            self.waiting.extend(waiting);
        }
    }

    /// What was shed is put on record once there is room again: after what waited, which came before it.
    fn add_shed(&mut self, shed: Shed) {
        if shed.count > 0 {
            let first_us = if self.shed.count == 0 { shed.first_us } else { self.shed.first_us };
            self.shed = Shed { count: self.shed.count + shed.count, first_us, last_us: shed.last_us };
        }
        if self.shed.count > 0 {
            let Shed { count, first_us, last_us } = std::mem::take(&mut self.shed);
            tracing::error!(target: "audit", count, "events were not recorded: the audit log does not keep up");
            let event = Event::new(EventKind::Log, "log/shed", Outcome::Failed)
                .fact(FieldName::Count, count)
                .fact(FieldName::FromUs, first_us)
                .fact(FieldName::UntilUs, last_us);
            self.batch.push(self.drafting.entry(now_us(), Who::System, event));
        }
    }

    /// Commits the batch. Whoever waits is refused at the first failure; what nobody waits for is tried until it is written
    /// or the log is closed, while the queue fills.
    fn commit_until_done(&mut self, mut closing: bool) {
        let mut pause = RETRY_MIN;
        while !self.batch.is_empty() {
            match self.journal.commit(&self.batch) {
                Ok(()) => {
                    self.batch.clear();
                    let mut state = self.queue.state();
                    state.failing = None;
                    state.records = self.journal.size;
                    drop(state);
                    self.complained = None;
                    self.waiting.drain(..).for_each(|waiting| drop(waiting.send(Ok(()))));
                }
                Err(error) => {
                    self.fail(&error);
                    if closing {
                        let lost = self.batch.len();
                        tracing::error!(target: "audit", lost, %error, "the audit log is closed with events that could not be written");
                        self.batch.clear();
                        return;
                    }
                    self.queue.pause(pause);
                    pause = (pause * 2).min(RETRY_MAX);
                    closing = self.queue.state().closing;
                }
            }
        }
    }

    /// Whoever waits for this batch hears that it is not recorded. Its records are written all the same when the disk is
    /// back: that something was asked for and refused is worth knowing.
    fn fail(&mut self, error: &LogError) {
        let text = error.to_string();
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_EVERY) {
            tracing::error!(target: "audit", %error, "the audit log cannot be written");
            self.complained = Some(Instant::now());
        }
        let mut state = self.queue.state();
        state.failing = Some(text.clone());
        // Those who came meanwhile and wait hear it now, not when the disk is back.
        for item in &mut state.items {
            if let Some(waiting) = item.waiting.take() {
                let _gone = waiting.send(Err(NotRecorded::Failed(text.clone())));
            }
        }
        drop(state);
        self.waiting.drain(..).for_each(|waiting| drop(waiting.send(Err(NotRecorded::Failed(text.clone())))));
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Erase(identity, reply) => drop(reply.send(self.journal.erase(&identity))),
            Command::RotateSigning(reply) => drop(reply.send(self.journal.rotate_signing())),
            Command::RotateEncryption(reply) => drop(reply.send(self.journal.rotate_encryption())),
            Command::Checkpoint(reply) => self.journal.signing.ask(reply),
            Command::Prune(deletion, reply) => drop(reply.send(self.journal.state(*deletion))),
        }
        self.queue.state().records = self.journal.size;
    }
}

/// If the thread ends by a panic, nobody waits for it.
impl Drop for Writer {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.closing = true;
        state.items.clear();
        state.commands.clear();
        if std::thread::panicking() {
            state.failing = Some("the thread that writes the audit log has failed".to_owned());
        }
    }
}

/// What was found when the log was opened, put on record.
fn found(notice: String) -> Entry {
    let event = Event::new(EventKind::Log, "log/recover", Outcome::Success);
    Entry::of_fields(now_us(), Who::System, event, Some(Field::hub("log.notice", Value::Text(notice))))
}
