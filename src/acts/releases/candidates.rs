//! What could leave for a peer and has not: results, logs and failure reports of runs that answer its requests.

use uuid::Uuid;

use super::{Wanted, check};
use crate::acts::requests::whose;
use crate::acts::{Refusal, runs};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::JobId;
use crate::domain::job::{Origin, Product, Run};
use crate::domain::object::Body;
use crate::domain::release::Part;
use crate::store::read::Read;
use crate::store::records::{self, Here};

/// The most candidates that are told, those of the newest runs.
const TOLD_MAX: usize = 200;
/// How many runs on private data are read at a time.
const CHUNK: usize = 200;
/// The most of them that are looked through: of most, nothing is left to offer, and still their logs were never released.
const EXAMINED_MAX: usize = 5_000;

/// A part of a run that could be released.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The run.
    pub job: JobId,
    /// The part.
    pub part: Part,
    /// Its bytes, by format, length and hash.
    pub product: Product,
    /// Where it came from: a run of code, an owner who computed it elsewhere, or the private data itself.
    pub origin: Origin,
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
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..EXAMINED_MAX.div_ceil(CHUNK) {
        let listed = runs::on_private_data(read, actor, None, before, CHUNK)?;
        for (job, run) in listed.runs {
            if found.len() >= TOLD_MAX {
                return Ok((found, true));
            }
            of_run(read, actor, here, peer, (job, &run), &mut found)?;
        }
        if listed.next.is_none() {
            return Ok((found, false));
        }
        before = listed.next;
    }
    Ok((found, true))
}

/// What of one run could be released to a peer.
fn of_run(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    peer: Uuid,
    (job, run): (JobId, &Run),
    found: &mut Vec<Candidate>,
) -> Result<(), Refusal> {
    let Some(request) = run.request else { return Ok(()) };
    let Some(object) = records::object(read, request.0)?.filter(|object| object.home.0 == peer) else {
        return Ok(());
    };
    let requester = match &object.body {
        Body::Request(request) => whose(read, request.requester)?,
        _ => String::new(),
    };
    for (part, product) in parts(run) {
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
                origin: run.origin,
                request: object.body.title(),
                requester: requester.clone(),
            }),
            Err(Refusal::Record(error)) => return Err(Refusal::Record(error)),
            // Released before, denied or withdrawn: nothing to offer.
            Err(_) => {}
        }
    }
    Ok(())
}

fn parts(run: &Run) -> impl Iterator<Item = (Part, &Product)> {
    [Part::Result, Part::Log, Part::FailureReport]
        .into_iter()
        .filter_map(|part| Some((part, run.product(part)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::scene::{OTHER, Scene, ada, officer, owner, succeeded};
    use crate::domain::decision::Verdict;
    use crate::domain::policy::OutputPolicy;
    use crate::domain::side::Side;

    #[test]
    fn runs_on_mocks_are_not_in_the_way_of_what_could_leave() {
        let scene = Scene::new(Side::High);
        let request = scene.request(41, scene.code(40, OutputPolicy::SingleExecution));
        scene
            .act(move |tx, _| {
                // As if it had come from the peer.
                let mut object = records::object(tx, request.0)?.unwrap();
                object.home = OTHER;
                Ok(tx.put(&crate::store::tables::OBJECTS, &request.0, &object)?)
            })
            .unwrap();
        scene.decide(owner(), request, Verdict::Approve).unwrap();
        let job = scene.run(60, request, succeeded(b"{}"));
        scene
            .act(move |tx, _| {
                // As if the private data itself had been written for it.
                let mut run = tx.get(&crate::store::tables::RUNS, &job.0)?.unwrap();
                run.origin = Origin::Fulfilment;
                Ok(tx.put(&crate::store::tables::RUNS, &job.0, &run)?)
            })
            .unwrap();
        for id in 1_000..1_000 + u128::try_from(TOLD_MAX).unwrap() {
            scene.mock_run(id, &officer(), request);
        }
        let found = |actor: Actor| {
            let found = scene.act(move |tx, here| candidates(tx, &actor, here, OTHER.0));
            found.map(|(found, older)| {
                (
                    found
                        .into_iter()
                        .map(|it| (it.job, it.part, it.origin))
                        .collect::<Vec<_>>(),
                    older,
                )
            })
        };
        assert_eq!(
            found(officer()).unwrap(),
            (
                vec![
                    (job, Part::Result, Origin::Fulfilment),
                    (job, Part::Log, Origin::Fulfilment)
                ],
                false
            )
        );
        assert!(found(ada()).is_err());
    }
}
