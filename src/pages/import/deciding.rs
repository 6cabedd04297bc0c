//! Applying, ignoring and showing again. Each names what was seen; if something has changed since, nothing is done.

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::html;
use uuid::Uuid;

use super::address;
use super::batch::listed;
use crate::acts::inbox;
use crate::domain::hash::Hash;
use crate::domain::object::Revision;
use crate::domain::peer::ReviewAct;
use crate::domain::text::Invalid;
use crate::pages::form::ReviewForm;
use crate::pages::piece::number::count;
use crate::pages::piece::text::reveal;
use crate::pages::{Answer, Fields, Form, Notice, Problem, Site};
use crate::sync::review::Seen;

/// The longest list of seen objects, in bytes of the form.
const SEEN_MAX: usize = 16 * 1024 * 1024;

pub(super) fn routes(site: &mut Site<'_>) {
    site.post("/peers/{id}/import/selected", confirm);
    site.post("/peers/{id}/import/apply", apply);
    site.post("/peers/{id}/import/ignore", ignore);
    site.post("/peers/{id}/import/unignore", unignore);
}

/// An object as a reviewer saw it, as the field of a form.
pub(super) fn seen_words(id: Uuid, revision: Revision) -> String {
    format!("{id} {} {}", revision.number, revision.digest)
}

pub(super) fn word(act: ReviewAct) -> &'static str {
    match act {
        ReviewAct::Applied => "applied",
        ReviewAct::Ignored => "ignored",
        ReviewAct::Unignored => "shown again",
    }
}

fn seen(fields: &Fields) -> Result<Vec<Seen>, Problem> {
    let one = |words: &str| {
        let mut words = words.split(' ');
        let id = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let digest: Hash = words.next()?.parse().ok()?;
        Some(Seen {
            id,
            revision: Revision { number, digest },
        })
    };
    let all = fields.all("seen").map(|words| {
        one(words).ok_or_else(|| Problem::from(Invalid::new("seen", "is damaged; load the page again")))
    });
    all.collect()
}

fn roots(fields: &Fields) -> Result<Vec<Uuid>, Problem> {
    fields.all_parsed("root", "the id of a batch")
}

/// Says what an act on the chosen batches brings along, before it is done.
async fn confirm(form: ReviewForm<SEEN_MAX>, id: Path<Uuid>) -> Answer {
    let (peer, chosen) = (*id, roots(&form.fields)?);
    if chosen.is_empty() {
        return Ok(form.go_and_say(
            &address(peer),
            &Notice::warning("Nothing was selected. Check the boxes of what you mean."),
        ));
    }
    let (actor, asked) = (form.actor.clone(), chosen.clone());
    let (waiting, reach) = form
        .read(move |view| inbox::reach(view, &actor, peer, &asked))
        .await?;
    let applies = form.fields.get("act") != "ignore";
    let titles = waiting.iter().filter(|shown| chosen.contains(&shown.batch.root));
    let (title, button, class, act) = if applies {
        ("Apply these?", "Apply", "primary", "apply")
    } else {
        ("Ignore these?", "Ignore", "danger", "ignore")
    };
    let refused = reach.applies_also.as_ref().err().filter(|_| applies);
    Ok(form.page(title).trail([("Import".to_owned(), "/import".to_owned()), ("What waits".to_owned(), address(peer))]).body(html! {
        div.card {
            ul { @for shown in titles { li { (reveal(&shown.batch.title)) } } }
            @if applies {
                @if let Ok(also) = &reach.applies_also { (listed("What these need is applied with them:", also)) }
            } @else { (listed("What needs these is hidden with them:", &reach.hides_also)) }
            @if let Some(reason) = refused { div.notice.warning { p { (crate::pages::fields::sentence(reason)) } } }
            (form.form(&format!("{}/{act}", address(peer)), html! {
                @for root in &chosen { input type="hidden" name="root" value=(root); }
                @for seen in form.fields.all("seen") { input type="hidden" name="seen" value=(seen); }
                div.actions {
                    @if refused.is_none() { button class=(class) { (button) " " (count(chosen.len(), "batch")) } }
                    a.button href=(address(peer)) { "Cancel" }
                }
            }))
        }
    }))
}

async fn apply(form: ReviewForm<SEEN_MAX>, id: Path<Uuid>) -> Answer {
    let (peer, roots, seen) = (*id, roots(&form.fields)?, seen(&form.fields)?);
    let actor = form.actor.clone();
    let applied = form
        .context
        .store
        .act(move |tx, here| inbox::apply(tx, &actor, here, peer, &roots, &seen))
        .await?;
    Ok(done(&form, peer, "applied", applied.roots.len()))
}

async fn ignore(form: ReviewForm<SEEN_MAX>, id: Path<Uuid>) -> Answer {
    let (peer, roots, seen) = (*id, roots(&form.fields)?, seen(&form.fields)?);
    let actor = form.actor.clone();
    let hidden = form
        .context
        .store
        .act(move |tx, here| inbox::ignore(tx, &actor, here, peer, &roots, &seen))
        .await?;
    Ok(done(&form, peer, "ignored", hidden.len()))
}

async fn unignore(form: ReviewForm<SEEN_MAX>, id: Path<Uuid>) -> Answer {
    let (peer, roots) = (*id, roots(&form.fields)?);
    let actor = form.actor.clone();
    let back = form
        .context
        .store
        .act(move |tx, here| inbox::unignore(tx, &actor, here, peer, &roots))
        .await?;
    Ok(done(&form, peer, "shown again", back.len()))
}

fn done(form: &Form<SEEN_MAX>, peer: Uuid, what: &str, number: usize) -> HttpResponse {
    let batches = if number == 1 {
        "1 batch is".to_owned()
    } else {
        format!("{number} batches are")
    };
    form.go_and_say(&address(peer), &Notice::done(format!("{batches} {what}.")))
}
