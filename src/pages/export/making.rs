//! Holding, confirming and making a bundle. What is shared is released first, each part by the hash of what was shown.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::learning::{given_back, told};
use super::{address, read};
use crate::actors::ActError;
use crate::actors::syncer::Export;
use crate::actors::triage::Release;
use crate::acts::releases::{self, Ids, Wanted};
use crate::acts::{assets, outgoing, peers};
use crate::domain::id::{DecisionId, JobId, NodeId, ReleaseId};
use crate::domain::object::Body;
use crate::domain::release::Part;
use crate::domain::text::Invalid;
use crate::pages::import::filters;
use crate::pages::piece::hash;
use crate::pages::piece::list::empty;
use crate::pages::piece::number::bytes;
use crate::pages::piece::text::reveal;
use crate::pages::request::part_words;
use crate::pages::run::not_of_a_run;
use crate::pages::{Answer, Fields, Form, Notice, Problem, Site};
use crate::store::records;
use crate::sync::batch::Change;

pub(super) fn routes(site: &mut Site<'_>) {
    site.post("/peers/{id}/export/holds", hold);
    site.post("/peers/{id}/export/confirm", confirm);
    site.post("/peers/{id}/export", export);
}

async fn hold(form: Form, id: Path<Uuid>) -> Answer {
    let (peer, actor) = (*id, form.actor.clone());
    let held = form.fields.has("hold");
    let root: Uuid = form
        .fields
        .parsed(if held { "hold" } else { "let-go" }, "the id of a batch")?;
    form.context
        .store
        .act(move |tx, _| peers::hold(tx, &actor, peer, root, held))
        .await?;
    let said = if held {
        "It is held, with all that needs it. It stays owed."
    } else {
        "It goes with the next bundle."
    };
    Ok(form.go_and_say(&address(peer), &Notice::done(said)))
}

/// What is shared: a part of a run, by the hash of what was shown.
fn shared(fields: &Fields) -> Result<Vec<Wanted>, Problem> {
    let one = |words: &str| {
        let mut words = words.split(' ');
        let job = JobId(words.next()?.parse().ok()?);
        let word = words.next()?;
        let part = [Part::Result, Part::Log, Part::FailureReport]
            .into_iter()
            .find(|part| part.word() == word)?;
        let hash = words.next()?.parse().ok()?;
        Some(Wanted { job, part, hash })
    };
    let all = fields.all("share").map(|words| {
        one(words).ok_or_else(|| Problem::from(Invalid::new("share", "is damaged; load the page again")))
    });
    all.collect()
}

/// What each object that goes tells, in plain words.
async fn learned(form: &Form, peer: Uuid) -> Result<Vec<Markup>, Problem> {
    let (actor, wanted) = (form.actor.clone(), filters(&form.fields));
    let objects = form
        .read(move |view| {
            let preview = outgoing::preview(view, &actor, peer, &wanted, false)?;
            let taken = preview
                .batches
                .iter()
                .filter(|batch| preview.selection.taken.contains(&batch.root));
            let members = taken
                .flat_map(|batch| &batch.members)
                .filter(|member| member.change != Change::Same);
            let mut objects = Vec::new();
            for member in members {
                let Some(object) = records::object(view, member.id)? else {
                    continue;
                };
                let before = outgoing::delivered_body(view, peer, &object)?;
                let request = match &object.body {
                    Body::Decision(decision) => Some(decision.request.0),
                    Body::Job(job) => Some(job.request.0),
                    Body::Release(release) => Some(release.request.0),
                    _ => None,
                };
                let request = match request {
                    Some(request) => records::object(view, request)?.map(|object| object.body.title()),
                    None => None,
                };
                let shared = assets::rows_shared_with_mock(view, object.id)?;
                objects.push((before, object, request, shared));
            }
            Ok(objects)
        })
        .await?;
    Ok(objects
        .iter()
        .map(|(before, object, request, shared)| {
            if object.home.0 == peer {
                given_back(&object.body)
            } else if object.deleted {
                html! { "that something was removed: " (reveal(&object.body.title())) }
            } else {
                told(before.as_ref(), &object.body, request.as_deref(), *shared)
            }
        })
        .collect())
}

async fn confirm(form: Form, id: Path<Uuid>) -> Answer {
    let peer = *id;
    let before = read(&form, peer, &form.fields).await?;
    let (learned, shared) = (learned(&form, peer).await?, shared(&form.fields)?);
    let shares: Vec<_> = before
        .candidates
        .iter()
        .filter(|candidate| {
            shared.iter().any(|wanted| {
                (wanted.job, wanted.part, wanted.hash)
                    == (candidate.job, candidate.part, candidate.product.hash)
            })
        })
        .collect();
    if shares.len() != shared.len() {
        let said = "Something that you have checked is not as it was shown any more. Look again.";
        return Ok(form.go_and_say(&address(peer), &Notice::warning(said)));
    }
    Ok(form
        .page(format!("What {} learns", before.peer.name))
        .trail([("Export".to_owned(), "/export".to_owned()), (format!("To {}", before.peer.name), address(peer))])
        .body(html! {
            div.card {
                p { "By this bundle the other side learns what it does not know now:" }
                @if learned.is_empty() && shares.is_empty() { (empty("Nothing but what this node acknowledges, and the head of its audit chain.", html! {})) }
                ul.learned {
                    @for candidate in &shares {
                        li { strong { "the " (part_words(candidate.part).to_lowercase()) " for “" (reveal(&candidate.request)) "”: exactly the "
                            (bytes(candidate.product.length)) " with the hash " (hash::short(&candidate.product.hash)) } @if candidate.part == Part::Result { ", and that the request is approved" }
                            (not_of_a_run(candidate.origin)) }
                    }
                    @for one in &learned { li { (one) } }
                }
                p.soft { "Of times it learns dates. It learns nothing of what stays, nor how much that is." }
                (form.form(&address(peer), html! {
                    @for name in ["requester", "include"] { input type="hidden" name=(name) value=(form.fields.get(name)); }
                    @for share in form.fields.all("share") { input type="hidden" name="share" value=(share); }
                    div.actions {
                        button class=(if shares.is_empty() { "primary" } else { "danger" }) { @if shares.is_empty() { "Make the bundle" } @else { "Release and make the bundle" } }
                        a.button href=(address(peer)) { "Cancel" }
                    }
                }))
            }
        }))
}

async fn export(form: Form, id: Path<Uuid>) -> Answer {
    let peer = *id;
    let wanted = shared(&form.fields)?;
    let (actor, jobs): (_, Vec<_>) = (form.actor.clone(), wanted.iter().map(|one| one.job).collect());
    form.read(move |view| releases::answer_peer(view, &actor, &jobs, peer))
        .await?;
    for wanted in wanted {
        let release = Release {
            actor: form.actor.clone(),
            ids: Ids {
                release: ReleaseId(form.context.new_id()),
                decision: DecisionId(form.context.new_id()),
            },
            wanted,
        };
        form.context
            .triage
            .send(release)
            .await
            .map_err(ActError::from)??;
    }
    let ask = Export {
        actor: form.actor.clone(),
        peer: NodeId(peer),
        filters: filters(&form.fields),
        full: false,
    };
    let exported = form.context.syncer()?.send(ask).await.map_err(ActError::from)??;
    let mut said = "The bundle is written, read back and verified.".to_owned();
    if exported.left_over > 0 {
        said.push_str(" Not everything fitted: export again, and carry both.");
    }
    Ok(form.go_and_say(
        &format!("/peers/{peer}/exports/{}", exported.sequence),
        &Notice::done(said),
    ))
}
