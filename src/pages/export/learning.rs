//! In plain words: what the other side will learn by a bundle that it does not know now.

use maud::{Markup, html};

use crate::domain::decision::Verdict;
use crate::domain::job;
use crate::domain::object::Body;
use crate::pages::piece::number::bytes;
use crate::pages::piece::text::reveal;
use crate::pages::piece::time::date;
use crate::pages::request::part_words;

/// What an object tells, as far as it was not told before. `request` is the title of the request that it belongs to.
///
/// `shared` is how many rows of an asset's mock stand in its private data.
pub fn told(before: Option<&Body>, after: &Body, request: Option<&str>, shared: u64) -> Markup {
    let of = html! { @if let Some(request) = request { " for “" (reveal(request)) "”" } };
    let again = before.is_some();
    match after {
        Body::User(user) if again => html! { "what has changed of the person " (reveal(&user.name)) },
        Body::User(user) => {
            html! { "that there is a person " (reveal(&user.name)) ", with e-mail address and institution" }
        }
        Body::Project(project) if again => {
            html! { "what has changed of the project " (reveal(&project.name)) }
        }
        Body::Project(project) => {
            html! { "the project " (reveal(&project.name)) ", with its description and members" }
        }
        Body::Code(code) => html! { "the code " (reveal(&code.name)) ", with its source and policies" },
        Body::Request(_) if again => html! { "what has changed of a request" (of) },
        Body::Request(request) => {
            html! { "a request, with its reason: “" (reveal(request.reason.lines().next().unwrap_or_default())) "”" }
        }
        Body::Decision(decision) => html! {
            "that " (reveal(&decision.by_name)) " has "
            @match &decision.verdict {
                Verdict::Approve => "approved",
                Verdict::Deny { reason } => { "denied, because: “" (reveal(reason)) "”," },
            }
            " on " (date(decision.on)) (of)
        },
        Body::Dataset(dataset) if again => {
            html! { "what has changed in the description of the dataset " (reveal(&dataset.name)) }
        }
        Body::Dataset(dataset) => {
            html! { "that there is a dataset " (reveal(&dataset.name)) ", with its description" }
        }
        Body::Asset(asset) => html! {
            @if again { "what has changed of" } @else { "that there is" } " an asset " (reveal(&asset.name))
            @match &asset.mock {
                Some(mock) if mock.is_real => ", with its real data, released as its mock",
                Some(_) => ", with its mock and the names and types of its columns",
                None => ", without a mock",
            }
            @if shared > 0 { ", of which " strong { (shared) " " (if shared == 1 { "row stands" } else { "rows stand" }) " in the private data too" } }
        },
        Body::Job(ran) => html! {
            "that code ran" (of) " on " (date(ran.on)) ", and that it "
            (match ran.verdict { job::Verdict::Succeeded => "returned a result", job::Verdict::Failed => "failed" })
            "; not what it returned"
        },
        Body::Release(release) => html! {
            "the " (part_words(release.part).to_lowercase()) (of) ", released by " (reveal(&release.by_name)) ": "
            (bytes(release.length)) " as " (release.format.extension())
        },
    }
}

/// What a low node is told of what it made itself and has forgotten.
pub fn given_back(body: &Body) -> Markup {
    html! {
        "what was its own, and it has forgotten since its store was set back: the "
        (body.kind().word().replace('_', " ")) " “" (reveal(&body.title())) "”, as it came from there"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::project::Project;

    #[test]
    fn what_goes_back_is_called_the_others_own() {
        let project = Project::new("Heights", "", UserId(uuid::Uuid::nil()), &[]).unwrap();
        let said = given_back(&Body::Project(project)).into_string();
        assert!(
            said.starts_with("what was its own") && said.contains("the project “<bdi>Heights</bdi>”"),
            "{said}"
        );
    }
}
