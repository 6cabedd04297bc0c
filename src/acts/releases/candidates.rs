//! What could leave for a peer and has not: results, logs and failure reports of runs that answer its requests.

use uuid::Uuid;

use super::{Wanted, check};
use crate::acts::{Refusal, runs};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::JobId;
use crate::domain::job::{Data, Product, Run};
use crate::domain::object::Body;
use crate::domain::release::Part;
use crate::store::read::Read;
use crate::store::records::{self, Here};

/// Runs that are looked through, the newest.
const RUNS_MAX: usize = 200;

/// A part of a run that could be released.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The run.
    pub job: JobId,
    /// The part.
    pub part: Part,
    /// Its bytes, by format, length and hash.
    pub product: Product,
    /// The request that it answers, by its title.
    pub request: String,
    /// Who made that, by name.
    pub requester: String,
}

/// What the actor could release to a peer at this moment, of the newest runs; and whether there are older ones besides.
///
/// # Errors
/// The actor may not release, or the store cannot be read.
pub fn candidates(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
) -> Result<(Vec<Candidate>, bool), Refusal> {
    actor.require(Permission::Release)?;
    let mut found = Vec::new();
    let listed = runs::list(read, actor, None, None, RUNS_MAX)?;
    for (job, run) in listed.runs {
        if run.data != Data::Private {
            continue;
        }
        let Some(request) = run.request else { continue };
        let Some(object) = records::object(read, request.0)?.filter(|object| object.home.0 == peer) else {
            continue;
        };
        let requester = match &object.body {
            Body::Request(request) => records::object(read, request.requester.0)?,
            _ => None,
        };
        let requester = match requester.map(|object| object.body) {
            Some(Body::User(user)) => user.name,
            _ => String::new(),
        };
        for (part, product) in parts(&run) {
            let wanted = Wanted {
                job,
                part,
                hash: product.hash,
            };
            match check(read, actor, here, &wanted) {
                Ok(_) => found.push(Candidate {
                    job,
                    part,
                    product: product.clone(),
                    request: object.body.title(),
                    requester: requester.clone(),
                }),
                Err(Refusal::Record(error)) => return Err(Refusal::Record(error)),
                // Released before, denied or withdrawn: nothing to offer.
                Err(_) => {}
            }
        }
    }
    Ok((found, listed.next.is_some()))
}

fn parts(run: &Run) -> impl Iterator<Item = (Part, &Product)> {
    [Part::Result, Part::Log, Part::FailureReport]
        .into_iter()
        .filter_map(|part| Some((part, run.product(part)?)))
}
