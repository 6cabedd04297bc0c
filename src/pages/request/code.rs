//! The code of a request: its source, what has changed since the last that was approved, and its policies.

use maud::{Markup, html};

use crate::acts::requests::{Bound, Earlier, Review};
use crate::domain::code::Code;
use crate::domain::policy::OutputPolicy;
use crate::pages::fields::Fields;
use crate::pages::piece::code::{difference, source};
use crate::pages::piece::list::table;
use crate::pages::piece::text::{reveal, revealed};
use crate::pages::piece::time::time;
use crate::pages::reading::Reading;

/// Source or changes, as the address asks, and the policies under them.
pub fn shown(found: &Review, code: &Code, reading: &Reading, query: &Fields, path: &str) -> Markup {
    let changes = query.get("view") == "changes";
    let tab = |view: Option<&str>| query.address(path, "view", view);
    html! {
        section aria-label="Code" {
            h2 { "Code: " (reveal(&code.name)) }
            @if let Some((why, _)) = &found.earlier {
                ul.tabs {
                    li { a href=(tab(None)) aria-current=[(!changes).then_some("page")] { "Source" } }
                    li { a href=(tab(Some("changes"))) aria-current=[changes.then_some("page")] { (match why { Earlier::TakenUp => "Changes since the request that it takes up", Earlier::Approved => "Changes since the last approved" }) } }
                }
            }
            @match &found.earlier {
                Some((why, before)) if changes => {
                    p.soft {
                        "Compared with " (reveal(&before.body.name)) ", "
                        (match why { Earlier::TakenUp => "of the request that this one takes up", Earlier::Approved => "which was approved before" })
                        "; here since " (time(before.object.created_at)) "."
                    }
                    (difference("Changes of the source", &before.body.source, &code.source))
                },
                _ => (source("Source", "line", &code.source, &reading.marked())),
            }
        }
        section aria-label="Policies" {
            h2 { "What it receives" }
            (parameters(&found.parameters))
            div.card {
                p { "It calls " code { (reveal(&code.entry_point)) } ", with exactly the inputs above and no others." }
                p { (output(code.output_policy)) }
            }
        }
    }
}

fn parameters(parameters: &[(String, Bound)]) -> Markup {
    if parameters.is_empty() {
        return html! { p.soft { "Nothing: its entry point has no parameters." } };
    }
    table(
        "What each parameter receives",
        &["Parameter", "Receives"],
        parameters.iter().map(|(name, bound)| {
            vec![
                html! { code { (reveal(name)) } },
                match bound {
                    Bound::Constant(json) => html! { "always " code.exact-inline { (revealed(json)) } },
                    Bound::Asset(id, None) => html! { "an asset that is not on this node, or not for you to know of: " code { (id) } },
                    Bound::Asset(id, Some((asset, dataset))) => html! {
                        "the asset " a href=(format!("/assets/{id}")) { (reveal(asset)) }
                        " of " (reveal(dataset))
                    },
                },
            ]
        }),
    )
}

fn output(policy: OutputPolicy) -> Markup {
    html! {
        @match policy {
            OutputPolicy::SingleExecution => "One successful run on the private data; every later call returns what that run gave.",
            OutputPolicy::ExecuteCount(count) => { "At most " (count) " successful run(s) on the private data." },
        }
    }
}
