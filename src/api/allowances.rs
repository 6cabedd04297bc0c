//! How much the node takes of each person who is signed in, and of each network address of whose requests it does not know whose
//! they are. What is left to them is kept in memory; a restart forgets it. Guessing is slowed down besides, by
//! [`throttles`](super::throttles).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use actix_web::http::{Method, StatusCode};
use jiff::Timestamp;

use super::problem::Problem;
use crate::domain::allowance::{Allowance, CHANGING, READING, Rate};
use crate::domain::id::UserId;

/// The most of each kind whose allowance is kept. At the bound those are forgotten that miss nothing, and if there are none, all.
const KEPT_MAX: usize = 10_000;

/// What is left to each.
#[derive(Debug)]
pub struct Allowances<K> {
    rate: Option<Rate>,
    kept: Mutex<HashMap<K, Allowance>>,
}

impl<K: Copy + Eq + Hash> Allowances<K> {
    /// Nothing is bounded where `per_minute` is 0.
    pub fn new(per_minute: u32) -> Self {
        Self {
            rate: (per_minute > 0).then_some(Rate { per_minute }),
            kept: Mutex::default(),
        }
    }

    /// Takes the cost of one more request.
    ///
    /// # Errors
    /// Too little is left: the seconds after which there is enough.
    fn spend(&self, key: K, cost: u32, now: Timestamp) -> Result<(), u32> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.get(&key).copied();
        if before.is_none() && kept.len() >= KEPT_MAX {
            kept.retain(|_, allowance| !allowance.is_whole(rate, now));
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
        }
        let before = before.map_or_else(|| Allowance::whole(rate, now), |before| before.as_of(now));
        let after = before.spent(rate, cost, now);
        kept.insert(key, after.unwrap_or(before));
        after.map(drop)
    }
}

impl Allowances<IpAddr> {
    /// Whether an address may ask once more.
    ///
    /// # Errors
    /// 429, with the seconds after which it may.
    pub fn admit(&self, address: IpAddr, now: Timestamp) -> Result<(), Problem> {
        self.spend(network(address), READING, now).map_err(|seconds| {
            too_many(
                "too many requests without a session come from your network",
                seconds,
            )
        })
    }
}

impl Allowances<UserId> {
    /// Whether somebody may ask once more.
    ///
    /// # Errors
    /// 429, with the seconds after which they may.
    pub fn admit(&self, user: UserId, method: &Method, now: Timestamp) -> Result<(), Problem> {
        let cost = if method.is_safe() { READING } else { CHANGING };
        self.spend(user, cost, now)
            .map_err(|seconds| too_many("you send too many requests", seconds))
    }
}

/// An IPv6 host has a whole /64 of addresses to itself.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

fn too_many(what: &str, seconds: u32) -> Problem {
    let detail = format!("{what}; try again in {seconds} seconds");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).with("retry_after", seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn each_network_has_an_allowance_of_its_own() {
        let strangers = Allowances::<IpAddr>::new(3);
        let admit = |address: &str, second| strangers.admit(address.parse::<IpAddr>().unwrap(), at(second));
        for _ in 0..3 {
            admit("192.0.2.1", 0).unwrap();
        }
        assert_eq!(admit("192.0.2.1", 0).unwrap_err().word(), "too_many_requests");
        admit("192.0.2.2", 0).unwrap();
        admit("192.0.2.1", 20).unwrap();
        for host in 1..=3 {
            admit(&format!("2001:db8:0:1::{host}"), 0).unwrap();
        }
        assert!(
            admit("2001:db8:0:1:ffff::", 0).is_err(),
            "one host has a whole /64"
        );
        admit("2001:db8:0:2::1", 0).unwrap();
    }

    #[test]
    fn a_clock_that_is_put_back_holds_nobody_up() {
        let strangers = Allowances::<IpAddr>::new(60);
        let admit = |second| strangers.admit(IpAddr::from([192, 0, 2, 1]), at(second));
        for _ in 0..60 {
            admit(3_600).unwrap();
        }
        admit(0).unwrap_err();
        admit(1).unwrap();
    }

    #[test]
    fn each_person_reads_more_than_they_change() {
        let people = Allowances::<UserId>::new(20);
        let admit = |user, method: Method| people.admit(UserId(uuid::Uuid::from_u128(user)), &method, at(0));
        admit(1, Method::POST).unwrap();
        admit(1, Method::DELETE).unwrap();
        assert_eq!(admit(1, Method::GET).unwrap_err().word(), "too_many_requests");
        for _ in 0..20 {
            admit(2, Method::GET).unwrap();
        }
        assert!(admit(2, Method::GET).is_err());
        let unbounded = Allowances::<UserId>::new(0);
        for _ in 0..1000 {
            unbounded
                .admit(UserId(uuid::Uuid::nil()), &Method::PUT, at(0))
                .unwrap();
        }
    }

    #[test]
    fn memory_is_bounded() {
        let strangers = Allowances::<IpAddr>::new(3);
        for n in 0..u32::try_from(KEPT_MAX).unwrap() + 10 {
            drop(strangers.admit(IpAddr::from(n.to_be_bytes()), at(0)));
        }
        assert!(strangers.kept.lock().unwrap().len() <= KEPT_MAX);
    }
}
