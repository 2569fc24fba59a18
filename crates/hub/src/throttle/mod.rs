//! How much of the hub one caller may use (row EMG-2): rates by GCRA, and calls in flight.

mod meter;
pub mod settings;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omni_types::{Fault, FaultKind, Pattern, Principal};

use crate::throttle::meter::Meter;
use crate::throttle::settings::{Rate, ThrottleSettings};

/// Bits of an IPv6 address that name the network of one customer; what comes after, its owner makes up as they like.
const NETWORK_BITS: u32 = 64;

/// The limits in force; without any by default.
#[derive(Debug, Default)]
pub struct Throttle {
    overall: Option<Limit>,
    address: Option<Limit>,
    principal: Option<Limit>,
    server: Option<Limit>,
    tools: Vec<(Pattern, Limit)>,
    failed_logins: Option<Limit>,
    shares: Option<Arc<Shares>>,
}

/// One limit and its words.
#[derive(Debug)]
struct Limit {
    name: String,
    rate: String,
    meter: Meter,
}

/// Calls in flight, by principal.
#[derive(Debug)]
struct Shares {
    max: usize,
    held: Mutex<HashMap<Principal, usize, foldhash::fast::RandomState>>,
}

/// One call of a principal's share; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    principal: Principal,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.principal) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.principal);
            }
        }
    }
}

impl Limit {
    fn build(name: &str, rate: &Rate) -> Result<Self, (String, String)> {
        let key = format!("throttle.{name}");
        let meter = Meter::build(rate).map_err(|why| (key.clone(), why))?;
        Ok(Self { name: key, rate: rate.rate.clone(), meter })
    }

    fn take(&self, key: &impl std::hash::Hash) -> Result<(), Fault> {
        self.meter.take(key).map_err(|wait| self.fault(wait))
    }

    fn fault(&self, wait: Duration) -> Fault {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let why = format!("more than {} ({}): try again in {seconds} s", self.rate, self.name);
        let data = serde_json::json!({ "limit": self.name, "rate": self.rate, "retryAfterSeconds": seconds });
        Fault::new(FaultKind::Busy, why).with_data(data.to_string()).with_retry_after(wait)
    }
}

impl Throttle {
    /// Reads the settings.
    ///
    /// # Errors
    /// The key, and what is wrong with it.
    pub fn build(settings: &ThrottleSettings) -> Result<Self, (String, String)> {
        let limit = |name, rate: &Option<Rate>| rate.as_ref().map(|rate| Limit::build(name, rate)).transpose();
        let tool = |(pattern, rate): (&String, &Rate)| -> Result<_, (String, String)> {
            let name = format!("tools.{pattern}");
            let pattern = Pattern::parse(pattern).map_err(|error| (format!("throttle.{name}"), error.to_string()))?;
            Ok((pattern, Limit::build(&name, rate)?))
        };
        Ok(Self {
            overall: limit("overall", &settings.overall)?,
            address: limit("address", &settings.address)?,
            principal: limit("principal", &settings.principal)?,
            server: limit("server", &settings.server)?,
            tools: settings.tools.iter().map(tool).collect::<Result<_, _>>()?,
            failed_logins: Some(Limit::build("failed_logins", &settings.failed_logins)?),
            shares: settings.principal_calls_max.map(|max| Arc::new(Shares { max, held: Mutex::default() })),
        })
    }

    /// Counts one request of `principal` from `address`, and gives it its share of the calls in flight.
    pub(crate) fn admit(&self, principal: &Principal, address: Option<IpAddr>) -> Result<Option<Share>, Fault> {
        // The narrow ones first: who asks for too much uses up nothing of the others'.
        if let (Some(limit), Some(address)) = (&self.address, address) {
            limit.take(&network(address))?;
        }
        if let Some(limit) = &self.principal {
            limit.take(principal)?;
        }
        let share = self.shares.as_ref().map(|shares| share(shares, principal)).transpose()?;
        if let Some(limit) = &self.overall {
            limit.take(&())?;
        }
        Ok(share)
    }

    /// Counts one call of `principal` to `name` of `server`.
    pub(crate) fn call(&self, principal: &Principal, server: &str, name: &str) -> Result<(), Fault> {
        for (_, limit) in self.tools.iter().filter(|(pattern, _)| pattern.matches(server, name)) {
            limit.take(principal)?;
        }
        self.server.as_ref().map_or(Ok(()), |limit| limit.take(&server))
    }

    /// Counts a login from `address` that failed.
    pub(crate) fn login_failed(&self, address: IpAddr) -> Result<(), Fault> {
        self.failed_logins.as_ref().map_or(Ok(()), |limit| limit.take(&network(address)))
    }

    /// Refuses what logins from `address` would cost others, while it was told to wait because too many failed.
    pub(crate) fn may_log_in(&self, address: IpAddr) -> Result<(), Fault> {
        let Some(limit) = &self.failed_logins else { return Ok(()) };
        limit.meter.wait(&network(address)).map_or(Ok(()), |wait| Err(limit.fault(wait)))
    }
}

fn share(shares: &Arc<Shares>, principal: &Principal) -> Result<Share, Fault> {
    let mut held = shares.held.lock().unwrap_or_else(PoisonError::into_inner);
    let count = held.entry(principal.clone()).or_insert(0);
    if *count >= shares.max {
        let why = format!("{principal} has {count} calls in flight, all it may have (throttle.principal_calls_max)");
        let data = serde_json::json!({ "limit": "throttle.principal_calls_max", "calls": shares.max });
        return Err(Fault::new(FaultKind::Busy, why).with_data(data.to_string()));
    }
    *count += 1;
    Ok(Share { shares: Arc::clone(shares), principal: principal.clone() })
}

/// What counts as one source: an IPv4 address, or a network of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - NETWORK_BITS)))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;

    use omni_types::{FaultKind, Principal};

    use super::{Throttle, network};
    use crate::throttle::settings::{Rate, ThrottleSettings};

    fn rate(text: &str) -> Option<Rate> {
        Some(Rate { rate: text.to_owned(), burst: None })
    }

    #[test]
    fn emg_2_by_principal_address_server_tool_and_overall() {
        let (ann, bob) = (Principal::local("ann"), Principal::local("bob"));
        let (one, two): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let of = |settings| Throttle::build(&settings).unwrap();
        let throttle = of(ThrottleSettings { principal: rate("1/h"), ..Default::default() });
        assert!(throttle.admit(&ann, None).is_ok() && throttle.admit(&bob, None).is_ok());
        let fault = throttle.admit(&ann, None).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Busy);
        assert!(fault.public().contains("1/h (throttle.principal)"), "{fault}");
        assert!(fault.retry_after().is_some_and(|wait| wait.as_secs() > 3_000), "{fault:?}");
        let throttle = of(ThrottleSettings { address: rate("1/h"), ..Default::default() });
        assert!(throttle.admit(&ann, Some(one)).is_ok() && throttle.admit(&ann, Some(two)).is_ok());
        assert!(throttle.admit(&bob, Some(one)).is_err() && throttle.admit(&bob, None).is_ok());
        let throttle = of(ThrottleSettings { overall: rate("2/h"), ..Default::default() });
        assert!(throttle.admit(&ann, None).is_ok() && throttle.admit(&bob, None).is_ok());
        assert!(throttle.admit(&ann, None).is_err());
        let throttle = of(ThrottleSettings { server: rate("2/h"), ..Default::default() });
        assert!(throttle.call(&ann, "git", "a").is_ok() && throttle.call(&bob, "git", "b").is_ok());
        assert!(throttle.call(&bob, "git", "c").is_err() && throttle.call(&bob, "db", "c").is_ok());
        let tools = [("git:git_*".to_owned(), rate("1/h").unwrap())].into();
        let throttle = of(ThrottleSettings { tools, ..Default::default() });
        assert!(throttle.call(&ann, "git", "git_log").is_ok() && throttle.call(&bob, "git", "git_log").is_ok());
        assert!(throttle.call(&ann, "git", "git_diff").is_err() && throttle.call(&ann, "git", "other").is_ok());
    }

    #[test]
    fn emg_2_failed_logins_are_counted_for_each_source_also_without_a_setting() {
        let throttle = Throttle::build(&ThrottleSettings::default()).unwrap();
        let (one, same, other): (IpAddr, IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        let let_through = (0..1_000).take_while(|_| throttle.login_failed(one).is_ok()).count();
        assert!((60..200).contains(&let_through), "{let_through}");
        let fault = throttle.login_failed(same).unwrap_err();
        assert!(throttle.may_log_in(same).is_err() && throttle.may_log_in(other).is_ok());
        assert!(fault.retry_after().is_some_and(|wait| wait.as_secs() <= 2), "{fault:?}");
        assert!(throttle.login_failed(other).is_ok() && throttle.admit(&Principal::local("ann"), Some(one)).is_ok());
    }

    #[test]
    fn emg_2_calls_in_flight_are_given_back() {
        let (ann, bob) = (Principal::local("ann"), Principal::local("bob"));
        let settings = ThrottleSettings { principal_calls_max: Some(1), ..Default::default() };
        let throttle = Throttle::build(&settings).unwrap();
        let first = throttle.admit(&ann, None).unwrap();
        assert!(throttle.admit(&ann, None).is_err() && throttle.admit(&bob, None).is_ok());
        drop(first);
        assert!(throttle.admit(&ann, None).is_ok());
    }

    #[test]
    fn emg_2_who_owns_a_network_of_ipv6_is_one_source() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1") && !same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn emg_2_what_is_wrong_is_named_by_its_key() {
        let wrong = ThrottleSettings { server: rate("often"), ..Default::default() };
        assert_eq!(Throttle::build(&wrong).unwrap_err().0, "throttle.server");
        let wrong = ThrottleSettings { tools: [("".to_owned(), rate("1/s").unwrap())].into(), ..Default::default() };
        assert_eq!(Throttle::build(&wrong).unwrap_err().0, "throttle.tools.");
    }
}
