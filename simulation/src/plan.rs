//! What one seed decides on before anything happens: who is there, and how much goes wrong.

use std::time::Duration;

use crate::chance::Chance;
use crate::planted::Planted;

/// Which revisions a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Legacy,
    Modern,
    Both,
}

/// How the world is made.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) servers: Vec<Speaks>,
    pub(crate) clients: usize,
    pub(crate) steps: u64,
    /// Connections that break or stall somewhere, in a hundred.
    pub(crate) broken: u64,
    /// Connections that are refused, in a hundred.
    pub(crate) refused: u64,
    /// Whether servers go down and come back.
    pub(crate) outages: bool,
    /// Answers that are wrong, cut or never come, in a hundred.
    pub(crate) misbehaved: u64,
    /// Most connections to one server.
    pub(crate) connections_max: usize,
    /// Most sessions of clients at a time.
    pub(crate) sessions_max: usize,
    /// Calls whose server asks the client something, in a hundred.
    pub(crate) asking: u64,
    /// A fault that is put in on purpose.
    pub(crate) planted: Option<Planted>,
}

impl Plan {
    pub(crate) fn draw(chance: &Chance, planted: Option<Planted>) -> Self {
        // In some worlds nothing goes wrong between hub and servers: there, what is promised must hold exactly.
        let calm = chance.percent(30);
        let some = |most: u64| if calm { 0 } else { chance.below(most) };
        let kinds = [Speaks::Legacy, Speaks::Modern, Speaks::Both];
        let kind = || kinds[usize::try_from(chance.below(3)).unwrap_or(0)];
        let servers = (0..=chance.below(3)).map(|_| kind()).collect();
        Self {
            servers,
            clients: 1 + usize::try_from(chance.below(5)).unwrap_or(0),
            steps: 2 + chance.below(8),
            broken: some(30),
            refused: some(20),
            outages: !calm && chance.percent(50),
            misbehaved: some(30),
            connections_max: [1, 2, 3, 30][usize::try_from(chance.below(4)).unwrap_or(0)],
            sessions_max: [2, 100, 100, 100][usize::try_from(chance.below(4)).unwrap_or(0)],
            asking: [0, 20, 60][usize::try_from(chance.below(3)).unwrap_or(0)],
            planted,
        }
    }

    /// Whether this fault was put in.
    pub(crate) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// Whether nothing goes wrong between hub and servers.
    pub(crate) const fn is_calm(&self) -> bool {
        self.broken == 0 && self.refused == 0 && self.misbehaved == 0 && !self.outages
    }
}

/// How long a call may stay without an answer or a sign of progress.
pub(crate) const CALL_TIMEOUT_S: u64 = 5;
/// For a connection, or for a turn in the pool.
pub(crate) const CONNECT_TIMEOUT_S: u64 = 3;
/// How long a call waits for what its server asked of the client.
pub(crate) const INPUT_WAIT: Duration = Duration::from_secs(8);
/// Beyond which a call that waited that long is let go: the hub looks now and then.
pub(crate) const INPUT_WAIT_MAX: Duration = Duration::from_secs(14);
/// For a first list to wait for servers.
pub(crate) const SETTLE_WAIT: Duration = Duration::from_secs(2);
/// Beyond which no call may go without an answer, or a sign of progress: the catalogs, a back-off that is waited out, two
/// handshakes, and the call.
pub(crate) const CALL_WAIT_MAX: Duration = Duration::from_secs(2 + 2 + 2 * CONNECT_TIMEOUT_S + CALL_TIMEOUT_S + 1);
/// After which a session that nobody uses ends.
pub(crate) const SESSION_IDLE: Duration = Duration::from_secs(30);
/// Beyond which such a session is gone: the hub looks now and then.
pub(crate) const SESSION_IDLE_MAX: Duration = Duration::from_secs(36);
/// Within which what has come to rest must have been cleared away: idle sessions and connections, streams to reopen.
pub(crate) const REST: Duration = Duration::from_secs(180);
