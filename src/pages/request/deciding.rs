//! Deciding on a request and running it; and what its requester does with it. Whatever decides names exactly what was seen.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::{address, done, read};
use crate::actors::ActError;
use crate::actors::runner::Enqueue;
use crate::actors::triage::{Ask, Decide, Fulfil, Petition};
use crate::acts::decisions::{Seen, Shown};
use crate::acts::requests::{Asked, Bound, Review};
use crate::acts::runs::Wanted;
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{DecisionId, JobId, RequestId};
use crate::domain::job::Data;
use crate::domain::object::Revision;
use crate::domain::text::Invalid;
use crate::pages::piece::facts::facts;
use crate::pages::piece::hash;
use crate::pages::piece::list::button;
use crate::pages::piece::status;
use crate::pages::piece::text::{prose, reveal};
use crate::pages::{Answer, Confirm, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/requests/{id}/approval", confirm_approval);
    site.get("/requests/{id}/denial", ask_for_reason);
    site.post("/requests/{id}/approval", approve);
    site.post("/requests/{id}/denial", deny);
    site.post("/requests/{id}/runs", run);
    site.post("/requests/{id}/fulfilment", fulfil);
    site.get("/requests/{id}/withdrawal", confirm_withdrawal);
    site.post("/requests/{id}/withdrawal", withdraw);
    site.post("/requests/{id}/another-run", another_run);
}

/// What a reviewer has before them, as the field of a form.
fn seen_words(found: &Review) -> String {
    let revision = found.view.request.object.revision;
    let last = found.view.decisions.last();
    let last = last.map_or_else(|| "none".to_owned(), |decision| decision.object.id.to_string());
    let shown = match &found.view.asked {
        Asked::Code(code, _) => format!("code {}", code.body.hash),
        Asked::Sight(seen) => match seen.revision {
            Some(revision) => format!("object {}-{}", revision.number, revision.digest),
            None => "object none".to_owned(),
        },
    };
    format!("{} {} {shown} {last}", revision.number, revision.digest)
}

fn seen(fields: &Fields) -> Result<Seen, Problem> {
    let parsed = || {
        let mut words = fields.get("seen").split(' ');
        let number = words.next()?.parse().ok()?;
        let digest: Hash = words.next()?.parse().ok()?;
        let shown = match (words.next()?, words.next()?) {
            ("code", hash) => Shown::Code(hash.parse().ok()?),
            ("object", "none") => Shown::Object(None),
            ("object", revision) => {
                let (number, digest) = revision.split_once('-')?;
                Shown::Object(Some(Revision {
                    number: number.parse().ok()?,
                    digest: digest.parse().ok()?,
                }))
            }
            _ => return None,
        };
        let last = words.next()?;
        let last_decision = match last {
            "none" => None,
            id => Some(DecisionId(Uuid::parse_str(id).ok()?)),
        };
        Some(Seen {
            revision: Revision { number, digest },
            shown,
            last_decision,
        })
    };
    parsed().ok_or_else(|| Invalid::new("seen", "is missing; open the request and decide from there").into())
}

/// What a reviewer can do, each with what stands in its way.
pub(super) fn offered(visit: &Visit, found: &Review) -> Markup {
    let at = address(RequestId(found.view.request.object.id));
    let (possible, seen) = (&found.possible, seen_words(found));
    let run = |data: &str, label: &str, class: &str, may: &Result<(), String>| {
        visit.form(
            &format!("{at}/runs"),
            html! {
                input type="hidden" name="data" value=(data);
                div.actions { (button(label, class, may)) }
            },
        )
    };
    let decide = |to: &str, label: &str, class: &str, may: &Result<(), String>| {
        html! {
            form method="get" action=(format!("{at}/{to}")) {
                input type="hidden" name="seen" value=(seen);
                div.actions { (button(label, class, may)) }
            }
        }
    };
    html! {
        section.card.acts {
            h2 { "Decide" }
            @if let Some(runs) = &possible.runs { (run("mock", "Run on the mock", "", &runs.on_mock)) }
            (decide("approval", "Approve", "primary", &possible.approve))
            (decide("denial", "Deny", "danger", &possible.deny))
            @if let Some(runs) = &possible.runs { (run("private", "Run on the private data", "", &runs.on_private)) }
            @if let Some(fulfil) = &possible.fulfil {
                (visit.form(&format!("{at}/fulfilment"), html! { div.actions { (button("Write the data as a result", "", fulfil)) } }))
            }
        }
    }
}

async fn confirm_approval(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    let id = RequestId(*id);
    seen(&query)?;
    let found = read(&visit, id).await?;
    if let Err(why) = &found.possible.approve {
        return Ok(visit.go_and_say(
            &address(id),
            &Notice::warning(super::super::fields::sentence(why)),
        ));
    }
    let assets: Vec<_> = found
        .parameters
        .iter()
        .filter_map(|(_, bound)| match bound {
            Bound::Asset(_, Some((asset, dataset))) => Some(format!("{asset} of {dataset}")),
            Bound::Asset(id, None) => Some(id.to_string()),
            Bound::Constant(_) => None,
        })
        .collect();
    let title = found.view.request.object.body.title();
    Ok(Confirm {
        title: "Approve this request?",
        explained: html! {
            p { strong { (reveal(&title)) } }
            @match &found.view.asked {
                Asked::Code(..) => {
                    p { "The code, exactly as you have seen it, may then run on the private data of:" }
                    ul { @for asset in &assets { li { (reveal(asset)) } } @if assets.is_empty() { li { "no asset: it receives constants only" } } }
                    p { "Nothing leaves by this. What a run returns stays here until you release it." }
                },
                Asked::Sight(seen) => (super::sight::shown(seen, visit.side)),
            }
            p { "The scientist learns that the request was approved, and the date." }
        },
        action: &format!("{}/approval", address(id)),
        hidden: &[("seen", query.get("seen").to_owned())],
        button: "Approve",
        dangerous: false,
        back: &address(id),
    }
    .page(&visit))
}

async fn ask_for_reason(visit: Visit, id: Path<Uuid>, query: Fields) -> Answer {
    seen(&query)?;
    denial(
        &visit,
        RequestId(*id),
        &Filled::with([("seen", query.get("seen"))]),
    )
    .await
}

async fn denial(visit: &Visit, id: RequestId, filled: &Filled) -> Answer {
    let found = read(visit, id).await?;
    let at = address(id);
    let title = found.view.request.object.body.title();
    let seen = filled
        .fields()
        .given("seen")
        .map_or_else(|| seen_words(&found), str::to_owned);
    let overtaken = filled.status() == StatusCode::PRECONDITION_FAILED;
    let reason = Field::new("reason", "Reason")
        .hint("The scientist reads it. Say nothing in it that is not theirs to know.");
    Ok(visit
        .page("Deny this request?")
        .trail([("Requests", "/requests"), (title.as_str(), at.as_str())])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                p { strong { (reveal(&title)) } }
                @if overtaken { (present(&found)) }
                (visit.form(&format!("{at}/denial"), html! {
                    input type="hidden" name="seen" value=(seen);
                    (filled.area(&reason, 5))
                    div.actions { button.danger { "Deny" } a.button href=(at) { "Cancel" } }
                }))
            }
        }))
}

/// A request as it is now, beside a reason that was written for what it was.
fn present(found: &Review) -> Markup {
    let request = &found.view.request;
    facts([
        ("It is now", status::request(&found.view.status)),
        ("Revision", html! { (request.object.revision.number) }),
        ("Why", prose(&request.body.reason)),
        (
            "Hash of code and policies",
            html! { @if let Some(code) = found.code() { (hash::whole(&code.body.hash)) } },
        ),
    ])
}

async fn approve(form: Form, id: Path<Uuid>) -> Answer {
    let id = RequestId(*id);
    decide(&form, id, Verdict::Approve).await?;
    Ok(done(&form, id, "The request is approved."))
}

async fn deny(form: Form, id: Path<Uuid>) -> Answer {
    let id = RequestId(*id);
    let denied = match Verdict::deny(form.fields.get("reason")) {
        Ok(verdict) => decide(&form, id, verdict).await,
        Err(invalid) => Err(invalid.into()),
    };
    match denied {
        Ok(()) => Ok(done(&form, id, "The request is denied.")),
        Err(problem) if problem.word() == "changed" => {
            denial(&form, id, &Filled::overtaken(&form.fields, &problem, "seen")).await
        }
        Err(problem) => denial(&form, id, &Filled::refused(&form.fields, problem)?).await,
    }
}

async fn decide(form: &Form, request: RequestId, verdict: Verdict) -> Result<(), Problem> {
    let decide = Decide {
        actor: form.actor.clone(),
        id: DecisionId(form.context.new_id()),
        request,
        verdict,
        seen: seen(&form.fields)?,
    };
    form.context.triage.send(decide).await.map_err(ActError::from)??;
    Ok(())
}

async fn run(form: Form, id: Path<Uuid>) -> Answer {
    let data = match form.fields.get("data") {
        "mock" => Data::Mock,
        "private" => Data::Private,
        _ => return Err(Invalid::new("data", "must be mock or private").into()),
    };
    let run = JobId(form.context.new_id());
    let asked = Enqueue {
        actor: form.actor.clone(),
        id: run,
        wanted: Wanted::Request(RequestId(*id), data),
    };
    form.context.runner.send(asked).await.map_err(ActError::from)??;
    Ok(form.go(&format!("/runs/{run}")))
}

/// Has the private data that was asked for written as a result, which is released like any other.
async fn fulfil(form: Form, id: Path<Uuid>) -> Answer {
    let run = JobId(form.context.new_id());
    let asked = Fulfil {
        actor: form.actor.clone(),
        id: run,
        request: RequestId(*id),
    };
    form.context.triage.send(asked).await.map_err(ActError::from)??;
    Ok(form.go(&format!("/runs/{run}")))
}

async fn confirm_withdrawal(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = RequestId(*id);
    let found = read(&visit, id).await?;
    Ok(Confirm {
        title: "Take this request back?",
        explained: html! {
            (prose(&found.view.request.body.reason))
            p { "Nobody will run it any more. What has run and what was released stays. To ask again, make a new request." }
        },
        action: &format!("{}/withdrawal", address(id)),
        hidden: &[],
        button: "Take it back",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn withdraw(form: Form, id: Path<Uuid>) -> Answer {
    ask(
        &form,
        RequestId(*id),
        Petition::Withdraw(None),
        "The request is taken back.",
    )
    .await
}

async fn another_run(form: Form, id: Path<Uuid>) -> Answer {
    let said = "One more run is asked for. That is a new revision, and needs a new decision.";
    ask(&form, RequestId(*id), Petition::AnotherRun(None), said).await
}

async fn ask(
    form: &Form,
    request: RequestId,
    petition: Petition,
    said: &str,
) -> Result<HttpResponse, Problem> {
    let asked = Ask {
        actor: form.actor.clone(),
        request,
        petition,
    };
    form.context.triage.send(asked).await.map_err(ActError::from)??;
    Ok(done(form, request, said))
}
