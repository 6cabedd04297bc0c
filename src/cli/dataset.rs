//! `poundlock dataset`: the catalogue.

pub(super) mod archive;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::part;
use super::failure::Failure;
use super::filters::query;
use super::{Session, names, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a dataset; assets are added to it
    Create(Create),
    /// Make a dataset of an archive, with all of its assets
    Import(archive::Import),
    /// Give the assets of a dataset the mocks in an archive
    Mocks(archive::Mocks),
    /// List the datasets that you may see
    List(List),
    /// Search names, tags and texts
    Search {
        /// Words that all stand somewhere in its name, its tags or its texts
        #[arg(required = true)]
        word: Vec<String>,
        #[command(flatten)]
        list: List,
    },
    /// Show a dataset and its assets
    Show {
        /// Its id or name
        dataset: String,
    },
    /// Say who may know of a dataset, its assets and their mocks
    Visible {
        /// Its id or name
        dataset: String,
        #[command(flatten)]
        to: SeenBy,
    },
    /// Say who may have the mocks of a dataset
    MockAccess {
        /// Its id or name
        dataset: String,
        /// Whom they go to
        to: Mocks,
    },
    /// Hide a dataset; private data, decisions and jobs stay
    Delete {
        /// Its id or name
        dataset: String,
    },
    /// Let a low node have a dataset's description and mocks; on the high side
    Publish {
        /// Its id or name
        dataset: String,
        /// The peer: its id or name
        peer: String,
    },
    /// Keep further changes of a dataset from a low node; what it has, it has
    Unpublish {
        /// Its id or name
        dataset: String,
        /// The peer: its id or name
        peer: String,
    },
    /// Make a dataset of the low side this node's own, or assets added there since, to attach private data; on the high side
    Adopt {
        /// Its id or name
        dataset: String,
    },
}

/// Who may have the mocks of a dataset, of those who may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mocks {
    /// Everybody
    #[value(alias = "with_dataset")]
    WithDataset,
    /// Those who upload or triage, and whom a request to see the mock was granted
    #[value(alias = "on_request")]
    OnRequest,
}

impl Mocks {
    /// Its name in the REST contract.
    fn word(self) -> &'static str {
        match self {
            Self::WithDataset => "with_dataset",
            Self::OnRequest => "on_request",
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name; no other dataset has it
    #[arg(long)]
    name: String,
    /// What it is about
    #[arg(long, default_value = "")]
    description: String,
    /// How to cite it
    #[arg(long, default_value = "")]
    citation: String,
    /// Where more is written about it
    #[arg(long, default_value = "")]
    url: String,
    /// Who contributed, and as what
    #[arg(long, value_name = "ROLE,NAME,EMAIL", value_parser = contributor)]
    contributor: Vec<Value>,
    /// A tag
    #[arg(long)]
    tag: Vec<String>,
    /// Who may have its mocks
    #[arg(long, default_value = "with-dataset")]
    mocks: Mocks,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct SeenBy {
    /// Everybody, also guests where the node lets them in
    #[arg(long)]
    everybody: bool,
    /// Whoever is signed in
    #[arg(long)]
    signed_in: bool,
    /// The members of this group, and of any other that is named
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
}

impl SeenBy {
    fn value(&self) -> Value {
        match (self.everybody, self.signed_in) {
            (true, _) => "everybody".into(),
            (_, true) => "signed_in".into(),
            _ => json!({"groups": self.group}),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those with this tag
    #[arg(long)]
    tag: Option<String>,
    /// The whole list, not its first page
    #[arg(long)]
    all: bool,
}

/// `role,name,email`: the role ends at the first comma, the address begins after the last.
fn contributor(text: &str) -> Result<Value, String> {
    let shape = "write it as ROLE,NAME,EMAIL";
    let (role, rest) = text.split_once(',').ok_or(shape)?;
    let (name, email) = rest.rsplit_once(',').ok_or(shape)?;
    Ok(json!({"role": role.trim(), "name": name.trim(), "email": email.trim()}))
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Create(create) => {
            let body = json!({
                "name": create.name, "description": create.description, "citation": create.citation,
                "url": create.url, "contributors": create.contributor, "tags": create.tag,
                "mocks": create.mocks.word(),
            });
            session.out.show(&client.post("/datasets", &body)?, facts)
        }
        Verb::Import(wanted) => archive::import(session, wanted),
        Verb::Mocks(wanted) => archive::mocks(session, wanted),
        Verb::List(list) => listed(session, None, list),
        Verb::Search { word, list } => listed(session, Some(&word.join(" ")), list),
        Verb::Show { dataset } => session.out.show(&client.get(&path(session, dataset)?)?, facts),
        Verb::Visible { dataset, to } => {
            let body = json!({"visibility": to.value()});
            session
                .out
                .show(&client.patch(&path(session, dataset)?, &body)?, facts)
        }
        Verb::MockAccess { dataset, to } => {
            let changed = client.patch(&path(session, dataset)?, &json!({"mocks": to.word()}))?;
            session.out.show(&changed, facts)
        }
        Verb::Delete { dataset } => {
            let path = path(session, dataset)?;
            // Once it is deleted, nothing lists them any more.
            let held = holding_private_data(&client.list(&format!("{path}/assets"), true)?);
            client.delete(&path)?;
            let ids: Vec<_> = held.iter().map(|(id, _)| id).collect();
            let deleted = json!({"deleted": dataset, "private_data_stays": ids});
            said(session, &deleted, &what_stays(&held))
        }
        Verb::Publish { dataset, peer } => {
            let peer = names::peer(client, peer)?;
            let path = format!("{}/publications", path(session, dataset)?);
            client.post(&path, &json!({ "peer": peer }))?;
            said(
                session,
                &json!({"dataset": dataset, "published_to": peer}),
                "Published; the next bundle carries it, unless it is held.",
            )
        }
        Verb::Unpublish { dataset, peer } => {
            let peer = names::peer(client, peer)?;
            client.delete(&format!(
                "{}/publications/{}",
                path(session, dataset)?,
                part(&peer)
            ))?;
            said(
                session,
                &json!({"dataset": dataset, "unpublished_from": peer}),
                "No longer published; nothing further of it goes there.",
            )
        }
        Verb::Adopt { dataset } => {
            let adopted = client.act(&format!("{}/adoption", path(session, dataset)?))?;
            session.out.show(&adopted, facts)
        }
    }
}

/// The assets of a list that have private data attached, by id and name.
fn holding_private_data(assets: &Value) -> Vec<(String, String)> {
    let items = assets["items"].as_array().into_iter().flatten();
    items
        .filter(|asset| asset["private"].is_object())
        .map(|asset| (print::field(asset, "id"), print::field(asset, "name")))
        .collect()
}

/// That a dataset was deleted, and how what stays of it is removed.
fn what_stays(held: &[(String, String)]) -> String {
    let mut said = "Deleted.".to_owned();
    if !held.is_empty() {
        said.push_str(" The private data of its assets stays on this node until it is removed:");
        for (id, name) in held {
            said.push_str(&format!("\n  poundlock asset private {id} --remove    # {name}"));
        }
    }
    said
}

fn said(session: &Session, value: &Value, words: &str) -> Result<(), Failure> {
    session.out.show(value, |_| words.to_owned())
}

fn path(session: &Session, dataset: &str) -> Result<String, Failure> {
    let id = names::dataset(&session.client, dataset)?;
    Ok(format!("/datasets/{}", part(&id)))
}

fn listed(session: &Session, search: Option<&str>, list: &List) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    wanted.extend(search.map(|text| ("search", text.to_owned())));
    wanted.extend(list.tag.clone().map(|tag| ("tag", tag)));
    let path = format!("/datasets{}", query(&wanted));
    session.out.show(&session.client.list(&path, list.all)?, |found| {
        let columns = [
            ("ID", "id"),
            ("NAME", "name"),
            ("TAGS", "tags"),
            ("DESCRIPTION", "description"),
        ];
        print::listing(found, &columns)
    })
}

fn facts(dataset: &Value) -> String {
    let names = [
        "id",
        "name",
        "description",
        "citation",
        "url",
        "tags",
        "home",
        "created_at",
    ];
    let mut facts = names.map(|name| (name, print::field(dataset, name))).to_vec();
    let seen_by = match &dataset["visibility"] {
        Value::Object(groups) => groups.get("groups").map(print::of).unwrap_or_default(),
        other => print::of(other),
    };
    facts.push(("visible to", seen_by));
    facts.push(("mocks", print::field(dataset, "mocks").replace('_', " ")));
    if dataset["deleted"] == true {
        facts.push(("deleted", "yes".to_owned()));
    }
    for contributor in dataset["contributors"].as_array().into_iter().flatten() {
        let line = format!(
            "{} <{}>, {}",
            print::field(contributor, "name"),
            print::field(contributor, "email"),
            print::field(contributor, "role")
        );
        facts.push(("contributor", line));
    }
    let mut text = print::facts(&facts);
    if let Some(assets) = dataset["assets"].as_array() {
        let rows: Vec<_> = assets
            .iter()
            .map(|asset| {
                vec![
                    print::field(asset, "id"),
                    print::field(asset, "name"),
                    super::asset::mock_in_short(asset),
                ]
            })
            .collect();
        text.push_str(&format!(
            "\n\n{}",
            print::table(&["ASSET", "NAME", "MOCK"], &rows)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contributor_may_have_a_comma_in_the_name() {
        let parsed = contributor("curator, Lovelace, Ada ,ada@x.y").unwrap();
        assert_eq!(
            parsed,
            json!({"role": "curator", "name": "Lovelace, Ada", "email": "ada@x.y"})
        );
        assert!(contributor("curator").is_err());
        assert!(contributor("curator,Ada").is_err());
    }
}
