//! One run: how it stands, what it left behind, and letting a part of that leave. What is released is what was shown: the
//! hash of the bytes goes from the page into the release.

mod glimpse;

use std::fs::File;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::fields::sentence;
use super::piece::content::{content, window};
use super::piece::facts::facts;
use super::piece::hash;
use super::piece::icon::Icon;
use super::piece::list::table;
use super::piece::number::bytes;
use super::piece::status::{self, Tone, badge};
use super::piece::text::reveal;
use super::piece::time::time;
use super::request::{data_words, part_words, short};
use super::{Answer, Confirm, Fields, Form, Notice, Problem, Site, Visit};
use crate::actors::ActError;
use crate::actors::runner::CancelRun;
use crate::actors::triage::Release;
use crate::acts::releases::{self, Ids, Wanted};
use crate::acts::{runs, visible};
use crate::api::context::off_the_arbiter;
use crate::api::{releases as rest_releases, runs as rest};
use crate::clock;
use crate::domain::access::Permission;
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, JobId, ReleaseId};
use crate::domain::job::{Data, Origin, Product, Run, State};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::release::{OutputFormat, Part};
use crate::domain::text::Invalid;
use crate::runtime::format::glance;
use crate::store::records::{self, Here};

pub(super) use glimpse::{glimpse, part as part_glimpse, runs_table};

const PARTS: [Part; 3] = [Part::Result, Part::Log, Part::FailureReport];
/// The largest image that is drawn on a page, in bytes.
const PICTURE_MAX: u64 = 64 << 20;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/runs/{id}", show);
    site.post("/runs/{id}/cancellation", cancel);
    site.get("/runs/{id}/parts/{part}", look);
    site.get("/runs/{id}/parts/{part}/picture", picture);
    site.get("/runs/{id}/parts/{part}/bytes", download);
    site.get("/runs/{id}/parts/{part}/release", confirm_release);
    site.post("/runs/{id}/parts/{part}/release", release);
    site.get("/releases/{id}", show_release);
    site.get("/releases/{id}/picture", release_picture);
    site.get("/releases/{id}/bytes", download_release);
}

fn address(id: JobId) -> String {
    format!("/runs/{id}")
}

struct Found {
    run: Run,
    title: String,
    code: String,
    started_by: String,
    released: Vec<Object>,
}

async fn read(visit: &Visit, id: JobId) -> Result<Found, Problem> {
    let actor = visit.actor.clone();
    visit
        .read(move |view| {
            let run = runs::get(view, &actor, id)?;
            let title = |id: Uuid| {
                Ok::<_, crate::acts::Refusal>(records::object(view, id)?.map(|it| it.body.title()))
            };
            let request = match run.request {
                Some(request) => title(request.0)?.unwrap_or_default(),
                None => String::new(),
            };
            let started_by = match records::object(view, run.started_by.0)?.map(|object| object.body) {
                Some(Body::User(user)) => user.name,
                _ => String::new(),
            };
            Ok(Found {
                title: request,
                code: match run.code {
                    Some(code) => title(code.0)?.unwrap_or_default(),
                    None => String::new(),
                },
                started_by,
                released: records::children(view, id.0, Kind::Release)?,
                run,
            })
        })
        .await
}

async fn show(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = JobId(*id);
    let found = read(&visit, id).await?;
    let run = &found.run;
    let mut trail = Vec::new();
    if let Some(request) = run.request {
        trail.push(("Requests".to_owned(), "/requests".to_owned()));
        trail.push((found.title.clone(), format!("/requests/{request}")));
    }
    let waits = (!run.state.is_over()).then(|| run.state.word());
    Ok(visit
        .page(format!("Run {}", short(id)))
        .trail(trail)
        .aside(html! { (data_words(run.data)) (status::run(run.state)) })
        .body(html! {
            div data-waits=[waits] {
                @if !run.state.is_over() { (under_way(&visit, id, run)) }
                h2 { "What it left behind" }
                (parts(&visit, id, &found))
                div.columns {
                    section.card { h2 { "About" } (about(&found)) }
                    @if run.origin == Origin::Sandbox && visit.may(Permission::TriageRequests) { (layers(&visit)) }
                }
            }
        }))
}

fn under_way(visit: &Visit, id: JobId, run: &Run) -> Markup {
    html! {
        section.card {
            p role="status" {
                @if run.state == State::Queued { "It waits for its turn." } @else { "It is under way." }
                " This page looks again by itself, or "
                a href=(address(id)) { "load it again" } "."
            }
            (visit.form(&format!("{}/cancellation", address(id)), html! { button.danger { "Stop the run" } }))
        }
    }
}

fn about(found: &Found) -> Markup {
    let run = &found.run;
    let origin = match run.origin {
        Origin::Sandbox => "run in the sandbox of this node",
        Origin::Deposit => "computed elsewhere, and deposited",
        Origin::Fulfilment => "the private data itself, written as a result",
    };
    facts([
        ("Code", html! { (reveal(&found.code)) }),
        ("Where from", html! { (origin) }),
        ("Started by", html! { (reveal(&found.started_by)) }),
        ("Queued", time(run.queued_at)),
        ("Began", html! { @if let Some(at) = run.began_at { (time(at)) } }),
        ("Ended", html! { @if let Some(at) = run.ended_at { (time(at)) } }),
        (
            "Took",
            html! { @if let (Some(from), Some(to)) = (run.began_at, run.ended_at) { (took(from, to)) } },
        ),
        (
            "Processor time",
            html! { @if let Some(used) = &run.used { (used.cpu_milliseconds / 1000) "." (used.cpu_milliseconds % 1000 / 100) " s" } },
        ),
        (
            "Most memory at one time",
            html! { @if let Some(used) = &run.used { (bytes(used.peak_memory)) } },
        ),
    ])
}

fn took(from: jiff::Timestamp, to: jiff::Timestamp) -> String {
    let milliseconds = to.duration_since(from).as_millis().max(0);
    match milliseconds {
        0..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

/// What keeps code in: the layers of the sandbox, as they were found when the node started.
fn layers(visit: &Visit) -> Markup {
    let layers = visit.context.runtime.layers();
    html! {
        section.card {
            h2 { "What keeps the code in" }
            ul.plain {
                @for found in layers {
                    @let (tone, drawing, word) = if found.present { (Tone::Good, Icon::Done, "on") } else { (Tone::Bad, Icon::No, "off") };
                    li { (badge(tone, drawing, word)) " " (found.layer) }
                }
            }
        }
    }
}

fn parts(visit: &Visit, id: JobId, found: &Found) -> Markup {
    let left: Vec<_> = PARTS
        .iter()
        .filter_map(|part| Some((*part, found.run.product(*part)?)))
        .collect();
    if left.is_empty() {
        let said = if found.run.state.is_over() {
            "Nothing."
        } else {
            "Nothing yet."
        };
        return html! { p.soft { (said) } };
    }
    let private = found.run.data == Data::Private;
    html! {
        (table("What the run left behind", &["What", "Written as", "Size", "Hash", "Leaves this node"], left.into_iter().map(|(part, product)| {
            vec![
                html! { a href=(format!("{}/parts/{}", address(id), part.word())) { (part_words(part)) } },
                html! { (product.format.extension()) @if !product.format.reviewable() { " " (badge(Tone::Warning, Icon::Warning, "not reviewable")) } },
                html! { (bytes(product.length)) },
                hash::short(&product.hash),
                leaves(visit, private, released(&found.released, part)),
            ]
        })))
    }
}

fn leaves(visit: &Visit, private: bool, released: Option<&Object>) -> Markup {
    match released {
        Some(release) => {
            html! { (badge(Tone::Good, Icon::Out, "released")) " " a href=(format!("/releases/{}", release.id)) { "what left" } }
        }
        None if !private => html! { "a run on mocks answers nobody" },
        None if visit.may(Permission::Release) => badge(Tone::Plain, Icon::Lock, "stays here until released"),
        None => badge(Tone::Plain, Icon::Lock, "stays here"),
    }
}

fn released(releases: &[Object], part: Part) -> Option<&Object> {
    releases.iter().find(
        |object| matches!(&object.body, Body::Release(release) if release.part == part && !object.deleted),
    )
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
    let seen = see(file, &product, &label, &at, &query).await?;
    let may = may_release(&visit, id, part, product.hash).await?;
    Ok(visit
        .page(label.as_str())
        .trail([(format!("Run {}", short(id)), address(id))])
        .aside(data_words(found.run.data))
        .body(html! {
            (seen)
            (exact(&product, &format!("{at}/bytes")))
            @if let Some(release) = released(&found.released, part) {
                div.notice.done { p { "Released already: " a href=(format!("/releases/{}", release.id)) { "what left" } "." } }
            } @else if found.run.data == Data::Private {
                section.card.no-print {
                    h2 { "Let it leave" }
                    p { "What would leave are exactly the bytes that are shown above, by their hash. Look at all of them." }
                    form method="get" action=(format!("{at}/release")) {
                        input type="hidden" name="hash" value=(product.hash);
                        div.actions { (super::piece::list::button(&format!("Release this {}", part_words(part).to_lowercase()), "danger", &may)) }
                    }
                }
            }
        }))
}

/// What a file holds, through the window that the address asks for.
async fn see(
    file: File,
    product: &Product,
    label: &str,
    at: &str,
    query: &Fields,
) -> Result<Markup, Problem> {
    let (window, format) = (window(query)?, product.format);
    let seen = off_the_arbiter(move || glance(file, format, window).map_err(Problem::from)).await?;
    Ok(match &seen {
        Ok(seen) => content(label, seen, window, at, query, &format!("{at}/picture")),
        Err(problem) => {
            html! { div.notice.warning { p { (sentence(problem.detail())) " It can only be looked at as the file that it is." } } }
        }
    })
}

fn exact(product: &Product, download: &str) -> Markup {
    html! {
        section.card {
            (facts([
                ("Hash of these bytes (BLAKE3)", hash::whole(&product.hash)),
                ("Size", html! { (bytes(product.length)) " (" (product.length) ")" }),
                ("The file itself", html! { a href=(download) download { "Download as " (product.format.extension()) } }),
            ]))
        }
    }
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

/// The bytes of an image, for a page to draw. Only PNG, which cannot execute.
async fn drawn(file: File, product: &Product) -> Answer {
    if product.format != OutputFormat::Png || product.length > PICTURE_MAX {
        return Err(Problem::not_found(
            "this is no image that a page draws; download it",
        ));
    }
    let read = off_the_arbiter(move || {
        let (mut file, mut bytes) = (file, Vec::new());
        std::io::Read::read_to_end(&mut file, &mut bytes).map(|_| bytes)
    });
    let bytes = read.await?.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "image/png"))
        .body(bytes))
}

async fn download(visit: Visit, path: Path<(Uuid, String)>) -> Answer {
    let (id, part) = (JobId(path.0), part(&path.1)?);
    rest::part(&visit.context, visit.actor.clone(), id, part).await
}

async fn cancel(form: Form, id: Path<Uuid>) -> Answer {
    let id = JobId(*id);
    let actor = form.actor.clone();
    form.context
        .runner
        .send(CancelRun { actor, id })
        .await
        .map_err(ActError::from)??;
    Ok(form.go_and_say(&address(id), &Notice::done("The run is told to stop.")))
}

fn hash_of(fields: &Fields) -> Result<Hash, Problem> {
    let hash = fields.get("hash").parse();
    hash.map_err(|_| Invalid::new("hash", "is missing; release from the page that shows the bytes").into())
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
            p { "Once released, it goes with the next bundle to the scientist, and nothing brings it back." }
            (facts([
                ("For the request", html! { (reveal(&found.title)) }),
                ("What leaves", html! { "the " (words) ", exactly the bytes that you have seen" }),
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
        "The {} is released. It leaves with the next bundle.",
        part_words(part).to_lowercase()
    );
    Ok(form.go_and_say(&address(job), &Notice::done(said)))
}

async fn show_release(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let id = ReleaseId(*id);
    let actor = visit.actor.clone();
    let found = visit.read(move |view| visible::release(view, &actor, id)).await?;
    let file = rest_releases::open(&visit.context, &found.body).await?;
    let release = &found.body;
    let product = Product {
        format: release.format,
        length: release.length,
        hash: release.blob,
    };
    let at = format!("/releases/{id}");
    let label = format!("{}, released", part_words(release.part));
    let seen = see(file, &product, &label, &at, &query).await?;
    Ok(visit
        .page(label.as_str())
        .trail([("Requests".to_owned(), "/requests".to_owned()), ("The request".to_owned(), format!("/requests/{}", release.request))])
        .aside(html! { a.button.primary href=(format!("{at}/bytes")) download { "Download" } })
        .body(html! {
            p.lead { "Released by " (reveal(&release.by_name)) " on " (super::piece::time::date(release.on)) "." }
            (seen)
            (exact(&product, &format!("{at}/bytes")))
        }))
}

async fn release_picture(visit: Visit, id: Path<Uuid>) -> Answer {
    let (actor, id) = (visit.actor.clone(), ReleaseId(*id));
    let found = visit.read(move |view| visible::release(view, &actor, id)).await?;
    let file = rest_releases::open(&visit.context, &found.body).await?;
    let product = Product {
        format: found.body.format,
        length: found.body.length,
        hash: found.body.blob,
    };
    drawn(file, &product).await
}

async fn download_release(visit: Visit, id: Path<Uuid>) -> Answer {
    let (actor, id) = (visit.actor.clone(), ReleaseId(*id));
    let found = visit.read(move |view| visible::release(view, &actor, id)).await?;
    rest_releases::content(&visit.context, found).await
}
