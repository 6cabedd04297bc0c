//! Private data that was asked for, written as a result. It is reviewed and released like any other: to approve the request
//! opens nothing, and this neither.

#[cfg(test)]
mod tests;

use super::{admission, course, insert, revision_of};
use crate::acts::Refusal;
use crate::acts::visible;
use crate::domain::access::Actor;
use crate::domain::asset::DataFormat;
use crate::domain::audit::{self, Action};
use crate::domain::id::{AssetId, JobId, RequestId};
use crate::domain::job::{Data, Origin, Product, Run, State};
use crate::domain::object::Kind;
use crate::domain::private_data::PrivateData;
use crate::domain::request::{Present, Sight};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{PRIVATE_DATA, RUNS, RUNS_OF};
use crate::store::transaction::Tx;

/// The private data that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The asset that it stands behind.
    pub asset: AssetId,
    /// What is known of it; other data in its place has another.
    pub data: PrivateData,
}

impl Source {
    /// How its bytes are written.
    pub fn format(&self) -> DataFormat {
        self.data.format
    }
}

/// Says before a byte is read whether private data may be written as the result of a request, and which.
///
/// # Errors
/// The actor may not triage; this side holds no private data; the request asks for none, or this node has not approved it
/// with the asset as it is now; the asset has none attached; or it was written for this request before.
pub fn check_fulfilment(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    request: RequestId,
) -> Result<Source, Refusal> {
    admission::may_run_on_private_data(actor, here)?;
    let found = visible::request(read, actor, request)?;
    let Some(Sight::PrivateData(asset)) = found.body.sight() else {
        return Err(Refusal::conflict(
            "not_private_data",
            "the request does not ask to see private data; there is nothing to write for it",
        ));
    };
    let object = records::object(read, asset.0)?.filter(|object| !object.deleted);
    let object = object.ok_or_else(|| Refusal::no(Kind::Asset, asset))?;
    admission::approved(read, here, &found, Present::Asset(asset, object.revision))?;
    let data = read.get(&PRIVATE_DATA, &asset.0)?;
    let data = data.ok_or_else(|| no_private_data(asset))?;
    if let Some(earlier) = written_before(read, request)? {
        return Err(Refusal::conflict(
            "fulfilled_already",
            format!("the data was written for this request already, as run {earlier}; release that"),
        ));
    }
    Ok(Source { asset, data })
}

fn no_private_data(asset: AssetId) -> Refusal {
    Refusal::conflict(
        "no_private_data",
        format!("the asset {asset} has no private data attached"),
    )
}

fn written_before(read: &impl Read, request: RequestId) -> Result<Option<JobId>, Refusal> {
    let mut earlier = None;
    read.for_each(&RUNS_OF, &request.0, |(_, _, id), ()| {
        if read
            .get(&RUNS, &id)?
            .is_some_and(|run| run.state == State::Succeeded)
        {
            earlier = Some(JobId(id));
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(earlier)
}

/// Notes private data that has been written again, under the run's id, as the result of a request.
///
/// # Errors
/// As [`check_fulfilment`]; and the asset's data was replaced while it was written.
pub fn fulfil(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: JobId,
    request: RequestId,
    (source, result): (&Source, Product),
) -> Result<Run, Refusal> {
    if check_fulfilment(tx, actor, here, request)? != *source {
        return Err(Refusal::Changed {
            detail: "the private data was replaced while it was written; do it again".to_owned(),
            difference: serde_json::Value::Null,
        });
    }
    let run = Run {
        request: Some(request),
        request_revision: revision_of(tx, request)?,
        code: None,
        data: Data::Private,
        origin: Origin::Fulfilment,
        started_by: actor.user,
        state: State::Succeeded,
        queued_at: here.now,
        began_at: None,
        ended_at: Some(here.now),
        result: Some(result),
        log: None,
        failure_report: None,
        used: None,
    };
    insert(tx, id, &run)?;
    let by = audit::Actor::User(actor.user.0);
    let subjects = [id.0, request.0, source.asset.0];
    records::audit(tx, here, by, Action::PRIVATE_DATA_COPIED, &subjects, &[])?;
    course::tell(tx, here, id, &run)?;
    Ok(run)
}
