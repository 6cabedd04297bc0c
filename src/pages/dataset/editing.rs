//! Making, changing and deleting a dataset's description.

use actix_web::HttpResponse;
use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::address;
use crate::acts::{Refusal, datasets, visible};
use crate::domain::access::{Permission, Viewer};
use crate::domain::dataset::{Contributor, Dataset, DatasetDraft, MockAccess, Visibility};
use crate::domain::id::DatasetId;
use crate::domain::text::Invalid;
use crate::pages::piece::text::reveal;
use crate::pages::was::{State, Was, was};
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
    let tags = Field::new("tags", "Tags")
        .hint("Words to find it by, one a line.")
        .optional();
    html! {
        (filled.input(&Field::new("name", "Name")))
        (filled.area(&Field::new("description", "Description").hint("What the data is, how it was made, and what it is good for.").optional(), 6))
        (filled.area(&Field::new("citation", "How to cite it").optional(), 2))
        (filled.input(&Field::new("url", "Read more").kind("url").optional()))
        (filled.area(&tags, 3))
        (filled.area(&contributors, 3))
        (filled.choice(&Field::new("visibility", "Who may know of it"), SEEN_BY))
        (groups(filled))
        (filled.choice(&Field::new("mocks", "Who may have its mocks"), MOCKS))
    }
}

/// The groups that may know of a dataset, where it is for some only.
pub(super) fn groups(filled: &Filled) -> Markup {
    let groups = Field::new("groups", "Groups")
        .hint("Their names, one a line, as they are called where the scientists are.")
        .optional();
    filled.area(&groups, 3)
}

/// What stands in a field, one a line. Names may hold commas: a name that came apart would be that of another group.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn owned_lines(text: &str) -> Vec<String> {
    lines(text).map(str::to_owned).collect()
}

/// Who may know of a dataset, as was chosen. Groups that are named beside another choice, and the choice of groups without one, are no
/// answer: each reading of them would open the dataset to others than were meant, or to nobody.
pub(super) fn visibility(fields: &Fields) -> Result<Visibility, Invalid> {
    let groups = owned_lines(fields.get("groups"));
    let wrong = |problem| Err(Invalid::new("groups", problem));
    match fields.get("visibility") {
        "groups" if groups.is_empty() => wrong("must name at least one group, or choose somebody else above"),
        "groups" => Ok(Visibility::Groups(groups)),
        _ if !groups.is_empty() => wrong(
            "names groups, but others were chosen above: choose \"The groups below\", or leave this empty",
        ),
        "everybody" => Ok(Visibility::Everybody),
        _ => Ok(Visibility::SignedIn),
    }
}

/// A contributor as a line of the form.
fn as_line(one: &Contributor) -> String {
    format!("{}, {}, {}", one.role, one.name, one.email)
}

/// The contributor that a line names. One that stands as it was shown is the one of `before` that was shown so, whose role may
/// hold a comma; else the first comma ends the role and the last one the name, as in "author, Doe, Jane, jane@example.org".
fn contributor(line: &str, before: &[Contributor]) -> Result<(String, String, String), Problem> {
    if let Some(same) = before.iter().find(|one| as_line(one) == line) {
        return Ok((same.role.clone(), same.name.clone(), same.email.to_string()));
    }
    let parts = line
        .split_once(',')
        .and_then(|(role, rest)| Some((role, rest.rsplit_once(',')?)));
    let Some((role, (name, email))) = parts else {
        let problem = format!("has a line that is no role, name and e-mail address: {line:?}");
        return Err(Invalid::new("contributors", problem).into());
    };
    let part = |part: &str| part.trim().to_owned();
    Ok((part(role), part(name), part(email)))
}

/// What was filled in, as far as a form decides; the rest is the dataset's own to judge. `before` are the contributors that it
/// has.
fn draft(fields: &Fields, before: &[Contributor]) -> Result<DatasetDraft, Problem> {
    let contributors = lines(fields.get("contributors")).map(|line| contributor(line, before));
    let contributors = contributors.collect::<Result<_, _>>()?;
    let text = |name: &str| fields.get(name).to_owned();
    Ok(DatasetDraft {
        name: text("name"),
        description: text("description"),
        citation: text("citation"),
        url: fields.get("url").trim().to_owned(),
        contributors,
        tags: owned_lines(fields.get("tags")),
        visibility: visibility(fields)?,
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
    let contributors: Vec<_> = dataset.contributors.iter().map(as_line).collect();
    let (visibility, groups) = match &dataset.visibility {
        Visibility::Everybody => ("everybody", String::new()),
        Visibility::SignedIn => ("signed_in", String::new()),
        Visibility::Groups(groups) => ("groups", groups.join("\n")),
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
        ("tags", dataset.tags.join("\n")),
        ("contributors", contributors.join("\n")),
        ("visibility", visibility.to_owned()),
        ("groups", groups),
        ("mocks", mocks.to_owned()),
    ])
}

/// A description by the names that its form gives its parts.
fn state(dataset: &Dataset) -> State {
    let filled = as_filled(dataset);
    let part = |(name, label): (&str, &'static str)| (label, filled.fields().get(name).to_owned());
    let parts = [
        ("name", "Name"),
        ("description", "Description"),
        ("citation", "How to cite it"),
        ("url", "Read more"),
        ("tags", "Tags"),
        ("contributors", "Contributors"),
        ("visibility", "Who may know of it"),
        ("groups", "Groups"),
        ("mocks", "Who may have its mocks"),
    ];
    parts.into_iter().map(part).collect()
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
    let (actor, draft) = (form.actor.clone(), draft(&form.fields, &[])?);
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
                    (was(&filled, &state(&dataset)))
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
    let before = find(form, id).await?;
    let (actor, draft) = (form.actor.clone(), draft(&form.fields, &before.contributors)?);
    let (viewer, was) = (Viewer::Person(actor.clone()), Was::of(&form.fields));
    form.context
        .store
        .act(move |tx, here| {
            was.still_is(&state(&visible::dataset(tx, &viewer, id)?.body))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A dataset for these groups, with what else may hold a comma.
    fn dataset(groups: &[&str]) -> Dataset {
        let contributor = |role: &str, name: &str, email: &str| (role.into(), name.into(), email.into());
        Dataset::new(&DatasetDraft {
            name: "Pima".into(),
            tags: vec!["lungs, both".into(), "health".into()],
            contributors: vec![
                contributor("author", "Doe, Jane", "jane@example.org"),
                contributor("author, curator", "Ada", "ada@example.org"),
            ],
            visibility: Visibility::Groups(groups.iter().map(|name| (*name).to_owned()).collect()),
            ..DatasetDraft::default()
        })
        .unwrap()
    }

    #[test]
    fn what_a_form_shows_of_a_dataset_it_saves() {
        let before = dataset(&["Oncology, Leeds", "Eyes"]);
        let filled = as_filled(&before);
        let after = Dataset::new(&draft(filled.fields(), &before.contributors).unwrap()).unwrap();
        assert_eq!(
            after, before,
            "a group with a comma in its name is no two groups, of which one may be there"
        );
    }

    #[test]
    fn groups_beside_another_choice_are_no_answer() {
        let chosen =
            |who: &str, groups: &str| visibility(&Fields::of([("visibility", who), ("groups", groups)]));
        assert_eq!(chosen("signed_in", " \n").unwrap(), Visibility::SignedIn);
        assert_eq!(
            chosen("groups", "Eyes").unwrap(),
            Visibility::Groups(vec!["Eyes".into()])
        );
        for (who, groups) in [("signed_in", "Eyes"), ("everybody", "Eyes"), ("groups", " ")] {
            assert_eq!(chosen(who, groups).unwrap_err().field, "groups", "{who}");
        }
    }

    #[test]
    fn a_line_is_a_contributor_also_with_commas_in_the_name() {
        let read = |line: &str| contributor(line, &[]);
        let jane = ("author".into(), "Doe, Jane".into(), "jane@example.org".into());
        assert_eq!(read("author,Doe, Jane , jane@example.org").unwrap(), jane);
        assert!(read("curator, Ada Archivist").is_err() && read("Ada").is_err());
    }
}
