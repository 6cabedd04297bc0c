//! Runs in a list, and the beginning of what one left behind, for pages that are not about the run alone.

use maud::{Markup, html};

use super::{address, data_words, part_words, short};
use crate::api::blocking::off_the_arbiter;
use crate::api::runs as rest;
use crate::domain::id::JobId;
use crate::domain::job::{Product, Run};
use crate::domain::release::Part;
use crate::pages::fields::sentence;
use crate::pages::piece::content::{all_of_it, content};
use crate::pages::piece::list::table;
use crate::pages::piece::number::bytes;
use crate::pages::piece::status;
use crate::pages::piece::time::time;
use crate::pages::{Fields, Problem, Visit};
use crate::runtime::format::{Glance, Window};

/// How much of it is shown at once; the rest is one click away.
const BEGINNING: Window = Window {
    from: 0,
    rows: 12,
    from_column: 0,
    columns: 12,
};

/// Runs, each leading to its page.
pub fn runs_table(runs: &[(JobId, Run)]) -> Markup {
    let row = |(id, run): &(JobId, Run)| {
        vec![
            html! { a href=(address(*id)) { "Run " (short(*id)) } },
            data_words(run.data),
            status::run(run.state),
            time(run.queued_at),
            html! { @if let Some(ended) = run.ended_at { (time(ended)) } },
        ]
    };
    table(
        "Runs",
        &["Run", "Data", "State", "Queued", "Ended"],
        runs.iter().map(row),
    )
}

/// The beginning of one part of a run, with what of it is not shown.
pub async fn part(visit: &Visit, id: JobId, part: Part, product: &Product) -> Markup {
    let at = format!("{}/parts/{}", address(id), part.word());
    let label = format!("{} of run {}", part_words(part), short(id));
    let seen = seen(visit, id, part).await;
    let warned = match &seen {
        Ok(seen) if all_of_it(seen, BEGINNING) => "",
        Ok(_) => "Only the beginning is shown here.",
        Err(_) => "Nothing of it is shown here.",
    };
    html! {
        @match &seen {
            Ok(seen) => (content(&label, seen, BEGINNING, &at, &Fields::default(), &format!("{at}/picture"))),
            Err(problem) => div.notice.warning { p { (sentence(problem.detail())) } },
        }
        p {
            @if !warned.is_empty() { strong { (warned) } " " }
            a href=(at) { "Look at all of it" @if !warned.is_empty() { " first" } } " " span.soft { "(" (product.format.extension()) ", " (bytes(product.length)) ")" }
        }
    }
}

async fn seen(visit: &Visit, id: JobId, part: Part) -> Result<Glance, Problem> {
    let (product, file) = rest::open_part(&visit.context, visit.actor.clone(), id, part).await?;
    let context = visit.context.clone();
    off_the_arbiter(move || {
        let reader = context.runtime.reader();
        reader
            .glance(file, product.format, BEGINNING)
            .map_err(Problem::from)
    })
    .await?
}

/// How a run stands, and the beginning of what it gave: its result, else why it failed, else what it printed.
pub async fn glimpse(visit: &Visit, id: JobId, run: &Run) -> Markup {
    let told = [Part::Result, Part::FailureReport, Part::Log]
        .into_iter()
        .find_map(|part| Some((part, run.product(part)?)));
    html! {
        p { a href=(address(id)) { "Run " (short(id)) } " " (data_words(run.data)) " " (status::run(run.state)) }
        @match told {
            Some((of, product)) => {
                h3 { (part_words(of)) }
                (part(visit, id, of, product).await)
            },
            None if run.state.is_over() => p.soft { "It left nothing behind." },
            None => p.soft role="status" { "It is under way. This page looks again by itself, or " a href=(visit.address) { "load it again" } "." },
        }
    }
}
