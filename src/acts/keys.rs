//! Verify keys: registered and removed by the people themselves, pinned where their record is applied, and a change accepted
//! by somebody who has asked them.

#[cfg(test)]
mod tests;

use uuid::Uuid;

use super::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::id::{NodeId, UserId};
use crate::domain::key_pins::{Acceptor, Carrier, KeyPins, Namesake, NotAccepted, Seen};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind};
use crate::domain::signature::{SignatureBytes, Statement, VerifyKey};
use crate::domain::text::folded;
use crate::domain::user::{Email, User};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::KEY_PINS;
use crate::store::transaction::Tx;

/// The most people that one page of [`list`] looks at.
const EXAMINED_MAX: usize = 2_000;

/// The person with an id, if their account or record is here.
fn person(read: &impl Read, id: UserId) -> Result<Option<User>, Refusal> {
    Ok(match records::object(read, id.0)? {
        Some(object) if !object.deleted => match object.body {
            Body::User(user) => Some(user),
            _ => None,
        },
        _ => None,
    })
}

/// The verify key that a person has registered, or that their record brought.
///
/// # Errors
/// The store cannot be read.
pub fn registered(read: &impl Read, user: UserId) -> Result<Option<VerifyKey>, Refusal> {
    Ok(person(read, user)?.and_then(|user| user.verify_key))
}

/// What a node knows of a person's keys; nothing of one who never had any.
///
/// # Errors
/// The store cannot be read.
pub fn pins(read: &impl Read, user: UserId) -> Result<KeyPins, Refusal> {
    Ok(read.get(&KEY_PINS, &user.0)?.unwrap_or_default())
}

/// What a person's signatures are measured by: what is pinned of them, or else of the one whose address they bear.
///
/// # Errors
/// The store cannot be read.
pub(super) fn measure(read: &impl Read, user: UserId) -> Result<KeyPins, Refusal> {
    let own = pins(read, user)?;
    match own.namesake {
        Some(other) if own.pins.is_empty() => pins(read, other),
        _ => Ok(own),
    }
}

/// When what a person has signed, or was to, counts as taken in: never before the newest of the pins that it is measured by. A clock that
/// was set back must not make what comes now look older than the key that counts, since then one that was replaced, or lost, would pass.
///
/// # Errors
/// The store cannot be read.
pub(super) fn taken_in(read: &impl Read, here: &Here, user: UserId) -> Result<Here, Refusal> {
    let newest = measure(read, user)?.present().map(|pin| pin.at);
    Ok(Here {
        now: newest.map_or(here.now, |newest| newest.max(here.now)),
        ..*here
    })
}

/// The person by whom another is measured of whom nothing is pinned, where their record waits or is taken in: the one by whom they are
/// measured as long as nobody has vouched for them, or else one who bears the address in the record.
///
/// # Errors
/// The store cannot be read.
pub(super) fn namesake_of(
    read: &impl Read,
    id: UserId,
    known: &KeyPins,
    home: NodeId,
    address: &Email,
) -> Result<Option<Namesake>, Refusal> {
    if !known.pins.is_empty() {
        return Ok(None);
    }
    match known.kept_namesake() {
        Some(user) => Ok(Some(Namesake {
            user,
            key: pins(read, user)?.present().and_then(|pin| pin.key),
        })),
        None => namesake(read, id, home, address),
    }
}

/// Finds another person of the same home who bears an address, and of whom something is pinned. Looks at everybody of whom
/// something is.
fn namesake(
    read: &impl Read,
    id: UserId,
    home: NodeId,
    address: &Email,
) -> Result<Option<Namesake>, Refusal> {
    let address = address.folded();
    let mut found = None;
    read.for_each(&KEY_PINS, &(), |other, pins| {
        let Some(present) = pins.present().filter(|_| found.is_none() && other != id.0) else {
            return Ok(());
        };
        let Some(object) = records::object(read, other)?.filter(|object| object.home == home) else {
            return Ok(());
        };
        // They may have changed their address since, and what is shown beside a signature is the one from before.
        let now = match &object.body {
            Body::User(user) => Some(user.email.folded()),
            _ => None,
        };
        if now.as_ref() == Some(&address) || pins.pins.iter().any(|pin| folded(&pin.email) == address) {
            found = Some(Namesake {
                user: UserId(other),
                key: present.key,
            });
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(found)
}

/// Registers the key that a person signs with from now on, in place of an earlier one. They prove by a signature that they
/// have it. That it is they who ask was verified anew: a session alone must not be enough.
///
/// # Errors
/// The signature is not that of the key over its own claim.
pub fn register(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    key: VerifyKey,
    proof: &SignatureBytes,
) -> Result<VerifyKey, Refusal> {
    let claim = Statement::of_key(actor.user, &key);
    if !key.verifies(&claim, proof) {
        let detail = format!(
            "the signature does not show that you have the secret key: sign with it the claim that docs/SIGNATURES.md \
             describes, for your id {} and this key; it has the SHA-256 hash {}",
            actor.user,
            claim.sha256()
        );
        return Err(Refusal::conflict("signature_refused", detail));
    }
    change(tx, actor, here, Some(key))?;
    Ok(key)
}

/// Removes the key: from now on the person submits without signatures. What they have signed stays signed.
///
/// # Errors
/// There is none.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, here: &Here) -> Result<(), Refusal> {
    change(tx, actor, here, None)
}

fn change(tx: &mut Tx<'_>, actor: &Actor, here: &Here, key: Option<VerifyKey>) -> Result<(), Refusal> {
    let mut user = person(tx, actor.user)?.ok_or_else(|| Refusal::no(Kind::User, actor.user))?;
    let before = std::mem::replace(&mut user.verify_key, key);
    let action = match (&before, &key) {
        (None, None) => return Err(none_registered()),
        (Some(before), Some(key)) if before == key => return Ok(()),
        (None, Some(_)) => Action::VERIFY_KEY_REGISTERED,
        (Some(_), Some(_)) => Action::VERIFY_KEY_CHANGED,
        (Some(_), None) => Action::VERIFY_KEY_REMOVED,
    };
    records::write(tx, here, actor.user.0, Body::User(user.clone()), false)?;
    let mut details = Vec::new();
    details.extend(key.map(|key| ("fingerprint", key.fingerprint().to_string())));
    details.extend(before.map(|before| ("before", before.fingerprint().to_string())));
    let by = audit::Actor::User(actor.user.0);
    records::audit(tx, here, by, action, &[actor.user.0], &details)?;
    saw(tx, here, by, actor.user, &user, None)
}

/// What somebody is told who has no key.
pub fn none_registered() -> Refusal {
    Refusal::conflict(
        "no_verify_key",
        "you have no verify key here; register one first: `poundlock key register`",
    )
}

/// Takes note of the key in a person's record: when they change it here, and when a reviewer applies their record.
///
/// # Errors
/// The store fails.
pub(super) fn saw(
    tx: &mut Tx<'_>,
    here: &Here,
    by: audit::Actor,
    id: UserId,
    user: &User,
    carrier: Option<Carrier>,
) -> Result<(), Refusal> {
    let mut pins = pins(tx, id)?;
    let before = pins.clone();
    let home = records::object(tx, id.0)?.map_or(here.node, |object| object.home);
    let namesake = namesake_of(tx, id, &pins, home, &user.email)?;
    let seen = pins.saw(
        user.verify_key,
        namesake,
        here.now,
        carrier,
        &user.name,
        user.email.as_str(),
    );
    if pins != before {
        tx.put(&KEY_PINS, &id.0, &pins)?;
    }
    let action = match seen {
        Seen::Known => return Ok(()),
        Seen::Pinned => Action::VERIFY_KEY_PINNED,
        Seen::Changed | Seen::Returned => Action::VERIFY_KEY_CHANGE_SEEN,
    };
    let pinned = before.counts(namesake).flatten();
    let details = [
        ("fingerprint", told(user.verify_key.as_ref())),
        ("pinned", told(pinned.as_ref())),
    ];
    let details = &details[..if seen == Seen::Pinned { 1 } else { 2 }];
    if seen == Seen::Changed {
        records::notify(tx, here, Event::VerifyKeyChanged, Some(id.0), None)?;
    }
    Ok(records::audit(tx, here, by, action, &[id.0], details)?)
}

fn told(key: Option<&VerifyKey>) -> String {
    key.map_or_else(|| "none".to_owned(), |key| key.fingerprint().to_string())
}

/// What a node knows of a person's keys, for those who decide on what they sign.
#[derive(Clone, Debug)]
pub struct Known {
    /// The person.
    pub user: UserId,
    /// How they are called now, if their record is here still.
    pub record: Option<User>,
    /// Their keys.
    pub pins: KeyPins,
}

/// The people whose keys are pinned here, in the order of their ids; `changed` leaves those out whose key has not changed.
/// A page may come out short and still say after whom the next one begins.
///
/// # Errors
/// The actor may not triage, or the store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    changed: bool,
    after: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<Known>, Option<Uuid>), Refusal> {
    actor.require(Permission::TriageRequests)?;
    let mut found = Vec::new();
    let examined = read.range_from(&KEY_PINS, after.as_ref(), EXAMINED_MAX)?;
    let more = examined.len() == EXAMINED_MAX;
    let mut last = after;
    for (id, pins) in examined {
        if found.len() == limit {
            return Ok((found, last));
        }
        last = Some(id);
        if pins.change.is_some() || !changed && !pins.pins.is_empty() {
            let user = UserId(id);
            let record = person(read, user)?;
            found.push(Known { user, record, pins });
        }
    }
    Ok((found, last.filter(|_| more)))
}

/// What a node knows of one person's keys.
///
/// # Errors
/// The actor may not triage, or the person never had a key here.
pub fn known(read: &impl Read, actor: &Actor, user: UserId) -> Result<Known, Refusal> {
    actor.require(Permission::TriageRequests)?;
    let pins = read.get(&KEY_PINS, &user.0)?.ok_or_else(|| Refusal::NotFound {
        what: "verify key of the user",
        id: user.to_string(),
    })?;
    let record = person(read, user)?;
    Ok(Known { user, record, pins })
}

/// Accepts that a person's key has changed: the actor has asked the person, and compared the fingerprint that they read out.
/// `fingerprint` is what the actor typed; none accepts that the person has no key any more.
///
/// # Errors
/// The actor may not triage, or it is their own key; there is no change, or it is another one.
pub fn accept(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    user: UserId,
    fingerprint: Option<&str>,
) -> Result<Known, Refusal> {
    let mut known = known(tx, actor, user)?;
    if actor.user == user {
        return Err(Refusal::conflict(
            "own_key",
            "nobody vouches for their own key; ask another reviewer to accept it",
        ));
    }
    let before = known.pins.present().and_then(|pin| pin.key);
    let (name, email) = known
        .record
        .as_ref()
        .map(|user| (user.name.clone(), user.email.to_string()))
        .unwrap_or_default();
    let by = Acceptor {
        user: actor.user,
        name: actor.name.clone(),
    };
    let is_meant = |key: Option<&VerifyKey>| match (key, fingerprint) {
        (Some(key), Some(typed)) => key.fingerprint().is(typed),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let pinned = known.pins.accept(is_meant, here.now, &name, &email, by);
    let accepted = pinned.map(|pin| pin.key).map_err(|refused| {
        let word = match refused {
            NotAccepted::NoChange => "no_key_change",
            NotAccepted::OtherChange => "fingerprint_differs",
        };
        Refusal::conflict(word, refused.to_string())
    })?;
    tx.put(&KEY_PINS, &user.0, &known.pins)?;
    let details = [
        ("fingerprint", told(accepted.as_ref())),
        ("before", told(before.as_ref())),
    ];
    let by = audit::Actor::User(actor.user.0);
    records::audit(tx, here, by, Action::VERIFY_KEY_ACCEPTED, &[user.0], &details)?;
    Ok(known)
}
