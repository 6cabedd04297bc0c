//! One part of a run: exactly what it left behind, and letting that leave. What is released is what was shown: the hash of the
//! bytes goes from the page into the release.

use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::{PARTS, address, not_of_a_run, read, released};
use crate::actors::ActError;
use crate::actors::triage::Release;
use crate::acts::releases::{self, Ids, Wanted};
use crate::api::runs as rest;
use crate::clock;
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, JobId, ReleaseId};
use crate::domain::job::Data;
use crate::domain::release::Part;
use crate::domain::text::Invalid;
use crate::pages::exact::{drawn, exact, see};
use crate::pages::fields::sentence;
use crate::pages::piece::facts::facts;
use crate::pages::piece::hash;
use crate::pages::piece::list::button;
use crate::pages::piece::number::bytes;
use crate::pages::piece::text::reveal;
use crate::pages::request::{data_words, part_words, short};
use crate::pages::{Answer, Confirm, Fields, Form, Notice, Problem, Site, Visit};
use crate::store::records::Here;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/runs/{id}/parts/{part}", look);
    site.get("/runs/{id}/parts/{part}/picture", picture);
    site.get("/runs/{id}/parts/{part}/bytes", download);
    site.get("/runs/{id}/parts/{part}/release", confirm_release);
    site.post("/runs/{id}/parts/{part}/release", release);
}

fn part(word: &str) -> Result<Part, Problem> {
    PARTS
        .into_iter()
        .find(|part| part.word() == word)
        .ok_or_else(|| Problem::not_found("a run leaves a result, a log or a failure report"))
}

async fn look(visit: Visit, path: Path<(Uuid, String)>, query: Fields) -> Answer {
    let (id, part) = (JobId(path.0), part(&path.1)?);
    let found = read(&visit, id).await?;
    let (product, file) = rest::open_part(&visit.context, visit.actor.clone(), id, part).await?;
    let at = format!("{}/parts/{}", address(id), part.word());
    let label = format!("{} of run {}", part_words(part), short(id));
    let seen = see(&visit, file, &product, &label, &at, &query).await?;
    let may = may_release(&visit, id, part, product.hash).await?;
    Ok(visit
        .page(label.as_str())
        .trail([(format!("Run {}", short(id)), address(id))])
        .aside(data_words(found.run.data))
        .body(html! {
            (not_of_a_run(found.run.origin))
            (seen)
            (exact(&product, &format!("{at}/bytes")))
            @if let Some(release) = released(&found.released, part) {
                div.notice.done { p { "Released already: " a href=(format!("/releases/{}", release.id)) { "what left" } "." } }
            } @else if found.run.data == Data::Private {
                section.card.no-print {
                    h2 { "Let it leave" }
                    p { "What would leave are exactly the bytes with the hash above, all of them, also where this page shows one piece at a time. Look at each." }
                    form method="get" action=(format!("{at}/release")) {
                        input type="hidden" name="hash" value=(product.hash);
                        div.actions { (button(&format!("Release this {}", part_words(part).to_lowercase()), "danger", &may)) }
                    }
                }
            }
        }))
}

/// Whether the part may be released, with why not.
async fn may_release(
    visit: &Visit,
    job: JobId,
    part: Part,
    hash: Hash,
) -> Result<Result<(), String>, Problem> {
    let (actor, now) = (visit.actor.clone(), visit.context.store.now());
    let wanted = Wanted { job, part, hash };
    let checked = visit
        .context
        .store
        .read(move |view| {
            let here = Here::at(view, now, clock::random_bytes())?;
            releases::check(view, &actor, &here, &wanted).map(drop)
        })
        .await;
    match checked {
        Ok(()) => Ok(Ok(())),
        Err(ActError::Refusal(refusal @ crate::acts::Refusal::Record(_))) => Err(refusal.into()),
        Err(ActError::Refusal(refusal)) => Ok(Err(refusal.to_string())),
        Err(error) => Err(error.into()),
    }
}

async fn picture(visit: Visit, path: Path<(Uuid, String)>) -> Answer {
    let (id, part) = (JobId(path.0), part(&path.1)?);
    let (product, file) = rest::open_part(&visit.context, visit.actor.clone(), id, part).await?;
    drawn(file, &product).await
}

async fn download(visit: Visit, path: Path<(Uuid, String)>) -> Answer {
    let (id, part) = (JobId(path.0), part(&path.1)?);
    rest::part(&visit.context, visit.actor.clone(), id, part).await
}

fn hash_of(fields: &Fields) -> Result<Hash, Problem> {
    let hash = fields.get("hash").parse();
    hash.map_err(|_| Invalid::new("hash", "is missing; release from the page that shows the bytes").into())
}

/// How what is released reaches the scientist.
fn way(visit: &Visit) -> &'static str {
    if visit.exchanges_bundles() {
        "goes with the next bundle to the scientist"
    } else {
        "reaches the scientist at once"
    }
}

async fn confirm_release(visit: Visit, path: Path<(Uuid, String)>, query: Fields) -> Answer {
    let (id, part) = (JobId(path.0), part(&path.1)?);
    let (found, hash) = (read(&visit, id).await?, hash_of(&query)?);
    let at = format!("{}/parts/{}", address(id), part.word());
    if let Err(why) = may_release(&visit, id, part, hash).await? {
        return Ok(visit.go_and_say(&at, &Notice::warning(sentence(&why))));
    }
    let words = part_words(part).to_lowercase();
    let title = format!("Release this {words}?");
    Ok(Confirm {
        title: &title,
        explained: html! {
            p { "Once released, it " (way(&visit)) ", and nothing brings it back." }
            (not_of_a_run(found.run.origin))
            (facts([
                ("For the request", html! { (reveal(&found.title)) }),
                ("What leaves", html! { "the " (words) ", exactly the bytes with this hash" }),
                ("Their hash", hash::whole(&hash)),
                ("Size", html! { @if let Some(product) = found.run.product(part) { (bytes(product.length)) } }),
            ]))
            @if part == Part::Result { p { "This also approves the request, if it was not approved before." } }
        },
        action: &format!("{at}/release"),
        hidden: &[("hash", hash.to_string())],
        button: "Release it",
        dangerous: true,
        back: &at,
    }
    .page(&visit))
}

async fn release(form: Form, path: Path<(Uuid, String)>) -> Answer {
    let (job, part) = (JobId(path.0), part(&path.1)?);
    let release = Release {
        actor: form.actor.clone(),
        ids: Ids {
            release: ReleaseId(form.context.new_id()),
            decision: DecisionId(form.context.new_id()),
        },
        wanted: Wanted {
            job,
            part,
            hash: hash_of(&form.fields)?,
        },
    };
    form.context
        .triage
        .send(release)
        .await
        .map_err(ActError::from)??;
    let said = format!(
        "The {} is released. It {}.",
        part_words(part).to_lowercase(),
        way(&form)
    );
    Ok(form.go_and_say(&address(job), &Notice::done(said)))
}
