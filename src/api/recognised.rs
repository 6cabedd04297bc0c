//! Who a token is, remembered while nothing in the store changes: most calls come between two changes, and looking somebody up
//! costs more than many an answer.
//!
//! What is remembered counts for one revision of the store only. Whoever is signed out, deactivated or given another role is so
//! by a commit, and what was known before it is never asked again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::acts::accounts::Caller;
use crate::domain::hash::Hash;

/// The most people who are remembered. At the bound all are forgotten, and looked up again.
const KEPT_MAX: usize = 1_000;

/// Who is known at the newest revision that was asked about.
#[derive(Default)]
pub struct Recognised {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    revision: u64,
    callers: HashMap<Hash, Arc<Caller>>,
}

impl fmt::Debug for Recognised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Recognised(..)")
    }
}

impl Recognised {
    /// Who the token with this hash is, if that was looked up at the same revision and its session still lasts.
    pub fn find(&self, revision: u64, token: &Hash, now: Timestamp) -> Option<Arc<Caller>> {
        let kept = self.lock();
        if kept.revision != revision {
            return None;
        }
        let caller = kept.callers.get(token)?;
        caller.session.holds(now).then(|| Arc::clone(caller))
    }

    /// Remembers who a token was found to be at a revision.
    pub fn keep(&self, revision: u64, token: Hash, caller: Arc<Caller>) {
        let mut kept = self.lock();
        if revision < kept.revision {
            return;
        }
        if revision > kept.revision || kept.callers.len() >= KEPT_MAX {
            kept.callers.clear();
            kept.revision = revision;
        }
        kept.callers.insert(token, caller);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::scene::{ada, eve};
    use crate::domain::access::Actor;
    use crate::domain::id::SessionId;
    use crate::domain::session::{IDLE, Session};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn caller(actor: Actor) -> Arc<Caller> {
        let id = SessionId(uuid::Uuid::from_u128(1));
        Arc::new(Caller {
            session: Session::begin(id, actor.user, "", at(0)),
            actor,
            owes_second_factor: false,
        })
    }

    #[test]
    fn nobody_is_known_after_a_change_or_the_end_of_their_session() {
        let recognised = Recognised::default();
        let (token, other) = (Hash::of(b"token"), Hash::of(b"other"));
        let end = at(IDLE.as_secs());
        recognised.keep(7, token, caller(ada()));
        assert_eq!(
            recognised.find(7, &token, at(99)).map(|caller| caller.actor.user),
            Some(ada().user)
        );
        assert!(recognised.find(7, &token, end).is_none(), "the session is over");
        assert!(recognised.find(7, &other, at(0)).is_none());
        assert!(
            recognised.find(8, &token, at(0)).is_none(),
            "something has changed"
        );
        recognised.keep(8, other, caller(eve()));
        assert!(
            recognised.find(7, &token, at(0)).is_none(),
            "the older state is forgotten"
        );
        recognised.keep(7, token, caller(ada()));
        assert!(
            recognised.find(8, &token, at(0)).is_none(),
            "what is older says nothing"
        );
        assert!(recognised.find(8, &other, at(0)).is_some());
    }

    #[test]
    fn it_is_bounded() {
        let recognised = Recognised::default();
        for number in 0..=KEPT_MAX {
            recognised.keep(1, Hash::of(&number.to_le_bytes()), caller(ada()));
        }
        assert!(recognised.lock().callers.len() <= KEPT_MAX);
    }
}
