//! What people are told of an event, read from the object that it is about.

use uuid::Uuid;

use crate::acts::Refusal;
use crate::domain::decision::Verdict;
use crate::domain::id::UserId;
use crate::domain::notification::Event;
use crate::domain::notification::letter::{Target, Told};
use crate::domain::object::Body;
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::PEERS;

/// What people are told of an event: who, the reason of a denial, and where to look. What is gone is left out.
///
/// # Errors
/// The store cannot be read.
pub fn told(read: &impl Read, event: Event, about: Option<Uuid>) -> Result<Told, Refusal> {
    let Some(id) = about else {
        return Ok(Told::default());
    };
    if event.is_between_nodes() {
        let peer = read.get(&PEERS, &id)?;
        return Ok(Told {
            target: peer.as_ref().map(|_| Target::Peer(id)),
            who: peer.map(|peer| peer.name),
            reason: None,
        });
    }
    let Some(object) = records::object(read, id)? else {
        return Ok(Told::default());
    };
    Ok(match object.body {
        Body::User(user) if matches!(event, Event::UserRegistered | Event::VerifyKeyChanged) => Told {
            who: Some(user.name),
            target: Some(Target::User(id)),
            reason: None,
        },
        Body::Request(request) => Told {
            who: name(read, request.requester)?,
            target: Some(Target::Request(id)),
            reason: None,
        },
        Body::Decision(decision) => Told {
            who: None,
            target: Some(Target::Request(decision.request.0)),
            reason: match decision.verdict {
                Verdict::Deny { reason } => Some(reason),
                Verdict::Approve => None,
            },
        },
        Body::Job(_) if event == Event::ResultAwaitsRelease => to(Target::Run(id)),
        Body::Job(job) => to(Target::Request(job.request.0)),
        Body::Release(release) => to(Target::Request(release.request.0)),
        _ => Told::default(),
    })
}

fn to(target: Target) -> Told {
    Told {
        target: Some(target),
        ..Told::default()
    }
}

fn name(read: &impl Read, user: UserId) -> Result<Option<String>, Refusal> {
    Ok(match records::object(read, user.0)?.map(|object| object.body) {
        Some(Body::User(user)) => Some(user.name),
        _ => None,
    })
}
