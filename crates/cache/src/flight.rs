//! Single flight: of those who want the same at the same time one asks, and the others wait for what comes of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use crate::key::Key;

/// Things asked for at a time that others may wait for. Of more, everybody asks alone.
const FLIGHTS_MAX: usize = 1_024;
/// Things remembered that nobody waits for.
const ALONE_MAX: usize = 4_096;

/// What came of asking.
#[derive(Debug, Clone)]
pub enum Said {
    /// This, which may serve who waited.
    Shared(Bytes),
    /// Something that is for who asked alone: the others ask themselves.
    Own,
}

#[derive(Debug, Clone)]
enum State {
    Open,
    Said(Said),
}

/// Who asks.
#[derive(Debug)]
pub enum Turn {
    /// The first: asks, and says what came of it.
    Lead(Lead),
    /// Another asks already.
    Follow(Follow),
    /// Too much is asked for at a time to keep books about more.
    Alone,
}

/// The books.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    flights: HashMap<Key, watch::Receiver<State>>,
    /// What was for who asked alone the last time: to wait for one another would only take time.
    alone: HashSet<Key>,
}

impl Flights {
    pub(crate) fn turn(&self, key: Key) -> Turn {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = open.flights.get(&key) {
            return Turn::Follow(Follow(state.clone()));
        }
        if open.flights.len() >= FLIGHTS_MAX || open.alone.contains(&key) {
            return Turn::Alone;
        }
        let (tell, state) = watch::channel(State::Open);
        open.flights.insert(key, state);
        Turn::Lead(Lead { flights: self.clone(), key, tell })
    }

    /// What stands under `key` may serve others: from now on they wait for one another.
    pub(crate) fn together(&self, key: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).alone.remove(key);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flights.len()
    }
}

/// The one who asks. Dropped without a word, the next of those who wait asks.
#[derive(Debug)]
pub struct Lead {
    flights: Flights,
    key: Key,
    tell: watch::Sender<State>,
}

impl Lead {
    /// Tells those who wait.
    pub fn say(self, said: Said) {
        if matches!(said, Said::Own) {
            let mut open = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
            if open.alone.len() >= ALONE_MAX {
                open.alone.clear();
            }
            open.alone.insert(self.key);
        }
        self.tell.send_replace(State::Said(said));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        // Whoever comes now finds no flight, and those who wait hear of its end after that.
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).flights.remove(&self.key);
    }
}

/// One who waits.
#[derive(Debug)]
pub struct Follow(watch::Receiver<State>);

impl Follow {
    /// What came of it; `None` when who asked went away, and somebody else has to.
    pub async fn wait(mut self) -> Option<Said> {
        let state = self.0.wait_for(|state| matches!(state, State::Said(_))).await.ok()?;
        match &*state {
            State::Said(said) => Some(said.clone()),
            State::Open => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use bytes::Bytes;

    use super::{FLIGHTS_MAX, Flights, Said, Turn};
    use crate::key::{Audience, Key, Kind};

    fn key(name: usize) -> Key {
        Key::of(Kind::Resource, Audience::Public, &[&name.to_le_bytes()])
    }

    /// RES-3: one asks for many, and when that one goes, another does.
    #[tokio::test]
    async fn res_3_one_asks_for_all_who_wait() {
        let flights = Flights::default();
        let Turn::Lead(lead) = flights.turn(key(1)) else { panic!("the first leads") };
        let follow = |flights: &Flights| match flights.turn(key(1)) {
            Turn::Follow(follow) => follow,
            other => panic!("{other:?}"),
        };
        let (first, second) = (follow(&flights), follow(&flights));
        assert!(matches!(flights.turn(key(2)), Turn::Lead(_)), "what differs does not wait");
        drop(lead);
        assert!(first.wait().await.is_none() && second.wait().await.is_none());
        let Turn::Lead(lead) = flights.turn(key(1)) else { panic!("the place is free") };
        let (first, second) = (follow(&flights), follow(&flights));
        lead.say(Said::Shared(Bytes::from_static(b"x")));
        for follow in [first, second] {
            assert!(matches!(follow.wait().await, Some(Said::Shared(body)) if body == "x"));
        }
        assert_eq!(flights.len(), 0);
    }

    /// RES-3: for what is each one's own nobody waits a second time.
    #[tokio::test]
    async fn res_3_what_is_each_ones_own_makes_nobody_wait() {
        let flights = Flights::default();
        let Turn::Lead(lead) = flights.turn(key(1)) else { panic!("the first leads") };
        let Turn::Follow(follow) = flights.turn(key(1)) else { panic!("the second waits") };
        lead.say(Said::Own);
        assert!(matches!(follow.wait().await, Some(Said::Own)));
        assert!(matches!(flights.turn(key(1)), Turn::Alone));
        flights.together(&key(1));
        assert!(matches!(flights.turn(key(1)), Turn::Lead(_)));
    }

    /// RES-3: the books are bounded; beyond them everybody asks.
    #[test]
    fn res_3_books_are_kept_of_so_many() {
        let flights = Flights::default();
        let leads: Vec<_> = (0..FLIGHTS_MAX).map(|name| flights.turn(key(name))).collect();
        assert!(leads.iter().all(|turn| matches!(turn, Turn::Lead(_))));
        assert!(matches!(flights.turn(key(FLIGHTS_MAX)), Turn::Alone));
        drop(leads);
        assert_eq!(flights.len(), 0);
    }
}
