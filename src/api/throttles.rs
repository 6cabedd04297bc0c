//! How fast secrets may be guessed: failures by account and by network address, in memory. Somebody who has signed in from where
//! they are has failures of their own there, so that whoever keeps guessing elsewhere does not keep them out. A restart forgets all
//! of it, which only the administrator of the machine can bring about.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::allowances::network;
use super::problem::Problem;
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::text;
use crate::domain::throttle::{Failures, PER_ACCOUNT, PER_ADDRESS, Pace};

/// The most accounts and the most addresses whose failures are kept. At the bound, what is forgotten soonest goes first.
const KEPT_MAX: usize = 10_000;

/// Who tries: an account by its address, whether it exists or not, and where from: an address, or a whole network of IPv6.
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
            address: network(address),
        }
    }

    /// Somebody who is signed in, and whose tries are others than those to sign in.
    pub fn person(user: UserId, address: IpAddr) -> Self {
        Self {
            account: Some(Hash::derive("poundlock throttled person 1", user.0.as_bytes()).0),
            address: network(address),
        }
    }

    /// Somebody who names none.
    pub fn at(address: IpAddr) -> Self {
        Self {
            account: None,
            address: network(address),
        }
    }
}

/// An account, seen from an address.
type Place = ([u8; 32], IpAddr);

/// What a try counts under beside its address.
#[derive(Clone, Copy, Debug)]
enum Under {
    /// An account that is not familiar where they are.
    Account([u8; 32]),
    /// One that is.
    Place(Place),
}

/// What one try has changed.
#[derive(Clone, Copy, Debug)]
struct Change {
    before: Option<Failures>,
    after: Failures,
}

/// A try, which counts as a failure from before its secret is looked at until it is shown to be none: of guesses that are made
/// at once no more pass than of those that follow each other. Whoever drops it, or whose request is broken off, leaves it
/// counted, and in the log.
#[must_use = "it counts as a failure until it is settled or taken back"]
#[derive(Debug)]
pub struct Counted {
    trier: Trier,
    account: Option<(Under, Change)>,
    address: Change,
    stays: bool,
}

impl Counted {
    /// It counts, whatever came of it.
    pub fn stays(self) {}
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.stays {
            tracing::warn!(address = %self.trier.address, "a try counts against its account and address");
        }
    }
}

/// The failures so far, tries that are under way among them.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    accounts: HashMap<[u8; 32], Failures>,
    addresses: HashMap<IpAddr, Failures>,
    /// Where people have signed in.
    familiar: HashMap<Place, Failures>,
}

impl Throttles {
    /// Lets somebody try now, and counts it.
    ///
    /// # Errors
    /// They have to wait; 429 with the seconds.
    pub fn admit(&self, trier: Trier, now: Timestamp) -> Result<Counted, Problem> {
        let mut kept = self.kept();
        let under = kept.under(trier);
        let of_account = match under {
            Some(Under::Place(place)) => wait(&mut kept.familiar, &place, PER_ACCOUNT, now),
            Some(Under::Account(account)) => wait(&mut kept.accounts, &account, PER_ACCOUNT, now),
            None => None,
        };
        let of_address = wait(&mut kept.addresses, &trier.address, PER_ADDRESS, now);
        if let Some(seconds) = of_account.max(of_address) {
            tracing::warn!(address = %trier.address, seconds, "a try has to wait");
            return Err(Problem::too_many_tries(seconds));
        }
        let account = under.map(|under| {
            let change = match under {
                Under::Place(place) => note(&mut kept.familiar, place, PER_ACCOUNT, now),
                Under::Account(account) => note(&mut kept.accounts, account, PER_ACCOUNT, now),
            };
            (under, change)
        });
        Ok(Counted {
            trier,
            account,
            address: note(&mut kept.addresses, trier.address, PER_ADDRESS, now),
            stays: true,
        })
    }

    /// It was no failure: it counts no more.
    pub fn take_back(&self, mut counted: Counted) {
        counted.stays = false;
        let mut kept = self.kept();
        match counted.account {
            Some((Under::Place(place), change)) => undo(&mut kept.familiar, place, change),
            Some((Under::Account(account), change)) => undo(&mut kept.accounts, account, change),
            None => {}
        }
        undo(&mut kept.addresses, counted.trier.address, counted.address);
    }

    /// Hands on what came of a try. It stays counted where a password, code or token was refused. It is taken back where all went
    /// well, where a code is only asked for, and where the node had no time or failed, and so said nothing of the secret.
    ///
    /// # Errors
    /// Those that came of it.
    pub fn settle<T>(&self, counted: Counted, done: Result<T, Problem>) -> Result<T, Problem> {
        match &done {
            Err(problem)
                if problem.status().is_client_error() && problem.word() != "second_factor_needed" =>
            {
                counted.stays();
            }
            _ => self.take_back(counted),
        }
        done
    }

    /// They have signed in: from now on the account is familiar where they are, and their failures there are forgotten. Those of the
    /// account elsewhere are not, nor those of the address, behind which others may be.
    pub fn succeeded(&self, counted: Counted, now: Timestamp) {
        let trier = counted.trier;
        self.take_back(counted);
        if let Some(account) = trier.account {
            let place = (account, trier.address);
            put(
                &mut self.kept().familiar,
                place,
                PER_ACCOUNT,
                now,
                Failures::none(now),
            );
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn under(&self, trier: Trier) -> Option<Under> {
        let account = trier.account?;
        let place = (account, trier.address);
        if self.familiar.contains_key(&place) {
            Some(Under::Place(place))
        } else {
            Some(Under::Account(account))
        }
    }
}

fn wait<K: std::hash::Hash + Eq>(
    kept: &mut HashMap<K, Failures>,
    key: &K,
    pace: Pace,
    now: Timestamp,
) -> Option<u64> {
    let failures = kept.get_mut(key)?;
    *failures = failures.as_of(now);
    let left = failures.wait(pace, now)?;
    // Whole seconds, and never none.
    u64::try_from(left.as_secs()).ok().map(|seconds| seconds + 1)
}

fn note<K: std::hash::Hash + Eq + Copy>(
    kept: &mut HashMap<K, Failures>,
    key: K,
    pace: Pace,
    now: Timestamp,
) -> Change {
    let before = kept.get(&key).copied();
    let after = before.map_or_else(|| Failures::first(now), |before| before.and_another(pace, now));
    put(kept, key, pace, now, after);
    Change { before, after }
}

fn undo<K: std::hash::Hash + Eq>(kept: &mut HashMap<K, Failures>, key: K, change: Change) {
    let Some(held) = kept.get_mut(&key) else {
        return;
    };
    match held.without(change.after, change.before) {
        Some(rest) => *held = rest,
        None => drop(kept.remove(&key)),
    }
}

fn put<K: std::hash::Hash + Eq + Copy>(
    kept: &mut HashMap<K, Failures>,
    key: K,
    pace: Pace,
    now: Timestamp,
    failures: Failures,
) {
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
    use crate::acts::Refusal;

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
            drop(throttles.admit(trier, at(0)));
        }
        let elsewhere = Trier::of_account("ada@EXAMPLE.org", ip("10.9.9.9"));
        let refused = throttles.admit(elsewhere, at(0)).unwrap_err();
        assert_eq!(refused.word(), "too_many_tries");
        assert!(
            throttles
                .admit(Trier::of_account("eve@example.org", ip("10.9.9.9")), at(0))
                .is_ok()
        );
        let later = throttles.admit(elsewhere, at(60)).unwrap();
        throttles.succeeded(later, at(60));
        assert!(throttles.admit(elsewhere, at(60)).is_ok());
    }

    #[test]
    fn whoever_guesses_elsewhere_does_not_keep_its_owner_out() {
        let throttles = Throttles::default();
        let at_home = Trier::of_account("ada@example.org", ip("192.0.2.7"));
        let right = throttles.admit(at_home, at(0)).unwrap();
        throttles.succeeded(right, at(0));
        for n in 0..100_u8 {
            let guesser = Trier::of_account("ada@example.org", IpAddr::from([10, 0, 0, n]));
            drop(throttles.admit(guesser, at(1)));
        }
        let guesser = Trier::of_account("ada@example.org", ip("10.1.1.1"));
        assert!(throttles.admit(guesser, at(1)).is_err());
        for _ in 0..=PER_ACCOUNT.free {
            throttles.admit(at_home, at(1)).unwrap().stays();
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
            drop(throttles.admit(Trier::of_account(&format!("p{n}@example.org"), from), at(0)));
        }
        assert!(throttles.admit(Trier::at(from), at(0)).is_err());
        assert!(throttles.admit(Trier::at(ip("192.0.2.8")), at(0)).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_tries_as_one_address() {
        let throttles = Throttles::default();
        for n in 0..60_u16 {
            let host = IpAddr::from([0x2001, 0xdb8, 0, 1, n, 0, 0, 1]);
            drop(throttles.admit(Trier::of_account(&format!("p{n}@example.org"), host), at(0)));
        }
        assert!(
            throttles
                .admit(Trier::at(ip("2001:db8:0:1::ffff")), at(0))
                .is_err()
        );
        assert!(throttles.admit(Trier::at(ip("2001:db8:0:2::1")), at(0)).is_ok());
    }

    #[test]
    fn a_clock_that_is_put_back_makes_no_wait_longer() {
        let throttles = Throttles::default();
        let trier = Trier::of_account("ada@example.org", ip("192.0.2.7"));
        for _ in 0..=PER_ACCOUNT.free {
            throttles.admit(trier, at(86_400)).unwrap().stays();
        }
        assert!(throttles.admit(trier, at(0)).is_err());
        assert!(throttles.admit(trier, at(1)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let throttles = Throttles::default();
        for n in 0..KEPT_MAX + 10 {
            let trier = Trier::of_account(
                &format!("{n}"),
                IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()),
            );
            let now = at(i64::try_from(n).unwrap() / 100);
            throttles.admit(trier, now).unwrap().stays();
        }
        assert_eq!(throttles.kept().accounts.len(), KEPT_MAX);
        assert_eq!(throttles.kept().addresses.len(), KEPT_MAX);
    }

    #[test]
    fn of_guesses_at_once_no_more_pass_than_one_by_one() {
        let throttles = Throttles::default();
        let trier = Trier::of_account("ada@example.org", ip("192.0.2.7"));
        let free = usize::try_from(PER_ACCOUNT.free).unwrap();
        let admitted = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..100)
                .map(|_| scope.spawn(|| throttles.admit(trier, at(0)).ok()))
                .collect();
            let under_way: Vec<_> = racers.into_iter().filter_map(|it| it.join().unwrap()).collect();
            under_way
        });
        assert_eq!(admitted.len(), free + 1);
        for counted in admitted {
            throttles.take_back(counted);
        }
        for _ in 0..=free {
            throttles.admit(trier, at(0)).unwrap().stays();
        }
        assert!(throttles.admit(trier, at(0)).is_err());
    }

    #[test]
    fn what_is_taken_back_leaves_the_wait_as_it_was() {
        let throttles = Throttles::default();
        let trier = Trier::of_account("ada@example.org", ip("192.0.2.7"));
        for _ in 0..=PER_ACCOUNT.free {
            throttles.admit(trier, at(0)).unwrap().stays();
        }
        assert!(throttles.admit(trier, at(0)).is_err());
        for _ in 0..3 {
            let counted = throttles.admit(trier, at(1)).unwrap();
            assert!(throttles.admit(trier, at(1)).is_err(), "one at a time");
            throttles.take_back(counted);
        }
    }

    #[test]
    fn a_try_counts_where_its_secret_was_refused() {
        let throttles = Throttles::default();
        let trier = Trier::at(ip("192.0.2.7"));
        let counts = |done: Result<(), Problem>| {
            let counted = throttles.admit(trier, at(0)).unwrap();
            drop(throttles.settle(counted, done));
            let counts = !throttles.kept().addresses.is_empty();
            throttles.kept().addresses.clear();
            counts
        };
        let refused = |word| Refusal::conflict(word, "").into();
        assert!(counts(Err(refused("sign_in_refused"))));
        assert!(counts(Err(refused("second_factor_refused"))));
        assert!(!counts(Err(refused("second_factor_needed"))));
        assert!(!counts(Err(Problem::busy("too many wait"))));
        assert!(!counts(Ok(())));
        drop(throttles.admit(trier, at(0)));
        assert!(
            !throttles.kept().addresses.is_empty(),
            "nor does it help to break off"
        );
    }
}
