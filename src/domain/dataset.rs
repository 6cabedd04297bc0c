//! Datasets: named sets of assets, as the catalogue shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::text::{self, Invalid};
use super::user::Email;

/// The most contributors of a dataset.
pub const CONTRIBUTORS_MAX: usize = 100;
/// The most tags of a dataset.
pub const TAGS_MAX: usize = 50;

/// Somebody who made the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contributor {
    /// What they did, e.g. "principal investigator".
    pub role: String,
    /// How they are called.
    pub name: String,
    /// Where to reach them; each address once per dataset.
    pub email: Email,
}

/// Who may have the bytes of a dataset's mocks, of those who may see the dataset. It travels: what a data owner restricts is
/// restricted on the other side as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockAccess {
    /// Whoever may see the dataset.
    #[default]
    WithDataset,
    /// Those who upload or triage, and whom a request to see the mock was granted.
    OnRequest,
}

impl MockAccess {
    /// Whether it is what a dataset has if nothing is said, and what is written for it is nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The most groups that a dataset names.
pub const GROUPS_MAX: usize = 50;

/// Who may know of a dataset, its assets and their mocks. It travels: what a data owner restricts is restricted on the other
/// side as well. Groups are named, since each node has its own; a name that no group bears lets nobody in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody, also guests where the node lets them in.
    Everybody,
    /// Whoever is signed in.
    #[default]
    SignedIn,
    /// The members of any of these groups.
    Groups(Vec<String>),
}

impl Visibility {
    /// Whether it is what a dataset has if nothing is said, and what is written for it is nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks it as somebody sends it. Groups come out sorted, each once.
    ///
    /// # Errors
    /// A group's name is no name, or there are too many.
    pub fn checked(self) -> Result<Self, Invalid> {
        let Self::Groups(names) = self else {
            return Ok(self);
        };
        if names.len() > GROUPS_MAX {
            return Err(Invalid::new(
                "visibility.groups",
                format!("a dataset names at most {GROUPS_MAX} groups"),
            ));
        }
        let mut groups = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            let name = text::name(&format!("visibility.groups[{at}]"), name)?;
            groups.entry(text::folded(&name)).or_insert(name);
        }
        Ok(Self::Groups(groups.into_values().collect()))
    }
}

/// A named set of assets. Nothing in it is private: it is what the catalogue shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Unique on its home node.
    pub name: String,
    /// What the data is.
    pub description: String,
    /// How to cite it.
    pub citation: String,
    /// Where to read more; may be empty.
    pub url: String,
    /// Who made it.
    pub contributors: Vec<Contributor>,
    /// Words to find it by; lower case, sorted, each once.
    pub tags: Vec<String>,
    /// Who may know of it.
    #[serde(default, skip_serializing_if = "Visibility::is_default")]
    pub visibility: Visibility,
    /// Who may have its mocks.
    #[serde(default, skip_serializing_if = "MockAccess::is_default")]
    pub mocks: MockAccess,
}

/// A dataset's description as somebody sends it, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct DatasetDraft {
    /// See [`Dataset::name`].
    pub name: String,
    /// See [`Dataset::description`].
    pub description: String,
    /// See [`Dataset::citation`].
    pub citation: String,
    /// See [`Dataset::url`].
    pub url: String,
    /// Role, name and e-mail of each contributor.
    pub contributors: Vec<(String, String, String)>,
    /// See [`Dataset::tags`].
    pub tags: Vec<String>,
    /// See [`Dataset::visibility`].
    pub visibility: Visibility,
    /// See [`Dataset::mocks`].
    pub mocks: MockAccess,
}

impl Dataset {
    /// What is left of it once it is deleted: its name, and who may know of it.
    #[must_use]
    pub fn bared(self) -> Self {
        Self {
            name: self.name,
            description: String::new(),
            citation: String::new(),
            url: String::new(),
            contributors: Vec::new(),
            tags: Vec::new(),
            visibility: self.visibility,
            mocks: self.mocks,
        }
    }

    /// Makes a dataset of a checked draft.
    ///
    /// # Errors
    /// Names the field that is wrong; a contributor's address that stands twice is one.
    pub fn new(draft: &DatasetDraft) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", &draft.name)?,
            description: text::prose("description", &draft.description)?,
            citation: text::prose("citation", &draft.citation)?,
            url: text::url("url", &draft.url)?,
            contributors: contributors(&draft.contributors)?,
            tags: tags(&draft.tags)?,
            visibility: draft.visibility.clone().checked()?,
            mocks: draft.mocks,
        })
    }

    /// Whether every word of a search stands somewhere in the name, the tags or the texts, without regard to case.
    pub fn matches(&self, search: &str) -> bool {
        let everything = [&self.name, &self.description, &self.citation]
            .into_iter()
            .chain(&self.tags)
            .map(|text| text.to_lowercase())
            .collect::<Vec<_>>()
            .join("\n");
        search
            .to_lowercase()
            .split_whitespace()
            .all(|word| everything.contains(word))
    }
}

fn contributors(drafts: &[(String, String, String)]) -> Result<Vec<Contributor>, Invalid> {
    if drafts.len() > CONTRIBUTORS_MAX {
        return Err(Invalid::new(
            "contributors",
            format!("a dataset has at most {CONTRIBUTORS_MAX} contributors"),
        ));
    }
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(drafts.len());
    for (at, (role, name, email)) in drafts.iter().enumerate() {
        let contributor = Contributor {
            role: text::name(&format!("contributors[{at}].role"), role)?,
            name: text::name(&format!("contributors[{at}].name"), name)?,
            email: Email::parse(&format!("contributors[{at}].email"), email)?,
        };
        if !seen.insert(contributor.email.folded()) {
            let problem = format!(
                "{} is a contributor already; each address stands once",
                contributor.email
            );
            return Err(Invalid::new(format!("contributors[{at}].email"), problem));
        }
        checked.push(contributor);
    }
    Ok(checked)
}

fn tags(drafts: &[String]) -> Result<Vec<String>, Invalid> {
    if drafts.len() > TAGS_MAX {
        return Err(Invalid::new(
            "tags",
            format!("a dataset has at most {TAGS_MAX} tags"),
        ));
    }
    let mut tags = BTreeSet::new();
    for (at, draft) in drafts.iter().enumerate() {
        tags.insert(text::folded(&text::name(
            &format!("tags[{at}]"),
            draft.trim_start_matches('#'),
        )?));
    }
    Ok(tags.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> DatasetDraft {
        DatasetDraft {
            name: "Pima".into(),
            description: "Diabetes in Pima women".into(),
            contributors: vec![("curator".into(), "Ada".into(), "ada@example.org".into())],
            tags: vec!["Health".into(), "#diabetes".into(), "health".into()],
            ..DatasetDraft::default()
        }
    }

    #[test]
    fn tags_are_folded_and_stand_once() {
        assert_eq!(Dataset::new(&draft()).unwrap().tags, ["diabetes", "health"]);
    }

    #[test]
    fn groups_stand_once() {
        let groups = Visibility::Groups(vec!["Lungs".into(), " lungs".into(), "Eyes".into()]);
        let expected = Visibility::Groups(vec!["Eyes".into(), "Lungs".into()]);
        assert_eq!(groups.checked(), Ok(expected));
        assert!(Visibility::Groups(vec![String::new()]).checked().is_err());
    }

    #[test]
    fn a_contributor_stands_once() {
        let mut draft = draft();
        draft
            .contributors
            .push(("author".into(), "Ada L.".into(), "ADA@example.org".into()));
        let wrong = Dataset::new(&draft).unwrap_err();
        assert_eq!(wrong.field, "contributors[1].email");
    }

    #[test]
    fn search_wants_every_word() {
        let dataset = Dataset::new(&draft()).unwrap();
        assert!(dataset.matches("pima HEALTH"));
        assert!(!dataset.matches("pima lungs"));
    }
}
