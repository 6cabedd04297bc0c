//! How fast secrets may be guessed: failures by account and by network address, in memory. Somebody who has signed in from where
//! they are has failures of their own there, so that whoever keeps guessing elsewhere does not keep them out. A restart forgets all
//! of it, which only the administrator of the machine can bring about.

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

/// An account, seen from an address.
type Place = ([u8; 32], IpAddr);

/// The failures so far.
#[derive(Debug, Default)]
pub struct Throttles {
    accounts: Mutex<HashMap<[u8; 32], Failures>>,
    addresses: Mutex<HashMap<IpAddr, Failures>>,
    /// Where people have signed in.
    familiar: Mutex<HashMap<Place, Failures>>,
}

impl Throttles {
    /// Whether somebody may try now.
    ///
    /// # Errors
    /// They have to wait; 429 with the seconds.
    pub fn admit(&self, trier: Trier, now: Timestamp) -> Result<(), Problem> {
        let of_account = trier.account.and_then(|account| match self.familiar(trier) {
            Some(place) => wait(&self.familiar, &place, PER_ACCOUNT, now),
            None => wait(&self.accounts, &account, PER_ACCOUNT, now),
        });
        let of_address = wait(&self.addresses, &trier.address, PER_ADDRESS, now);
        match of_account.max(of_address) {
            Some(seconds) => {
                tracing::warn!(address = %trier.address, seconds, "a try has to wait");
                Err(Problem::too_many_tries(seconds))
            }
            None => Ok(()),
        }
    }

    /// They have failed, which stands in the log: a password, code or token was refused, or a token asked for.
    pub fn failed(&self, trier: Trier, now: Timestamp) {
        tracing::warn!(address = %trier.address, "a try counts against its account and address");
        match (trier.account, self.familiar(trier)) {
            (_, Some(place)) => note(&self.familiar, place, PER_ACCOUNT, now),
            (Some(account), None) => note(&self.accounts, account, PER_ACCOUNT, now),
            (None, None) => {}
        }
        note(&self.addresses, trier.address, PER_ADDRESS, now);
    }

    /// They have signed in: from now on the account is familiar where they are, and their failures there are forgotten. Those of the
    /// account elsewhere are not, nor those of the address, behind which others may be.
    pub fn succeeded(&self, trier: Trier, now: Timestamp) {
        if let Some(account) = trier.account {
            let place = (account, trier.address);
            keep(&self.familiar, place, PER_ACCOUNT, now, |_| Failures::none(now));
        }
    }

    fn familiar(&self, trier: Trier) -> Option<Place> {
        let place = (trier.account?, trier.address);
        let kept = self.familiar.lock().unwrap_or_else(PoisonError::into_inner);
        kept.contains_key(&place).then_some(place)
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
    keep(kept, key, pace, now, |before| {
        before.map_or_else(|| Failures::first(now), |before| before.and_another(pace, now))
    });
}

/// Puts what comes after what was there.
fn keep<K: std::hash::Hash + Eq + Copy>(
    kept: &Mutex<HashMap<K, Failures>>,
    key: K,
    pace: Pace,
    now: Timestamp,
    after: impl FnOnce(Option<Failures>) -> Failures,
) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let failures = after(kept.get(&key).copied());
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
        throttles.succeeded(elsewhere, at(0));
        assert!(throttles.admit(elsewhere, at(0)).is_ok());
    }

    #[test]
    fn whoever_guesses_elsewhere_does_not_keep_its_owner_out() {
        let throttles = Throttles::default();
        let at_home = Trier::of_account("ada@example.org", ip("192.0.2.7"));
        throttles.succeeded(at_home, at(0));
        for n in 0..100_u8 {
            let guesser = Trier::of_account("ada@example.org", IpAddr::from([10, 0, 0, n]));
            throttles.failed(guesser, at(1));
        }
        let guesser = Trier::of_account("ada@example.org", ip("10.1.1.1"));
        assert!(throttles.admit(guesser, at(1)).is_err());
        assert!(throttles.admit(at_home, at(1)).is_ok());
        for _ in 0..=PER_ACCOUNT.free {
            throttles.failed(at_home, at(1));
        }
        assert!(
            throttles.admit(at_home, at(1)).is_err(),
            "nor may its owner guess"
        );
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
