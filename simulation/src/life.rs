//! The life of one world from its beginning to its end, and what must hold there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use omni_hub::Scope;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::client::{Client, End};
use crate::plan::{Plan, REST, SESSION_IDLE_MAX};
use crate::planted::Planted;
use crate::server::Server;
use crate::world::World;

/// Between two things that a client does, in milliseconds.
const PAUSE_MS: u64 = 3_000;
/// For the hub's end to reach every connection, those among them that have to fall idle first.
const END_WAIT: Duration = Duration::from_secs(40);

/// What became of one world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lived {
    /// What was not as it must be.
    pub wrong: Vec<String>,
    /// Of everything that happened, with its times.
    pub digest: u64,
    /// Things that happened.
    pub events: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Calls that ended otherwise: refused, let go, cancelled.
    pub refused: u64,
}

/// Lives through the world of `seed`. With `streams`, what servers say of their own accord must arrive, also after everything
/// on which it travels broke. A fault may be `planted`, to see that it is found.
///
/// # Errors
/// When it cannot be made.
pub async fn live(seed: u64, streams: bool, planted: Option<Planted>) -> Result<Lived> {
    let chance = Chance::new(seed);
    let plan = Plan::draw(&chance, planted);
    let world = Arc::new(World::make(plan, &chance, streams)?);
    world.book.note(&format!("{:?}", world.plan));
    let (answered, refused) = world.bustle(&chance).await;
    world.settle_down(&chance).await;
    world.end().await;
    let (wrong, digest, events) = world.book.close();
    Ok(Lived { wrong, digest, events, answered, refused })
}

impl World {
    /// Clients come and go while servers change and fail; calls that were answered, and those that were not.
    async fn bustle(self: &Arc<Self>, chance: &Chance) -> (u64, u64) {
        let mut fates = JoinSet::new();
        for server in &self.servers {
            fates.spawn(fate(Arc::clone(server), self.plan.outages, chance.fork()));
        }
        let mut clients = JoinSet::new();
        for number in 0..self.plan.clients {
            clients.spawn(lead_a_life(Arc::clone(self), number, chance.fork()));
        }
        let (mut answered, mut refused) = (0, 0);
        while let Some(ended) = clients.join_next().await {
            match ended {
                Ok((good, bad)) => (answered, refused) = (answered + good, refused + bad),
                Err(error) => self.book.wrong(format!("a client: {error}")),
            }
        }
        fates.shutdown().await;
        (answered, refused)
    }

    /// Nothing goes wrong any more: soon everything works, and everything is known.
    async fn settle_down(self: &Arc<Self>, chance: &Chance) {
        self.network.calm_down();
        self.servers.iter().for_each(|server| server.calm_down());
        self.book.note("everything is calm");
        // Whoever left without a word holds a place for as long.
        tokio::time::sleep(SESSION_IDLE_MAX).await;
        let mut listeners = Vec::new();
        for (name, modern) in [("last legacy", false), ("last modern", true)] {
            let Some(mut client) = Client::come(self, name.to_owned(), modern, chance.fork()).await else { continue };
            client.listen().await;
            let _first = client.list().await;
            listeners.push(client);
        }
        // What went wrong before is made good by itself, a stream that broke off above all.
        tokio::time::sleep(REST).await;
        self.check_lists(&listeners, "after everything calmed down").await;
        let heard: Vec<usize> = listeners.iter().map(Client::heard).collect();
        self.servers.iter().for_each(|server| server.changes());
        tokio::time::sleep(REST).await;
        for (client, before) in listeners.iter().zip(heard) {
            if self.streams && client.heard() == before {
                self.book.wrong(format!("{}: it hears nothing of a change", client.name));
            }
        }
        self.check_lists(&listeners, "after a change").await;
        for client in &listeners {
            for _ in 0..3 {
                if client.call().await == End::Lost {
                    self.book.wrong(format!("{}: a call is lost though nothing goes wrong", client.name));
                }
            }
        }
        listeners.into_iter().for_each(|client| client.leave(true));
    }

    async fn check_lists(&self, clients: &[Client], when: &str) {
        let mut expected: Vec<String> = self
            .servers
            .iter()
            .flat_map(|server| server.tools().into_iter().map(|tool| format!("{}__{tool}", server.name)))
            .collect();
        expected.sort();
        for client in clients {
            let shown = client.list().await.unwrap_or_default();
            if self.streams && shown != expected {
                self.book.wrong(format!("{} {when}: shown {shown:?}, there are {expected:?}", client.name));
            }
        }
    }

    /// Nobody is there any more: nothing may be left of anything.
    async fn end(&self) {
        tokio::time::sleep(REST).await;
        let book = &self.book;
        let zero = |what: &str, count: usize| {
            if count > 0 {
                book.wrong(format!("{count} {what} are left"));
            }
        };
        zero("calls in flight", self.hub.calls_in_flight());
        zero("calls that wait for input", self.hub.parked());
        zero("sessions", self.hub.sessions().len());
        for status in self.hub.statuses(&Scope::All) {
            zero(&format!("calls of {}", status.name), status.calls);
            zero(&format!("idle connections to {}", status.name), status.connections_idle);
        }
        // A stream each for what a server says of its own accord, in each era.
        zero("connections too many", book.connections().saturating_sub(2 * self.servers.len()));
        // Where few connections are allowed and all are in use, a server may not hear in time of a session's end, or of a
        // call's: what is told aside waits for its turn like any call.
        let roomy = self.plan.connections_max > 5;
        if self.plan.is_calm() && roomy {
            for server in &self.servers {
                zero(
                    &format!("sessions at {}, beside the shared one,", server.name),
                    server.sessions().saturating_sub(1),
                );
            }
        }
        for call in book.repeated() {
            book.wrong(format!("call {call} was sent more than once"));
        }
        for call in self.all_abandoned() {
            let Some(seen) = book.seen(call).filter(|_| self.plan.is_calm() && roomy) else { continue };
            if !(seen.answered || seen.cancelled || seen.let_go && !seen.legacy) {
                book.wrong(format!("call {call} was let go, and its server was not told: {seen:?}"));
            }
        }
        self.hub.stop().await;
        tokio::time::sleep(END_WAIT).await;
        zero("connections of a hub that was stopped", book.connections());
    }
}

/// What happens to a server while clients are there.
async fn fate(server: Arc<Server>, outages: bool, chance: Chance) {
    loop {
        tokio::time::sleep(chance.ms(8_000)).await;
        if outages && chance.percent(50) {
            server.goes_down(chance.percent(50));
            tokio::time::sleep(chance.ms(8_000)).await;
            server.comes_back();
        } else {
            server.changes();
        }
    }
}

/// One client's life; its calls that were answered, and those that were not.
async fn lead_a_life(world: Arc<World>, number: usize, chance: Chance) -> (u64, u64) {
    let (mut answered, mut refused) = (0, 0);
    tokio::time::sleep(chance.ms(PAUSE_MS)).await;
    let (name, modern) = (format!("client {number}"), chance.percent(50));
    let Ok(mut client) = Client::come(&world, name, modern, chance.fork()).await.ok_or(()) else { return (0, 0) };
    if chance.percent(60) {
        client.listen().await;
    }
    for _ in 0..world.plan.steps {
        tokio::time::sleep(chance.ms(PAUSE_MS)).await;
        if !client.has_its_session() {
            return (answered, refused);
        }
        let mut count = |end| if end == End::Answered { answered += 1 } else { refused += 1 };
        match chance.below(24) {
            0..4 => drop(client.list().await),
            // Several at a time, so that they share what is shared.
            4..10 => {
                let calls = (0..=chance.below(4)).map(|_| client.call());
                futures_util::future::join_all(calls).await.into_iter().for_each(&mut count);
            }
            10 => {
                if !client.idles().await {
                    return (answered, refused);
                }
            }
            11 if chance.percent(50) => {
                client.leaves_in_the_middle().await;
                return (answered, refused);
            }
            _ => count(client.call().await),
        }
    }
    client.leave(chance.percent(60));
    (answered, refused)
}
