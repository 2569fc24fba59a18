//! The log of a hub and those of the processes beside it, asked as one: in the order of time.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context as _, Result};
use omni_audit::query::Query;
use omni_audit::{LogError, Order, Search, Seen, Tell};

use crate::cli::say::say_err;

/// Events of one log that wait until it is their turn.
const WAITING_MAX: usize = 256;

/// Logs that are asked as one; the hub's own is the first.
#[derive(Debug)]
pub(crate) struct Logs(Vec<(u8, Search)>);

impl Logs {
    /// Those with these numbers: 1 is the hub's, 2 that of `audit-2`.
    pub(crate) const fn of(logs: Vec<(u8, Search)>) -> Self {
        Self(logs)
    }

    /// All of them.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u8, &Search)> {
        self.0.iter().map(|(number, search)| (*number, search))
    }

    /// The log of this number.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn numbered(&self, number: u8) -> Result<&Search> {
        let found = self.0.iter().find(|(at, _)| *at == number);
        found
            .map(|(_, search)| search)
            .with_context(|| format!("no process beside the hub wrote a log of number {number}"))
    }

    /// Tells of every event that is asked for, in the order of time. Each log is read by a thread of its own, a little ahead.
    ///
    /// # Errors
    /// Where the hub's own log cannot be read; another one that cannot be is told of and left out.
    pub(crate) fn find(&mut self, query: &Query, order: Order, tell: Tell<'_>) -> Result<(), LogError> {
        if let [(number, search)] = self.0.as_slice() {
            return search.find(query, order, &mut |event| tell(Seen { log: *number, ..event }));
        }
        thread::scope(|scope| {
            let (mut heads, mut readers) = (Vec::new(), Vec::new());
            for (number, search) in &mut self.0 {
                let (give, take) = sync_channel(WAITING_MAX);
                let number = *number;
                readers.push(scope.spawn(move || {
                    // Nobody takes any more where all that was wanted is there.
                    search.find(query, order, &mut |event| match give.send(Seen { log: number, ..event }) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    })
                }));
                heads.push(Head { next: None, rest: take, ended: false });
            }
            merge(&mut heads, order, tell);
            drop(heads);
            let mut own = Ok(());
            for (at, reader) in readers.into_iter().enumerate() {
                let Ok(read) = reader.join() else { continue };
                match read {
                    Err(error) if at == 0 => own = Err(error),
                    Err(error) => say_err!("What a process beside the hub did is left out: {error}"),
                    Ok(()) => {}
                }
            }
            own
        })
    }
}

/// What comes next of one log.
struct Head {
    next: Option<Seen>,
    rest: Receiver<Seen>,
    ended: bool,
}

impl Head {
    fn time(&mut self) -> Option<i64> {
        if self.next.is_none() && !self.ended {
            self.next = self.rest.recv().ok();
            self.ended = self.next.is_none();
        }
        self.next.as_ref().map(|event| event.time_us)
    }
}

fn merge(heads: &mut [Head], order: Order, tell: Tell<'_>) {
    loop {
        let mut first: Option<(usize, i64)> = None;
        for (at, head) in heads.iter_mut().enumerate() {
            let Some(time) = head.time() else { continue };
            let is_before = first.is_none_or(|(_, best)| match order {
                Order::Oldest => time < best,
                Order::Newest => time > best,
            });
            if is_before {
                first = Some((at, time));
            }
        }
        let Some(event) = first.and_then(|(at, _)| heads[at].next.take()) else {
            return;
        };
        if tell(event).is_break() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ops::ControlFlow;
    use std::path::Path;

    use omni_audit::query::{Query, Term};
    use omni_audit::{Archive, Event, EventKind, LastingLog, LogSettings, Order, Outcome, Search, Sink as _, Who};

    use super::Logs;

    fn open(directory: &Path) -> LastingLog {
        LastingLog::open(&LogSettings::new(directory)).unwrap().0
    }

    #[test]
    fn tool_6_logs_of_processes_beside_each_other_are_one_in_the_order_of_time() {
        let home = tempfile::tempdir().unwrap();
        let folders = [1, 2, 3].map(|number| home.path().join(format!("audit-{number}")));
        let logs = folders.each_ref().map(|folder| open(folder));
        for at in 0..900_usize {
            let event = Event::new(EventKind::Call, "tools/call", Outcome::Success).on(None, format!("t{at}"));
            logs[at % 7 % 3].record(Who::System, event);
        }
        logs.iter().for_each(LastingLog::close);
        let search = |number: usize| Search::new(Archive::open(&folders[number]).unwrap()).unwrap();
        let mut all = Logs::of(vec![(1, search(0)), (2, search(1)), (3, search(2))]);
        let mut ask = |order, most: usize, query: &Query| {
            let mut found = Vec::new();
            all.find(query, order, &mut |event| {
                found.push((event.time_us, event.text("name").unwrap().to_owned(), event.id()));
                if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            found
        };
        let oldest = ask(Order::Oldest, usize::MAX, &Query::default());
        assert_eq!(oldest.len(), 900);
        assert!(oldest.is_sorted_by_key(|(time, ..)| *time));
        let newest = ask(Order::Newest, 10, &Query::default());
        assert_eq!(newest.len(), 10);
        assert!(newest.iter().zip(oldest.iter().rev()).all(|(one, other)| one.0 == other.0));
        let mut query = Query::default();
        query.add(Term::exact("name", "t4")).unwrap();
        let found = ask(Order::Newest, usize::MAX, &query);
        assert!(matches!(&*found, [(_, name, id)] if name == "t4" && id.starts_with("2:")), "{found:?}");
    }
}
