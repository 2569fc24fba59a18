//! On whose account something happened.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use omni_types::Principal;

/// Seconds of a day.
const DAY_S: u64 = 24 * 60 * 60;

/// On whose account something happened. There is no event without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An authenticated caller.
    Principal(Principal),
    /// Somebody who was not let in, or has not said who they are.
    Anonymous,
    /// The hub itself: start, reload, expiry.
    System,
}

impl Who {
    /// Under whose key the personal fields of an event are kept that happens at `now`: a text that no other caller has. What
    /// concerns somebody who is not known (their address) is kept by the day (UTC), so that it can be erased by the day: a key
    /// for each address would let strangers fill the file of keys.
    #[must_use]
    pub fn person(&self, now: SystemTime) -> String {
        match self {
            Self::Principal(principal) => principal.binding(),
            Self::Anonymous => format!("anonymous\0{}", day(now)),
            Self::System => "system".to_owned(),
        }
    }
}

/// Whole days since 1970, UTC.
pub(crate) fn day(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY_S
}

impl From<&Principal> for Who {
    fn from(principal: &Principal) -> Self {
        Self::Principal(principal.clone())
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(principal) => principal.fmt(f),
            Self::Anonymous => f.write_str("anonymous"),
            Self::System => f.write_str("system"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use omni_types::Principal;

    use super::Who;

    #[test]
    fn shb_4_everything_personal_has_a_key_and_strangers_share_one_a_day() {
        let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(hours * 3600);
        let ann = Who::from(&Principal::local("ann"));
        assert_eq!(ann.person(at(0)), ann.person(at(99)));
        assert_ne!(ann.person(at(0)), Who::from(&Principal::local("bob")).person(at(0)));
        assert_eq!(Who::Anonymous.person(at(1)), Who::Anonymous.person(at(23)));
        assert_ne!(Who::Anonymous.person(at(1)), Who::Anonymous.person(at(24)));
        assert_ne!(Who::System.person(at(1)), Who::from(&Principal::local("system")).person(at(1)));
    }
}
