//! How fast secrets may be guessed: failures by account and by network address, in memory. A restart forgets them, which only
//! the administrator of the machine can bring about.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::problem::Problem;
use crate::domain::hash::Hash;
use crate::domain::text;
use crate::domain::throttle::{Failures, PER_ACCOUNT, PER_ADDRESS, Pace};

/// The most accounts and the most addresses whose failures are kept. At the bound, what is forgotten soonest goes first.
const KEPT_MAX: usize = 10_000;

/// Who tries: an account by its address, whether it exists or not, and where from.
#[derive(Clone, Copy, Debug)]
pub struct Trier {
    account: Option<[u8; 32]>,
    address: IpAddr,
}

impl Trier {
    /// Somebody who names an account.
    pub fn of_account(email: &str, address: IpAddr) -> Self {
        let folded = text::folded(email);
        Self {
            account: Some(Hash::derive("poundlock throttled account 1", folded.as_bytes()).0),
            address,
        }
    }

    /// Somebody who names none.
    pub fn at(address: IpAddr) -> Self {
        Self {
            account: None,
            address,
        }
    }
}

/// The failures so far.
#[derive(Debug, Default)]
pub struct Throttles {
    accounts: Mutex<HashMap<[u8; 32], Failures>>,
    addresses: Mutex<HashMap<IpAddr, Failures>>,
}

impl Throttles {
    /// Whether somebody may try now.
    ///
    /// # Errors
    /// They have to wait; 429 with the seconds.
    pub fn admit(&self, trier: Trier, now: Timestamp) -> Result<(), Problem> {
        let of_account = trier
            .account
            .and_then(|account| wait(&self.accounts, &account, PER_ACCOUNT, now));
        let of_address = wait(&self.addresses, &trier.address, PER_ADDRESS, now);
        match of_account.max(of_address) {
            Some(seconds) => Err(Problem::too_many_tries(seconds)),
            None => Ok(()),
        }
    }

    /// They have failed.
    pub fn failed(&self, trier: Trier, now: Timestamp) {
        if let Some(account) = trier.account {
            note(&self.accounts, account, PER_ACCOUNT, now);
        }
        note(&self.addresses, trier.address, PER_ADDRESS, now);
    }

    /// They have signed in: their account's failures are forgotten, the address's are not, behind which others may be.
    pub fn succeeded(&self, trier: Trier) {
        if let Some(account) = trier.account {
            let mut kept = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            kept.remove(&account);
        }
    }
}

fn wait<K: std::hash::Hash + Eq>(
    kept: &Mutex<HashMap<K, Failures>>,
    key: &K,
    pace: Pace,
    now: Timestamp,
) -> Option<u64> {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let left = kept.get(key)?.wait(pace, now)?;
    // Whole seconds, and never none.
    u64::try_from(left.as_secs()).ok().map(|seconds| seconds + 1)
}

fn note<K: std::hash::Hash + Eq + Copy>(
    kept: &Mutex<HashMap<K, Failures>>,
    key: K,
    pace: Pace,
    now: Timestamp,
) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let failures = match kept.get(&key) {
        Some(before) => before.and_another(pace, now),
        None => Failures::first(now),
    };
    if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
        kept.retain(|_, failures| !failures.is_forgotten(pace, now));
        if kept.len() >= KEPT_MAX {
            let oldest = kept
                .iter()
                .min_by_key(|(_, failures)| failures.last())
                .map(|(key, _)| *key);
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
    }
    kept.insert(key, failures);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn guessing_is_slow_for_an_account_from_everywhere() {
        let throttles = Throttles::default();
        for n in 0..12_u8 {
            let trier = Trier::of_account("Ada@example.org", IpAddr::from([10, 0, 0, n]));
            throttles.failed(trier, at(0));
        }
        let elsewhere = Trier::of_account("ada@EXAMPLE.org", ip("10.9.9.9"));
        let refused = throttles.admit(elsewhere, at(0)).unwrap_err();
        assert_eq!(refused.word(), "too_many_tries");
        assert!(
            throttles
                .admit(Trier::of_account("eve@example.org", ip("10.9.9.9")), at(0))
                .is_ok()
        );
        throttles.succeeded(elsewhere);
        assert!(throttles.admit(elsewhere, at(0)).is_ok());
    }

    #[test]
    fn guessing_is_slow_from_one_address_for_every_account() {
        let throttles = Throttles::default();
        let from = ip("192.0.2.7");
        for n in 0..60 {
            throttles.failed(Trier::of_account(&format!("p{n}@example.org"), from), at(0));
        }
        assert!(throttles.admit(Trier::at(from), at(0)).is_err());
        assert!(throttles.admit(Trier::at(ip("192.0.2.8")), at(0)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let throttles = Throttles::default();
        for n in 0..KEPT_MAX + 10 {
            let trier = Trier::of_account(
                &format!("{n}"),
                IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()),
            );
            throttles.failed(trier, at(i64::try_from(n).unwrap() / 100));
        }
        assert_eq!(throttles.accounts.lock().unwrap().len(), KEPT_MAX);
        assert_eq!(throttles.addresses.lock().unwrap().len(), KEPT_MAX);
    }
}
