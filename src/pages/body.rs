//! What an object holds, as its own kind of thing: a dataset with its schema, code highlighted, a request with its reason.
//! Where something was there before, with what changes.

use std::sync::Arc;

use maud::{Markup, html};
use uuid::Uuid;

use super::piece::code::{difference, source};
use super::piece::facts::facts;
use super::piece::hash;
use super::piece::number::{bytes, count};
use super::piece::schema::schema;
use super::piece::status::{Tone, badge};
use super::piece::text::{prose, reveal, revealed};
use super::piece::time::date;
use super::reading::Reading;
use crate::domain::asset::Asset;
use crate::domain::code::Code;
use crate::domain::dataset::Dataset;
use crate::domain::decision::{Decision, Verdict};
use crate::domain::job;
use crate::domain::object::{Body, Kind};
use crate::domain::policy::{Binding, OutputPolicy};
use crate::domain::project::Project;
use crate::domain::release::Release;
use crate::domain::request::Request;
use crate::domain::user::User;
use crate::pages::piece::icon::Icon;
use crate::sync::batch::Change;
use crate::sync::difference::{self as differing, Attribute};

/// What is known around an object.
#[derive(Debug, Default)]
pub struct Around<'a> {
    /// What was there before.
    pub before: Option<&'a Body>,
    /// What it refers to.
    pub refers: &'a [(Uuid, Kind, String)],
    /// What links to its lines begin with, if it is code.
    pub anchor: String,
    /// What is pointed out in it, if it is code.
    pub reading: Option<Arc<Reading>>,
    /// For code: what was approved before of the same author, by name and source.
    pub approved: Option<(String, String)>,
}

impl Around<'_> {
    /// How people know something that is referred to.
    fn title(&self, id: Uuid) -> Markup {
        match self.refers.iter().find(|(known, _, _)| *known == id) {
            Some((_, _, title)) => reveal(title),
            None => html! { span.none { "not known here: " } code { (id) } },
        }
    }
}

/// An object.
pub fn shown(body: &Body, around: &Around<'_>) -> Markup {
    html! {
        (changes(body, around))
        @match body {
            Body::User(user) => (person(user)),
            Body::Project(project) => (frame(project, around)),
            Body::Code(code) => (submitted(code, around)),
            Body::Request(request) => (asked(request, around)),
            Body::Decision(decision) => (decided(decision, around)),
            Body::Dataset(dataset) => (described(dataset)),
            Body::Asset(asset) => (held(asset)),
            Body::Job(job) => (facts([("Ran on", date(job.on)), ("It", html! { @match job.verdict { job::Verdict::Succeeded => "returned a result", job::Verdict::Failed => "failed" } })])),
            Body::Release(release) => (left(release)),
        }
    }
}

/// The word for a kind of object, as the start of a heading.
pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Person",
        Kind::Project => "Project",
        Kind::Code => "Code",
        Kind::Request => "Request",
        Kind::Decision => "Decision",
        Kind::Dataset => "Dataset",
        Kind::Asset => "Asset",
        Kind::Job => "Run",
        Kind::Release => "Release",
    }
}

/// What a change is to this node.
pub fn change(change: Change, deleted: bool) -> Markup {
    match change {
        _ if deleted => badge(Tone::Warning, Icon::No, "removed"),
        Change::New => badge(Tone::Good, Icon::In, "new"),
        Change::Modified => badge(Tone::Waiting, Icon::Running, "modified"),
        Change::Same => badge(Tone::Plain, Icon::Done, "same"),
        Change::Returned => badge(Tone::Good, Icon::In, "given back"),
        Change::Forked => badge(Tone::Bad, Icon::Warning, "forked"),
    }
}

/// What differs from what was there: every attribute but source, which is compared line by line further down.
fn changes(body: &Body, around: &Around<'_>) -> Markup {
    let Some(before) = around.before else {
        return html! {};
    };
    let differs = differing::difference(Some(before), body, true);
    if differs.is_empty() {
        return html! {};
    }
    let row = |attribute: &Attribute| {
        vec![
            html! { (attribute.name.replace('_', " ")) },
            html! { (revealed(&plain(&attribute.before))) },
            html! { (revealed(&plain(&attribute.after))) },
        ]
    };
    html! {
        h3 { "What changes" }
        (super::piece::list::table("What changes", &["What", "Is here", "Would be"], differs.iter().map(row)))
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn person(user: &User) -> Markup {
    facts([
        ("Name", reveal(&user.name)),
        ("E-mail address", html! { (user.email) }),
        ("Institution", reveal(&user.institution)),
        ("Website", reveal(&user.website)),
    ])
}

fn frame(project: &Project, around: &Around<'_>) -> Markup {
    html! {
        (prose(&project.description))
        (facts([
            ("Name", reveal(&project.name)),
            ("Members", html! { @for (at, member) in project.members.iter().enumerate() { @if at > 0 { ", " } (around.title(member.0)) } }),
            ("Started", html! { (if project.started { "yes" } else { "not yet" }) }),
        ]))
    }
}

fn submitted(code: &Code, around: &Around<'_>) -> Markup {
    let marked = around
        .reading
        .as_ref()
        .map(|reading| reading.marked())
        .unwrap_or_default();
    html! {
        @if let Some((name, before)) = &around.approved {
            h3 { "Changes since the last approved: " (reveal(name)) }
            (difference("Changes of the source", before, &code.source))
        }
        h3 { "Source" }
        (source("Source", &around.anchor, &code.source, &marked))
        (facts([
            ("Entry point", html! { code { (reveal(&code.entry_point)) } }),
            ("Receives", html! {
                ul.plain {
                    @for (name, binding) in &code.input_policy.parameters {
                        li { code { (reveal(name)) } ": "
                            @match binding {
                                Binding::Asset(asset) => { "the asset " (around.title(asset.0)) },
                                Binding::Constant(json) => { "always " code { (revealed(json)) } },
                            }
                        }
                    }
                }
            }),
            ("May run", html! { @match code.output_policy { OutputPolicy::SingleExecution => "once", OutputPolicy::ExecuteCount(most) => { "at most " (most) " times" } } }),
            ("Hash", hash::whole(&code.hash)),
        ]))
        @if let Some(reading) = &around.reading {
            h3 { "Pointed out in it" }
            (reading.shown(&around.anchor))
        }
    }
}

fn asked(request: &Request, around: &Around<'_>) -> Markup {
    html! {
        (prose(&request.reason))
        (facts([
            ("From", around.title(request.requester.0)),
            ("Project", html! { @if let Some(project) = request.project() { (around.title(project.0)) } }),
            ("Code", html! { @if let Some(code) = request.code() { (around.title(code.0)) } }),
            ("Asks to see", html! { @if let Some(sight) = request.sight() { (super::request::sight_words(sight.kind())) ": " (around.title(sight.object())) } }),
            ("Runs asked for", html! { @if let Some(wanted) = request.runs_wanted() { (wanted) } }),
            ("Taken back", html! { (if request.withdrawn { "yes" } else { "no" }) }),
            ("Takes up again", html! { @if let Some(earlier) = request.predecessor { (around.title(earlier.0)) } }),
        ]))
    }
}

fn decided(decision: &Decision, around: &Around<'_>) -> Markup {
    let verdict = match &decision.verdict {
        Verdict::Approve => html! { (badge(Tone::Good, Icon::Done, "approved")) },
        Verdict::Deny { reason } => html! { (badge(Tone::Bad, Icon::No, "denied")) " " (reveal(reason)) },
    };
    facts([
        ("Request", around.title(decision.request.0)),
        ("Verdict", verdict),
        ("By", reveal(&decision.by_name)),
        ("On", date(decision.on)),
    ])
}

fn described(dataset: &Dataset) -> Markup {
    html! {
        (prose(&dataset.description))
        (facts([
            ("Name", reveal(&dataset.name)),
            ("How to cite it", reveal(&dataset.citation)),
            ("Read more", reveal(&dataset.url)),
            ("Tags", html! { @for (at, tag) in dataset.tags.iter().enumerate() { @if at > 0 { ", " } (reveal(tag)) } }),
            ("Contributors", html! { @for (at, one) in dataset.contributors.iter().enumerate() { @if at > 0 { "; " } (reveal(&one.name)) " (" (reveal(&one.role)) ", " (one.email) ")" } }),
        ]))
    }
}

fn held(asset: &Asset) -> Markup {
    html! {
        (prose(&asset.description))
        @match &asset.mock {
            None => p.soft { "It has no mock." },
            Some(mock) => {
                p.soft { "A mock of " (bytes(mock.length)) " as " (mock.format.extension()) @if mock.is_real { ", which is the real data" } "." }
                (schema(&mock.schema))
            },
        }
    }
}

fn left(release: &Release) -> Markup {
    facts([
        ("What", html! { (super::request::part_words(release.part)) }),
        ("Released by", reveal(&release.by_name)),
        ("On", date(release.on)),
        (
            "Size",
            html! { (bytes(release.length)) ", " (release.format.extension()) },
        ),
        ("Hash", hash::whole(&release.blob)),
    ])
}

/// How many objects of which kinds there are.
pub fn kinds(members: impl Iterator<Item = Kind>) -> String {
    let mut counted = std::collections::BTreeMap::new();
    for member in members {
        *counted.entry(member).or_insert(0_usize) += 1;
    }
    let words: Vec<_> = counted
        .into_iter()
        .map(|(kind, number)| match kind {
            Kind::Code => "code".to_owned(),
            Kind::User if number != 1 => format!("{number} people"),
            Kind::User => "1 person".to_owned(),
            kind => count(number, kind.word()),
        })
        .collect();
    words.join(", ")
}
