//! The one place that reads the clock and draws random ids. Everything else is handed what it needs.

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::side::Side;

/// The present moment, to the millisecond: finer would say more than anybody needs.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint names")]
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A new object's id: sortable by age on a low node, free of any time where private data is held, since a run's id would
/// tell its requester when it was queued.
pub fn new_id(side: Side) -> Uuid {
    if side.holds_private_data() {
        random_id()
    } else {
        Uuid::now_v7()
    }
}

/// An id that tells nothing.
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}

/// 32 random bytes from a generator (ChaCha12) that the operating system seeds.
pub fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];

    rand::fill(&mut bytes);
    bytes
}
