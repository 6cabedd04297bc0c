//! Signatures on code and requests: taken in from the people who make them, and how they stand for those who rely on them.
//!
//! The home of code or a request checks a signature once, so that its maker learns of a mistake. Whoever is shown how it
//! stands has it checked again, each time, against the pins of this node: nothing that another node says of it counts.

#[cfg(test)]
mod tests;

use uuid::Uuid;

use super::visible::{self, Found};
use super::{Refusal, keys};
use crate::domain::access::Actor;
use crate::domain::code::Code;
use crate::domain::id::{RequestId, UserId};
use crate::domain::key_pins::{Namesake, Standing, standing};
use crate::domain::object::{Body, Object};
use crate::domain::peer::Pending;
use crate::domain::request::Request;
use crate::domain::signature::{Signature, SignatureBytes, Statement, VerifyKey};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::INBOX;

/// Takes in what somebody submits as their signature on a statement, if it holds under the key that they have registered.
///
/// # Errors
/// They have registered none, or it does not hold.
pub(super) fn supplied(
    read: &impl Read,
    actor: &Actor,
    statement: &Statement,
    bytes: Option<&SignatureBytes>,
) -> Result<Option<Signature>, Refusal> {
    let Some(bytes) = bytes else { return Ok(None) };
    let key = keys::registered(read, actor.user)?.ok_or_else(keys::none_registered)?;
    let signature = Signature { key, bytes: *bytes };
    if signature.holds(statement) {
        return Ok(Some(signature));
    }
    let detail = format!(
        "the signature does not hold under your verify key {}: sign the statement that docs/SIGNATURES.md describes, which has \
         {} bytes here and the SHA-256 hash {}; or register the key that you sign with",
        key.fingerprint(),
        statement.as_bytes().len(),
        statement.sha256()
    );
    Err(Refusal::conflict("signature_refused", detail))
}

/// How the signature on code that is here stands.
///
/// # Errors
/// The store cannot be read.
pub fn on_code(read: &impl Read, object: &Object, code: &Code) -> Result<Standing, Refusal> {
    let statement = code.signature.is_some().then(|| Statement::of_code(code));
    let pins = keys::measure(read, code.author)?;
    Ok(standing(
        code.signature.as_ref(),
        statement.as_ref(),
        &pins,
        None,
        Some(object.updated_at),
    ))
}

/// What whoever signs a revision of a request signs: over its code as it is here, where it asks for a run.
///
/// # Errors
/// The code is not here.
pub(super) fn statement(
    read: &impl Read,
    id: RequestId,
    number: u64,
    request: &Request,
) -> Result<Statement, Refusal> {
    match Statement::of_request_to_see(id, number, request) {
        Some(statement) => Ok(statement),
        None => {
            let code = visible::code_of(read, request)?;
            Ok(Statement::of_request(id, number, request, &code.body))
        }
    }
}

/// How the signature on a request that is here stands.
///
/// # Errors
/// The request's code is not here, or the store cannot be read.
pub fn on_request(read: &impl Read, object: &Object, request: &Request) -> Result<Standing, Refusal> {
    let statement = statement(read, RequestId(object.id), object.revision.number, request)?;
    stands(read, object, request, Some(&statement))
}

fn stands(
    read: &impl Read,
    object: &Object,
    request: &Request,
    statement: Option<&Statement>,
) -> Result<Standing, Refusal> {
    let pins = keys::measure(read, request.requester)?;
    let (signature, taken) = (request.signature.as_ref(), Some(object.updated_at));
    Ok(standing(signature, statement, &pins, None, taken))
}

/// As [`on_request`], for a list: the code is looked up, where there is a signature to check.
///
/// # Errors
/// The store cannot be read.
pub fn on_listed(read: &impl Read, object: &Object, request: &Request) -> Result<Standing, Refusal> {
    if request.signature.is_none() {
        return stands(read, object, request, None);
    }
    match on_request(read, object, request) {
        // Its code is not here: nothing can be said of the signature.
        Err(Refusal::NotFound { .. }) => stands(read, object, request, None),
        standing => standing,
    }
}

/// Refuses to approve what bears a signature that does not hold: whatever it is, it is not what was signed.
pub(super) fn refuse_false(read: &impl Read, request: &Found<Request>) -> Result<(), Refusal> {
    let mut signed = vec![("request", on_request(read, &request.object, &request.body)?)];
    if request.body.code().is_some() {
        let code = visible::code_of(read, &request.body)?;
        signed.push(("code", on_code(read, &code.object, &code.body)?));
    }
    for (what, standing) in signed {
        if let Standing::Invalid { fingerprint } = standing {
            let detail = format!(
                "the signature on the {what} does not hold: with the key {fingerprint}, something else was signed than what is \
                 shown. It cannot be approved. Ask the scientist, by another way than the low side, what they asked for; \
                 deny it, and have them submit it again"
            );
            return Err(Refusal::conflict("signature_invalid", detail));
        }
    }
    Ok(())
}

/// How the signature on a record that waits in an inbox would stand if it were applied now; none for a kind that nobody
/// signs.
///
/// # Errors
/// The store cannot be read.
pub fn on_pending(read: &impl Read, peer: Uuid, id: Uuid) -> Result<Option<Standing>, Refusal> {
    let Some(waiting) = read.get(&INBOX, &(peer, id))? else {
        return Ok(None);
    };
    let (signature, signer, statement) = match &waiting.body {
        Body::Code(code) => (code.signature, code.author, Some(Statement::of_code(code))),
        Body::Request(request) => {
            let statement = pending_request(read, peer, id, &waiting, request)?;
            (request.signature, request.requester, statement)
        }
        _ => return Ok(None),
    };
    let mut pins = keys::measure(read, signer)?;
    let mut first = arriving_key(read, peer, signer)?;
    if pins.pins.is_empty()
        && let Some(other) = arriving_namesake(read, peer, signer)?
    {
        (pins, first) = (keys::pins(read, other.user)?, None);
    }
    Ok(Some(standing(
        signature.as_ref(),
        statement.as_ref(),
        &pins,
        first.as_ref(),
        None,
    )))
}

/// The statement of a request that waits, over its code as it would be once both are applied, where it asks for a run.
fn pending_request(
    read: &impl Read,
    peer: Uuid,
    id: Uuid,
    waiting: &Pending,
    request: &Request,
) -> Result<Option<Statement>, Refusal> {
    let (id, number) = (RequestId(id), waiting.revision.number);
    let Some(code) = request.code() else {
        return Ok(Statement::of_request_to_see(id, number, request));
    };
    let code = match read.get(&INBOX, &(peer, code.0))? {
        Some(code) => Some(code.body),
        None => records::object(read, code.0)?.map(|object| object.body),
    };
    Ok(match code {
        Some(Body::Code(code)) => Some(Statement::of_request(id, number, request, &code)),
        _ => None,
    })
}

/// The key in a person's record that waits, or in the one that is here.
fn arriving_key(read: &impl Read, peer: Uuid, user: UserId) -> Result<Option<VerifyKey>, Refusal> {
    match read.get(&INBOX, &(peer, user.0))?.map(|waiting| waiting.body) {
        Some(Body::User(user)) => Ok(user.verify_key),
        _ => keys::registered(read, user),
    }
}

/// Another person by whom one is measured whose record waits in an inbox, and of whom nothing is pinned.
fn arriving_namesake(read: &impl Read, peer: Uuid, user: UserId) -> Result<Option<Namesake>, Refusal> {
    match read.get(&INBOX, &(peer, user.0))? {
        Some(Pending {
            home,
            body: Body::User(record),
            ..
        }) => keys::namesake_of(read, user, &keys::pins(read, user)?, home, &record.email),
        _ => Ok(None),
    }
}

/// What a person's record that waits in an inbox would mean for their key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyNews {
    /// Their first: it will be pinned.
    First(VerifyKey),
    /// The one that is pinned.
    Same(VerifyKey),
    /// Another than the pinned one, or none any more; or the first of somebody whose address another person bears.
    Changed {
        /// What the record says.
        now: Option<VerifyKey>,
        /// What is pinned, of them or the other; none where it was accepted that they had none.
        pinned: Option<VerifyKey>,
    },
}

/// What a record that waits would mean for its person's key; none where it is no person's, or one without a key.
///
/// # Errors
/// The store cannot be read.
pub fn key_news(read: &impl Read, peer: Uuid, id: Uuid) -> Result<Option<KeyNews>, Refusal> {
    let Some(Body::User(user)) = read.get(&INBOX, &(peer, id))?.map(|waiting| waiting.body) else {
        return Ok(None);
    };
    let pins = keys::pins(read, UserId(id))?;
    let namesake = arriving_namesake(read, peer, UserId(id))?;
    Ok(match (pins.counts(namesake), user.verify_key) {
        (None, None) | (Some(None), None) => None,
        (None, Some(key)) => Some(KeyNews::First(key)),
        (Some(Some(pinned)), Some(key)) if pinned == key => Some(KeyNews::Same(key)),
        (Some(pinned), now) => Some(KeyNews::Changed { now, pinned }),
    })
}
