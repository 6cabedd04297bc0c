//! Making, changing and deleting a dataset's description.

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::address;
use crate::acts::{Refusal, datasets, visible};
use crate::domain::access::{Permission, Viewer};
use crate::domain::dataset::{Dataset, DatasetDraft, MockAccess, Visibility};
use crate::domain::id::DatasetId;
use crate::domain::text::Invalid;
use crate::pages::piece::text::reveal;
use crate::pages::{Answer, Confirm, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/datasets/new", show_new);
    site.post("/datasets/new", create);
    site.get("/datasets/{id}/change", show_change);
    site.post("/datasets/{id}/change", change);
    site.get("/datasets/{id}/deletion", confirm_deletion);
    site.post("/datasets/{id}/deletion", delete);
}

pub(super) const SEEN_BY: [(&str, &str); 3] = [
    ("signed_in", "Whoever is signed in"),
    ("everybody", "Everybody, also guests where the node lets them in"),
    ("groups", "The groups below"),
];
const MOCKS: [(&str, &str); 2] = [
    ("with_dataset", "Whoever may know of the dataset"),
    ("on_request", "Whoever asks and is granted it"),
];

pub(super) fn may(visit: &Visit) -> Result<(), Problem> {
    Ok(visit
        .actor
        .require(Permission::UploadData)
        .map_err(Refusal::from)?)
}

async fn show_new(visit: Visit) -> Answer {
    may(&visit)?;
    Ok(new(&visit, &Filled::default()))
}

fn new(visit: &Visit, filled: &Filled) -> HttpResponse {
    visit
        .page("Make a dataset")
        .trail([("Datasets", "/datasets")])
        .status(filled.status())
        .body(html! {
            p.lead { "A dataset is described here, and its assets are added to it afterwards. The description is for scientists to read: nothing private belongs into it." }
            (filled.summary())
            div.card.narrow {
                (visit.form("/datasets/new", html! {
                    (described(filled))
                    div.actions { button.primary { "Make the dataset" } a.button href="/datasets" { "Cancel" } }
                }))
            }
        })
}

/// The fields of a description.
fn described(filled: &Filled) -> Markup {
    let contributors = Field::new("contributors", "Contributors")
        .hint("One a line: what they did, their name, their e-mail address, with commas between.")
        .optional();
    let groups = Field::new("groups", "Groups")
        .hint("Their names, with commas between, as they are called where the scientists are.")
        .optional();
    html! {
        (filled.input(&Field::new("name", "Name")))
        (filled.area(&Field::new("description", "Description").hint("What the data is, how it was made, and what it is good for.").optional(), 6))
        (filled.area(&Field::new("citation", "How to cite it").optional(), 2))
        (filled.input(&Field::new("url", "Read more").kind("url").optional()))
        (filled.input(&Field::new("tags", "Tags").hint("Words to find it by, with commas between.").optional()))
        (filled.area(&contributors, 3))
        (filled.choice(&Field::new("visibility", "Who may know of it"), SEEN_BY))
        (filled.input(&groups))
        (filled.choice(&Field::new("mocks", "Who may have its mocks"), MOCKS))
    }
}

fn parts<'a>(text: &'a str, at: &'a str) -> impl Iterator<Item = String> + 'a {
    text.split(|c| at.contains(c))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
}

/// Who may know of a dataset, as was chosen.
pub(super) fn visibility(fields: &Fields) -> Visibility {
    match fields.get("visibility") {
        "everybody" => Visibility::Everybody,
        "groups" => Visibility::Groups(parts(fields.get("groups"), ",\n").collect()),
        _ => Visibility::SignedIn,
    }
}

/// What was filled in, as far as a form decides; the rest is the dataset's own to judge.
fn draft(fields: &Fields) -> Result<DatasetDraft, Problem> {
    let mut contributors = Vec::new();
    for line in fields
        .get("contributors")
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        let parts: Vec<_> = line.split(',').map(str::trim).collect();
        let [role, name, email] = parts[..] else {
            let problem = format!("has a line that is no role, name and e-mail address: {line:?}");
            return Err(Invalid::new("contributors", problem).into());
        };
        contributors.push((role.to_owned(), name.to_owned(), email.to_owned()));
    }
    let text = |name: &str| fields.get(name).to_owned();
    Ok(DatasetDraft {
        name: text("name"),
        description: text("description"),
        citation: text("citation"),
        url: fields.get("url").trim().to_owned(),
        contributors,
        tags: parts(fields.get("tags"), ",\n").collect(),
        visibility: visibility(fields),
        mocks: match fields.get("mocks") {
            "on_request" => MockAccess::OnRequest,
            _ => MockAccess::WithDataset,
        },
    })
}

/// A refusal of one contributor or tag stands beside the field that holds them all.
fn beside_the_field(problem: Problem) -> Problem {
    let first = problem.errors().first().and_then(|wrong| {
        let (field, rest) = wrong.field.split_once('[')?;
        let (at, _) = rest.split_once(']')?;
        let number = at.parse::<usize>().ok()? + 1;
        Some(Invalid::new(field, format!("number {number}: {}", wrong.problem)))
    });
    first.map_or(problem, Problem::from)
}

fn as_filled(dataset: &Dataset) -> Filled {
    let contributors: Vec<_> = dataset
        .contributors
        .iter()
        .map(|one| format!("{}, {}, {}", one.role, one.name, one.email))
        .collect();
    let (visibility, groups) = match &dataset.visibility {
        Visibility::Everybody => ("everybody", String::new()),
        Visibility::SignedIn => ("signed_in", String::new()),
        Visibility::Groups(groups) => ("groups", groups.join(", ")),
    };
    let mocks = match dataset.mocks {
        MockAccess::WithDataset => "with_dataset",
        MockAccess::OnRequest => "on_request",
    };
    Filled::with([
        ("name", dataset.name.clone()),
        ("description", dataset.description.clone()),
        ("citation", dataset.citation.clone()),
        ("url", dataset.url.clone()),
        ("tags", dataset.tags.join(", ")),
        ("contributors", contributors.join("\n")),
        ("visibility", visibility.to_owned()),
        ("groups", groups),
        ("mocks", mocks.to_owned()),
    ])
}

async fn create(form: Form) -> Answer {
    may(&form)?;
    match created(&form).await {
        Ok(id) => Ok(form.go_and_say(
            &address(id),
            &Notice::done("The dataset is made. Add its assets."),
        )),
        Err(problem) => Ok(new(
            &form,
            &Filled::refused(&form.fields, beside_the_field(problem))?,
        )),
    }
}

async fn created(form: &Form) -> Result<DatasetId, Problem> {
    let (actor, draft) = (form.actor.clone(), draft(&form.fields)?);
    let id = DatasetId(form.context.new_id());
    form.context
        .store
        .act(move |tx, here| datasets::create(tx, &actor, here, id, &draft))
        .await?;
    Ok(id)
}

async fn find(visit: &Visit, id: DatasetId) -> Result<Dataset, Problem> {
    may(visit)?;
    let viewer = Viewer::Person(visit.actor.clone());
    visit
        .read(move |view| Ok(visible::dataset(view, &viewer, id)?.body))
        .await
}

async fn show_change(visit: Visit, id: Path<Uuid>) -> Answer {
    page(&visit, DatasetId(*id), None).await
}

async fn page(visit: &Visit, id: DatasetId, refused: Option<Filled>) -> Answer {
    let (dataset, at) = (find(visit, id).await?, address(id));
    let filled = refused.unwrap_or_else(|| as_filled(&dataset));
    Ok(visit
        .page("Change the dataset")
        .trail([("Datasets", "/datasets"), (dataset.name.as_str(), at.as_str())])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            div.card.narrow {
                (visit.form(&format!("{at}/change"), html! {
                    (described(&filled))
                    div.actions { button.primary { "Save" } a.button href=(at) { "Cancel" } a.button.danger href=(format!("{at}/deletion")) { "Delete the dataset" } }
                }))
            }
        }))
}

async fn change(form: Form, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    match changed(&form, id).await {
        Ok(()) => Ok(form.go_and_say(&address(id), &Notice::done("The dataset is changed."))),
        Err(problem) => {
            let filled = Filled::refused(&form.fields, beside_the_field(problem))?;
            page(&form, id, Some(filled)).await
        }
    }
}

async fn changed(form: &Form, id: DatasetId) -> Result<(), Problem> {
    let (actor, draft) = (form.actor.clone(), draft(&form.fields)?);
    let viewer = Viewer::Person(actor.clone());
    form.context
        .store
        .act(move |tx, here| {
            visible::dataset(tx, &viewer, id)?;
            datasets::change(tx, &actor, here, id, &draft)
        })
        .await?;
    Ok(())
}

async fn confirm_deletion(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    let dataset = find(&visit, id).await?;
    Ok(Confirm {
        title: "Delete this dataset?",
        explained: html! {
            p { strong { (reveal(&dataset.name)) } }
            p { "It and its assets are hidden, here and where they are published. Requests, decisions, runs and what was released stay, and so does private data: what must not be kept is removed on its asset's page first." }
        },
        action: &format!("{}/deletion", address(id)),
        hidden: &[],
        button: "Delete the dataset",
        dangerous: true,
        back: &address(id),
    }
    .page(&visit))
}

async fn delete(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), DatasetId(*id));
    form.context
        .store
        .act(move |tx, here| datasets::delete(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say("/datasets", &Notice::done("The dataset is deleted.")))
}
