//! Signing in.

use std::net::IpAddr;

use serde_json::Value;
use uuid::Uuid;

use super::{Person, Refusal, person, second_factor, sessions};
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::{SessionId, UserId};
use crate::domain::second_factor::Proof;
use crate::domain::session::{Credentials, Session};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, CREDENTIALS};
use crate::store::transaction::Tx;

/// What somebody presents whose password has been verified.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Whose password it was.
    pub user: UserId,
    /// The stored credentials whose hash it fitted.
    pub verified: Credentials,
    /// A code of the second factor, where they gave one.
    pub code: Option<String>,
    /// The id of the session.
    pub session: SessionId,
    /// Hash of its fresh token.
    pub token: Hash,
    /// How the browser or program calls itself.
    pub agent: String,
    /// Where it is.
    pub from: IpAddr,
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Their session.
    pub session: Session,
    /// Who they are.
    pub person: Person,
}

/// What everybody is told whose sign-in fails, whatever the reason.
pub fn refused_sign_in() -> Refusal {
    Refusal::conflict(
        "sign_in_refused",
        "no account has this e-mail address and this password",
    )
}

/// Begins a session for somebody whose password has been verified. To verify it takes a while: one that was changed meanwhile, so
/// that all sessions ended, begins none. Nor does one that another sign-in has only hashed anew; whoever asks verifies it once more.
///
/// # Errors
/// The account is gone or deactivated, which is told like a wrong password; the stored hash is another by now
/// ([`Refusal::Changed`]); or the second factor is needed or wrong.
pub fn sign_in(tx: &mut Tx<'_>, here: &Here, presented: &Presented) -> Result<SignedIn, Refusal> {
    let user = presented.user;
    let account = tx.get(&ACCOUNTS, &user.0)?.filter(|account| account.active);
    let held = tx.get(&CREDENTIALS, &user.0)?;
    let (Some(held), Some(_), Some(person)) = (held, account, person(tx, user)?) else {
        return Err(refused_sign_in());
    };
    if held.password_hash != presented.verified.password_hash {
        return Err(Refusal::Changed {
            detail: "the password was changed or hashed anew while it was verified".to_owned(),
            difference: Value::Null,
        });
    }
    let proof = second_factor::prove(tx, here, user, presented.code.as_deref())?;
    let session = Session::begin(presented.session, user, &presented.agent, here.now);
    sessions::begin(tx, here, &session, &presented.token)?;
    let by = audit::Actor::User(user.0);
    let proof = match proof {
        None => "password",
        Some(Proof::Code) => "password and code",
        Some(Proof::Recovery) => "password and recovery code",
    };
    let details = [("from", presented.from.to_string()), ("proof", proof.to_owned())];
    records::audit(tx, here, by, Action::LOGIN, &[user.0], &details)?;
    Ok(SignedIn { session, person })
}

/// Writes down that a sign-in was refused, and where it came from: for an account if the address named one.
///
/// # Errors
/// The store fails.
pub fn note_refused_sign_in(
    tx: &mut Tx<'_>,
    here: &Here,
    user: Option<UserId>,
    from: IpAddr,
) -> Result<(), Refusal> {
    let subjects: Vec<Uuid> = user.into_iter().map(|user| user.0).collect();
    let by = audit::Actor::Node;
    Ok(records::audit(
        tx,
        here,
        by,
        Action::LOGIN_REFUSED,
        &subjects,
        &[("from", from.to_string())],
    )?)
}
