//! Results that a data owner computed elsewhere. They go the same way through release, and use up a run.

use super::{admission, course, insert, revision_of};
use crate::acts::requests::status_of;
use crate::acts::visible;
use crate::acts::{Refusal, releases};
use crate::domain::access::Actor;
use crate::domain::audit::{self, Action};
use crate::domain::id::{CodeId, JobId, RequestId};
use crate::domain::job::{Data, Origin, Product, Run, State};
use crate::store::read::Read;
use crate::store::records::Here;
use crate::store::transaction::Tx;

/// Says before anything is uploaded whether a result may be deposited.
///
/// # Errors
/// As [`deposit`].
pub fn check_deposit(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    request: RequestId,
) -> Result<CodeId, Refusal> {
    admission::may_run_on_private_data(actor, here)?;
    let found = visible::request(read, actor, request)?;
    releases::may_answer(&status_of(read, here.now, &found)?)?;
    let code = visible::code_of(read, &found.body)?;
    admission::within_policy(read, request, &found.body, &code)?;
    Ok(CodeId(code.object.id))
}

/// Notes a result whose bytes have been attached under the run's id. Needs no approval: releasing it approves the request.
///
/// # Errors
/// The actor may not, the request was denied or withdrawn, or its runs are used up.
pub fn deposit(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: JobId,
    request: RequestId,
    result: Product,
) -> Result<Run, Refusal> {
    let code = check_deposit(tx, actor, here, request)?;
    let run = Run {
        request: Some(request),
        request_revision: revision_of(tx, request)?,
        code: Some(code),
        data: Data::Private,
        origin: Origin::Deposit,
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
    super::audit(tx, here, by, Action::RESULT_DEPOSITED, id, &run)?;
    course::tell(tx, here, id, &run)?;
    Ok(run)
}
