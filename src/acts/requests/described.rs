//! What is known of an object that somebody asks to see: for the officers who decide, for the rules, and, as far as they may
//! know of it, for whoever asks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::acts::{Refusal, grants, visible};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{AssetId, ReleaseId};
use crate::domain::object::{Body, Kind, Object, Revision};
use crate::domain::request::{Request, Sight, Subject};
use crate::store::read::Read;
use crate::store::records;

/// An object that somebody asks to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// What of which object.
    pub sight: Sight,
    /// How people know the object; none if it is not here, or whoever looks may not know of it.
    pub title: Option<String>,
    /// The tags of the datasets that its bytes come from, sorted, each once; under the same conditions.
    pub tags: Vec<String>,
    /// Its revision; for those who decide.
    pub revision: Option<Revision>,
}

/// Describes what is asked for to whoever looks at the request.
///
/// # Errors
/// The store cannot be read.
pub fn described(
    read: &impl Read,
    actor: &Actor,
    now: Timestamp,
    sight: Sight,
) -> Result<Described, Refusal> {
    let decides = actor.may(Permission::TriageRequests);
    let object = present(read, sight)?;
    let may_know = decides || may_know(read, actor, now, sight)?;
    let tags = if may_know {
        tags(read, sight)?.into_iter().flatten().collect::<BTreeSet<_>>()
    } else {
        BTreeSet::new()
    };
    Ok(Described {
        sight,
        title: object
            .as_ref()
            .filter(|_| may_know)
            .map(|object| object.body.title()),
        tags: tags.into_iter().collect(),
        revision: object.filter(|_| decides).map(|object| object.revision),
    })
}

/// Whether somebody who does not decide may know more of an object than that they asked for it.
fn may_know(read: &impl Read, actor: &Actor, now: Timestamp, sight: Sight) -> Result<bool, Refusal> {
    let known = match sight {
        Sight::Mock(asset) | Sight::PrivateData(asset) => {
            visible::object(read, actor, Kind::Asset, asset.0).map(drop)
        }
        Sight::Release(release) => grants::release(read, actor, now, release).map(drop),
    };
    match known {
        Ok(()) => Ok(true),
        Err(Refusal::NotFound { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// The object of a sight, if it is here, of the right kind, and not deleted.
///
/// # Errors
/// The store cannot be read.
pub(super) fn present(read: &impl Read, sight: Sight) -> Result<Option<Object>, Refusal> {
    let kind = match sight {
        Sight::Mock(_) | Sight::PrivateData(_) => Kind::Asset,
        Sight::Release(_) => Kind::Release,
    };
    let object = records::object(read, sight.object())?;
    Ok(object.filter(|object| object.kind() == kind && !object.deleted))
}

/// The tags of each dataset that the bytes come from. A dataset that is not here, or that cannot be told, has none: no rule
/// that grants by tags fits it.
///
/// # Errors
/// The store cannot be read.
pub(super) fn tags(read: &impl Read, sight: Sight) -> Result<Vec<BTreeSet<String>>, Refusal> {
    match sight {
        Sight::Mock(asset) | Sight::PrivateData(asset) => Ok(vec![tags_of_asset(read, asset)?]),
        Sight::Release(release) => tags_of_release(read, release),
    }
}

fn tags_of_release(read: &impl Read, release: ReleaseId) -> Result<Vec<BTreeSet<String>>, Refusal> {
    let unknown = || Ok(vec![BTreeSet::new()]);
    let Some(Body::Release(release)) = body(read, release.0)? else {
        return unknown();
    };
    let Some(Body::Request(Request { subject, .. })) = body(read, release.request.0)? else {
        return unknown();
    };
    let assets = match subject {
        Subject::SeePrivate { asset, .. } => vec![asset],
        Subject::SeeOpen(_) => return unknown(),
        Subject::Run { code, .. } => match body(read, code.0)? {
            Some(Body::Code(code)) => code.input_policy.assets(),
            _ => return unknown(),
        },
    };
    assets
        .into_iter()
        .map(|asset| tags_of_asset(read, asset))
        .collect()
}

fn tags_of_asset(read: &impl Read, asset: AssetId) -> Result<BTreeSet<String>, Refusal> {
    let Some(Body::Asset(asset)) = body(read, asset.0)? else {
        return Ok(BTreeSet::new());
    };
    Ok(match body(read, asset.dataset.0)? {
        Some(Body::Dataset(dataset)) => dataset.tags.into_iter().collect(),
        _ => BTreeSet::new(),
    })
}

fn body(read: &impl Read, id: Uuid) -> Result<Option<Body>, Refusal> {
    let object = records::object(read, id)?.filter(|object| !object.deleted);
    Ok(object.map(|object| object.body))
}
