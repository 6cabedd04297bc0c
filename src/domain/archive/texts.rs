//! The texts of an archive: from description, manifest and tags to a dataset's description.

use std::collections::BTreeMap;

use super::{ArchiveRefused, Fault, Part};
use crate::domain::dataset::{Dataset, DatasetDraft};
use crate::domain::text;

/// The texts that an archive held.
#[derive(Clone, Debug, Default)]
pub struct Texts(BTreeMap<Part, Text>);

/// A text, and which member it was.
#[derive(Clone, Debug)]
pub struct Text {
    /// The member, as it may be shown.
    pub member: String,
    /// What it says, with line feeds alone between its lines.
    pub text: String,
}

impl Texts {
    /// Takes a text in.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn insert(&mut self, part: Part, member: String, bytes: &[u8]) -> Result<(), ArchiveRefused> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Fault::Text("is not UTF-8 text".to_owned()).at(member));
        };
        // Notepad's byte order mark, and the line ends of other systems.
        let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        self.0.insert(part, Text { member, text });
        Ok(())
    }

    /// One of the texts, if the archive held it.
    pub fn get(&self, part: Part) -> Option<&Text> {
        self.0.get(&part)
    }

    /// What the texts say of a dataset of this name.
    ///
    /// - `description` begins the description, what is left of `manifest` ends it;
    /// - lines at the very beginning of `manifest` that read `Citation: …`, `URL: …` or `Contributor: role, name, e-mail`
    ///   fill those fields. A manifest without them is a text as it stands, as PyGrid's were;
    /// - `tags` has one tag a line; a leading `#` and empty lines do not count.
    ///
    /// # Errors
    /// A text breaks a rule of the catalogue; the member and, where it is one, the line are named. The name is not looked at.
    pub fn draft(&self, name: &str) -> Result<DatasetDraft, ArchiveRefused> {
        let mut draft = DatasetDraft {
            name: name.to_owned(),
            tags: self.tags()?,
            ..DatasetDraft::default()
        };
        let contents = self.manifest(&mut draft)?;
        let description = self.get(Part::Description).map_or("", |text| text.text.trim());
        draft.description = match (description, contents) {
            ("", contents) => contents.to_owned(),
            (description, "") => description.to_owned(),
            (description, contents) => format!("{description}\n\n{contents}"),
        };
        let longest = if contents.len() > description.len() {
            Part::Manifest
        } else {
            Part::Description
        };
        text::prose("description", &draft.description)
            .map_err(|invalid| self.wrong(longest, invalid.problem))?;
        Ok(draft)
    }

    fn wrong(&self, part: Part, problem: String) -> ArchiveRefused {
        match self.get(part) {
            Some(text) => Fault::Text(problem).at(text.member.clone()),
            None => Fault::Text(problem).of_archive(),
        }
    }

    fn tags(&self) -> Result<Vec<String>, ArchiveRefused> {
        let Some(Text { member, text }) = self.get(Part::Tags) else {
            return Ok(Vec::new());
        };
        let mut tags = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let tag = line.trim().trim_start_matches('#');
            if !tag.is_empty() {
                let tag = text::name("tag", tag)
                    .map_err(|invalid| Fault::Text(invalid.problem).at_line(member.clone(), number))?;
                tags.push(tag);
            }
        }
        let draft = DatasetDraft {
            name: "-".to_owned(),
            tags: tags.clone(),
            ..DatasetDraft::default()
        };
        match Dataset::new(&draft) {
            Ok(_) => Ok(tags),
            Err(invalid) => Err(Fault::Text(invalid.problem).at(member.clone())),
        }
    }

    /// Takes the fields off the manifest's beginning, and gives what follows them.
    fn manifest(&self, draft: &mut DatasetDraft) -> Result<&str, ArchiveRefused> {
        let Some(Text { member, text }) = self.get(Part::Manifest) else {
            return Ok("");
        };
        let mut rest = text.as_str();
        for number in 1.. {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let Some((field, value)) = line.split_once(':') else {
                break;
            };
            let value = value.trim().to_owned();
            match field.trim().to_ascii_lowercase().as_str() {
                "citation" => draft.citation = value,
                "url" => draft.url = value,
                "contributor" => draft.contributors.push(contributor(&value).ok_or_else(|| {
                    Fault::Text("a contributor is written as role, name, e-mail address".to_owned())
                        .at_line(member.clone(), number)
                })?),
                _ => break,
            }
            let so_far = DatasetDraft {
                name: "-".to_owned(),
                tags: Vec::new(),
                ..draft.clone()
            };
            Dataset::new(&so_far)
                .map_err(|invalid| Fault::Text(invalid.problem).at_line(member.clone(), number))?;
            rest = after;
        }
        Ok(rest.trim())
    }
}

/// The role ends at the first comma, the address begins after the last.
fn contributor(text: &str) -> Option<(String, String, String)> {
    let (role, rest) = text.split_once(',')?;
    let (name, email) = rest.rsplit_once(',')?;
    Some((
        role.trim().to_owned(),
        name.trim().to_owned(),
        email.trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(all: &[(Part, &str)]) -> Texts {
        let mut texts = Texts::default();
        for (part, text) in all {
            texts
                .insert(*part, format!("pima/{}", part.word()), text.as_bytes())
                .unwrap();
        }
        texts
    }

    fn refused(all: &[(Part, &str)]) -> (Option<String>, Option<u64>) {
        let refused = texts(all).draft("Pima").unwrap_err();
        (refused.member, refused.line)
    }

    #[test]
    fn a_manifest_of_free_text_ends_the_description() {
        let draft = texts(&[
            (Part::Description, "\u{feff}Diabetes in Pima women.\r\n"),
            (
                Part::Manifest,
                "Columns: npreg, glu\nRows are women.\n\nCitation: none",
            ),
        ])
        .draft("Pima")
        .unwrap();
        assert_eq!(
            draft.description,
            "Diabetes in Pima women.\n\nColumns: npreg, glu\nRows are women.\n\nCitation: none"
        );
        assert_eq!((draft.name.as_str(), draft.citation.as_str()), ("Pima", ""));
        assert_eq!(
            texts(&[(Part::Manifest, "Rows.")])
                .draft("x")
                .unwrap()
                .description,
            "Rows."
        );
        assert_eq!(texts(&[]).draft("x").unwrap().description, "");
    }

    #[test]
    fn a_manifest_may_begin_with_fields() {
        let manifest = "Citation: Smith et al., 1988\nurl: https://example.org/pima\n\
                        Contributor: curator, Lovelace, Ada, ada@example.org\n\nRows are women.\n";
        let draft = texts(&[(Part::Manifest, manifest)]).draft("Pima").unwrap();
        assert_eq!(draft.citation, "Smith et al., 1988");
        assert_eq!(draft.url, "https://example.org/pima");
        let ada = ("curator", "Lovelace, Ada", "ada@example.org");
        assert_eq!(draft.contributors, [(ada.0.into(), ada.1.into(), ada.2.into())]);
        assert_eq!(draft.description, "Rows are women.");
        assert!(Dataset::new(&draft).is_ok());
    }

    #[test]
    fn tags_stand_one_a_line() {
        let draft = texts(&[(Part::Tags, "#diabetes\n\n  health \n#Women of Arizona\n")])
            .draft("Pima")
            .unwrap();
        assert_eq!(draft.tags, ["diabetes", "health", "Women of Arizona"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_member_and_line() {
        let at = |part: &str, line| (Some(format!("pima/{part}")), line);
        assert_eq!(refused(&[(Part::Tags, "a\n\u{202e}b")]), at("tags", Some(2)));
        assert_eq!(
            refused(&[(
                Part::Tags,
                &(0..60).map(|n| format!("t{n}\n")).collect::<String>()
            )]),
            at("tags", None)
        );
        assert_eq!(
            refused(&[(Part::Description, "\u{1b}[31m")]),
            at("description", None)
        );
        assert_eq!(
            refused(&[
                (Part::Description, "short"),
                (Part::Manifest, &"x".repeat(10_001))
            ]),
            at("manifest", None)
        );
        assert_eq!(
            refused(&[(Part::Manifest, "Citation: x\nURL: javascript:alert(1)")]),
            at("manifest", Some(2))
        );
        assert_eq!(
            refused(&[(Part::Manifest, "Contributor: Ada")]),
            at("manifest", Some(1))
        );
        let twice = "Contributor: a, A, a@b.org\nContributor: b, B, A@b.org";
        assert_eq!(refused(&[(Part::Manifest, twice)]), at("manifest", Some(2)));
        let refused = Texts::default()
            .insert(Part::Tags, "pima/tags".into(), b"\xff")
            .unwrap_err();
        assert_eq!(refused.fault.word(), "text");
    }
}
