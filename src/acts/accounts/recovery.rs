//! An account opened again by whoever runs the machine, for somebody whom nobody on the node may help: an owner who has lost
//! their password or second factor, where no other owner is there.

use super::passwords::{Offer, offer};
use super::people::owners;
use super::{Refusal, account, credentials, sessions};
use crate::domain::account::may_be_recovered;
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, CREDENTIALS};
use crate::store::transaction::Tx;

/// What became of an account that was opened again.
#[derive(Clone, Copy, Debug)]
pub struct Recovered {
    /// The token for a new password, whose hash the caller gave.
    pub offer: Offer,
    /// Whether they had a second factor, which is gone.
    pub second_factor_removed: bool,
    /// Whether the account was deactivated, and holds again.
    pub activated: bool,
}

/// Lets the person under an address choose a new password with a token, without their second factor and with none of their
/// sessions. It is demanded of nobody on the node: whoever calls has the node's files in their hands.
///
/// # Errors
/// There is no such account, or it is deactivated and an owner can activate it.
pub fn recover(tx: &mut Tx<'_>, here: &Here, email: &str, token: &Hash) -> Result<Recovered, Refusal> {
    let Some((user, mut held)) = credentials(tx, email)? else {
        return Err(Refusal::NotFound {
            what: "account with the address",
            id: email.to_owned(),
        });
    };
    let mut theirs = account(tx, user)?;
    may_be_recovered(&theirs, owners(tx)?)?;
    let activated = !theirs.active;
    if activated {
        theirs.active = true;
        tx.put(&ACCOUNTS, &user.0, &theirs)?;
    }
    let second_factor_removed = held.second_factor.take().is_some();
    tx.put(&CREDENTIALS, &user.0, &held)?;
    sessions::end_all(tx, user, None)?;
    let offer = offer(tx, here, user, token, None)?;
    let told = |done: bool| if done { "yes" } else { "no" }.to_owned();
    let details = [
        ("by", "the machine's administrator, at the console".to_owned()),
        ("second_factor_removed", told(second_factor_removed)),
        ("activated", told(activated)),
    ];
    let by = audit::Actor::Node;
    records::audit(tx, here, by, Action::ACCOUNT_RECOVERED, &[user.0], &details)?;
    Ok(Recovered {
        offer,
        second_factor_removed,
        activated,
    })
}
