//! What has become of a request, step by step, and what it waits for.

use maud::{Markup, html};

use crate::acts::requests::Review;
use crate::domain::decision::Verdict;
use crate::domain::object::Body;
use crate::domain::request::Crossing;
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::{date, time};

/// One step: whether it is behind, what it is, and more on it.
struct Step {
    reached: bool,
    what: Markup,
    more: Markup,
}

fn reached(what: Markup, more: Markup) -> Step {
    Step {
        reached: true,
        what,
        more,
    }
}

fn ahead(what: &str) -> Step {
    Step {
        reached: false,
        what: html! { span.ahead { (what) } },
        more: html! {},
    }
}

/// The steps of a request, as this side knows them.
pub fn shown(found: &Review) -> Markup {
    // When it was made travels in no bundle.
    let begun = match &found.by_way_of {
        Some(peer) => html! { "Arrived from " (reveal(peer)) },
        None => html! { "Submitted" },
    };
    let mut steps = vec![reached(begun, time(found.view.progress.submitted))];
    if let Some(crossing) = found.view.progress.crossing.as_ref().filter(|_| found.made_here) {
        steps.extend(across(crossing));
    }
    steps.extend(decided(found));
    steps.extend(answered(found));
    html! {
        ol.timeline {
            @for step in &steps {
                li.reached[step.reached] { strong { (step.what) } span.soft { (step.more) } }
            }
        }
    }
}

/// The way over the gap, from the low side.
fn across(crossing: &Crossing) -> Vec<Step> {
    let carried = match crossing.carried_in.as_slice() {
        [only] => reached(html! { "Carried in bundle " (only) }, html! {}),
        [first, .., last] => reached(
            html! { "Carried in bundle " (first) },
            html! { "and again, up to bundle " (last) },
        ),
        [] if crossing.received => reached(html! { "Carried across" }, html! {}),
        [] => ahead("Waits for the next bundle to the high side"),
    };
    let received = if crossing.received {
        reached(html! { "Received on the high side" }, html! {})
    } else {
        ahead("Not yet known to be received")
    };
    vec![carried, received]
}

fn decided(found: &Review) -> Vec<Step> {
    if found.view.request.body.withdrawn {
        return vec![reached(html! { "Taken back by who made it" }, html! {})];
    }
    let revision = found.view.request.object.revision;
    let mut steps: Vec<_> = found
        .view
        .decisions
        .iter()
        .map(|decision| {
            let earlier = decision.body.request_revision != revision;
            let verb = match &decision.body.verdict {
                Verdict::Approve => "Approved",
                Verdict::Deny { .. } => "Denied",
            };
            let reason = match &decision.body.verdict {
                Verdict::Deny { reason } => html! { br; (reveal(reason)) },
                Verdict::Approve => html! {},
            };
            reached(
                html! { (verb) " by " (reveal(&decision.body.by_name)) @if earlier { " (an earlier revision)" } },
                html! { (date(decision.body.on)) (reason) },
            )
        })
        .collect();
    if found.view.progress.decided_on.is_none() {
        steps.push(ahead("Waits for a decision"));
    }
    steps
}

fn answered(found: &Review) -> Vec<Step> {
    let mut steps: Vec<_> = found
        .view
        .jobs
        .iter()
        .filter_map(|object| match &object.body {
            Body::Job(job) => Some(match job.verdict {
                crate::domain::job::Verdict::Succeeded => {
                    reached(html! { "Ran on the private data" }, date(job.on))
                }
                crate::domain::job::Verdict::Failed => {
                    reached(html! { "Failed on the private data" }, date(job.on))
                }
            }),
            _ => None,
        })
        .collect();
    for object in &found.view.releases {
        if let Body::Release(release) = &object.body {
            let what = super::part_words(release.part);
            steps.push(reached(
                html! { (what) " released by " (reveal(&release.by_name)) },
                date(release.on),
            ));
        }
    }
    let open = !found.view.request.body.withdrawn
        && !matches!(found.view.status, crate::domain::request::Status::Denied { .. });
    if open && !found.view.progress.released {
        steps.push(ahead("Result"));
    }
    steps
}
