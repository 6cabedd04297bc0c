//! What a received record is, against what this node knows of the object; and whether its sender may send it at all.

use uuid::Uuid;

use crate::domain::code::{Code, SOURCE_MAX};
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::object::{Body, Kind};
use crate::domain::side::Side;
use crate::domain::text;

/// The newest revision that this node knows of an object, applied or waiting in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownRevision {
    /// The object's home, as far as known here.
    pub home: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// The epoch of the sender's store under which the revision came.
    pub under: Epoch,
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Hash,
}

/// A record, as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct ArrivedRevision {
    /// The object.
    pub id: Uuid,
    /// Its home, as the record says.
    pub home: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// The epoch of the bundle's sender.
    pub under: Epoch,
    /// Its number.
    pub number: u64,
    /// Its digest.
    pub digest: Hash,
}

/// What a record brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// An object that was not known.
    New,
    /// A newer revision.
    Newer,
    /// A revision that does not follow from the known one: its home was restored, or adopted it after a later change here.
    Forked,
    /// What is known already.
    Same,
    /// An older revision: superseded.
    Older,
    /// A revision from the former home of an object that this node has adopted: refused by itself.
    AdoptedHere,
}

/// A record that an honest node does not send. The whole bundle is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Dishonest {
    /// The record's home is not the bundle's sender.
    #[error("object {0} has its home elsewhere than at the sender, who may not write it")]
    NotTheHome(Uuid),
    /// The id is known as another kind.
    #[error("object {0} is known here as another kind of object")]
    OtherKind(Uuid),
    /// The same revision with other content.
    #[error("object {id} has a revision {number} here with other content: its home has written two")]
    Fork {
        /// The object.
        id: Uuid,
        /// The revision.
        number: u64,
    },
    /// The content breaks a rule that its home must have checked.
    #[error("object {id}: {problem}")]
    Invalid {
        /// The object.
        id: Uuid,
        /// What is wrong.
        problem: String,
    },
}

/// Compares a record with what is known.
///
/// # Errors
/// The sender had no right to send it, or lies.
pub fn compare(
    arrived: &ArrivedRevision,
    sender: NodeId,
    this_node: NodeId,
    side: Side,
    known: Option<&KnownRevision>,
) -> Result<News, Dishonest> {
    if arrived.home != sender {
        return Err(Dishonest::NotTheHome(arrived.id));
    }
    if arrived.number == 0 {
        let problem = "revisions count from 1".to_owned();
        return Err(Dishonest::Invalid {
            id: arrived.id,
            problem,
        });
    }
    let Some(known) = known else { return Ok(News::New) };
    if known.kind != arrived.kind {
        return Err(Dishonest::OtherKind(arrived.id));
    }
    if known.home != sender {
        return from_another_home(arrived, this_node, side, known);
    }
    if known.under != arrived.under {
        return Ok(if known.digest == arrived.digest {
            News::Same
        } else {
            News::Forked
        });
    }
    if known.digest == arrived.digest && arrived.number <= known.number {
        return Ok(News::Same);
    }
    match arrived.number.cmp(&known.number) {
        std::cmp::Ordering::Greater => Ok(News::Newer),
        std::cmp::Ordering::Less => Ok(News::Older),
        std::cmp::Ordering::Equal => Err(Dishonest::Fork {
            id: arrived.id,
            number: arrived.number,
        }),
    }
}

/// The object's home is known as another than the sender. Only a dataset or an asset changes its home, and only once: when a
/// high owner adopts it.
fn from_another_home(
    arrived: &ArrivedRevision,
    this_node: NodeId,
    side: Side,
    known: &KnownRevision,
) -> Result<News, Dishonest> {
    let may_move = matches!(arrived.kind, Kind::Dataset | Kind::Asset) && known.home == this_node;
    if !may_move {
        return Err(Dishonest::NotTheHome(arrived.id));
    }
    Ok(match side {
        Side::High => News::AdoptedHere,
        Side::Low if arrived.number > known.number => News::Newer,
        Side::Low => News::Forked,
    })
}

/// Checks what the home must have checked before it sent: a bundle that breaks a rule was not made by an honest node, and
/// whoever reviews must be able to trust what they see.
///
/// # Errors
/// Says what is wrong with which object.
pub fn check_body(id: Uuid, body: &Body) -> Result<(), Dishonest> {
    let checked = match body {
        Body::User(user) => text::name("name", &user.name)
            .and_then(|_| crate::domain::user::Email::parse("email", user.email.as_str()))
            .and_then(|_| text::prose("institution", &user.institution))
            .and_then(|_| text::url("website", &user.website))
            .map(drop),
        Body::Project(project) => text::name("name", &project.name)
            .and_then(|_| text::prose("description", &project.description))
            .and_then(|_| project.clone().set_members(&project.members)),
        Body::Code(code) => check_code(code),
        Body::Request(request) => text::required_prose("reason", &request.reason).map(drop),
        Body::Decision(decision) => match &decision.verdict {
            crate::domain::decision::Verdict::Deny { reason } => {
                text::required_prose("reason", reason).map(drop)
            }
            crate::domain::decision::Verdict::Approve => text::name("by_name", &decision.by_name).map(drop),
        },
        Body::Dataset(dataset) => text::name("name", &dataset.name)
            .and_then(|_| text::prose("description", &dataset.description))
            .and_then(|_| text::prose("citation", &dataset.citation))
            .and_then(|_| text::url("url", &dataset.url))
            .map(drop),
        Body::Asset(asset) => text::name("name", &asset.name)
            .and_then(|_| text::prose("description", &asset.description))
            .map(drop),
        Body::Job(_) => Ok(()),
        Body::Release(release) => text::name("by_name", &release.by_name).map(drop),
    };
    checked.map_err(|invalid| Dishonest::Invalid {
        id,
        problem: invalid.to_string(),
    })
}

fn check_code(code: &Code) -> Result<(), text::Invalid> {
    text::name("name", &code.name)?;
    text::name("entry_point", &code.entry_point)?;
    code.output_policy.check()?;
    crate::domain::policy::InputPolicy::exact_match(code.input_policy.parameters.clone())?;
    if code.source.len() > SOURCE_MAX {
        return Err(text::Invalid::new("source", "is too long"));
    }
    if !code.hash_is_true() {
        return Err(text::Invalid::new(
            "hash",
            "is not that of the source and its policies",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: NodeId = NodeId(Uuid::from_u128(1));
    const HERE: NodeId = NodeId(Uuid::from_u128(2));
    const OTHER: NodeId = NodeId(Uuid::from_u128(3));

    fn arrived(kind: Kind, epoch: u128, number: u64, digest: u8) -> ArrivedRevision {
        ArrivedRevision {
            id: Uuid::from_u128(7),
            home: SENDER,
            kind,
            under: Epoch(Uuid::from_u128(epoch)),
            number,
            digest: Hash([digest; 32]),
        }
    }

    fn known(home: NodeId, kind: Kind, epoch: u128, number: u64, digest: u8) -> KnownRevision {
        KnownRevision {
            home,
            kind,
            under: Epoch(Uuid::from_u128(epoch)),
            number,
            digest: Hash([digest; 32]),
        }
    }

    fn news(arrived: &ArrivedRevision, known: &KnownRevision) -> Result<News, Dishonest> {
        compare(arrived, SENDER, HERE, Side::Low, Some(known))
    }

    #[test]
    fn revisions_compare_within_an_epoch() {
        let have = known(SENDER, Kind::Request, 1, 3, 3);
        assert_eq!(news(&arrived(Kind::Request, 1, 4, 4), &have), Ok(News::Newer));
        assert_eq!(news(&arrived(Kind::Request, 1, 2, 2), &have), Ok(News::Older));
        assert_eq!(news(&arrived(Kind::Request, 1, 3, 3), &have), Ok(News::Same));
        assert!(matches!(
            news(&arrived(Kind::Request, 1, 3, 9), &have),
            Err(Dishonest::Fork { .. })
        ));
        assert_eq!(news(&arrived(Kind::Request, 2, 9, 9), &have), Ok(News::Forked));
        assert_eq!(news(&arrived(Kind::Request, 2, 3, 3), &have), Ok(News::Same));
    }

    #[test]
    fn only_the_home_writes_and_only_datasets_move() {
        let elsewhere = ArrivedRevision {
            home: OTHER,
            ..arrived(Kind::Request, 1, 1, 1)
        };
        assert!(matches!(
            compare(&elsewhere, SENDER, HERE, Side::Low, None),
            Err(Dishonest::NotTheHome(_))
        ));
        let request = known(HERE, Kind::Request, 1, 1, 1);
        assert!(matches!(
            news(&arrived(Kind::Request, 1, 2, 2), &request),
            Err(Dishonest::NotTheHome(_))
        ));
        let dataset = known(HERE, Kind::Dataset, 1, 1, 1);
        assert_eq!(news(&arrived(Kind::Dataset, 1, 2, 2), &dataset), Ok(News::Newer));
        assert_eq!(
            news(&arrived(Kind::Dataset, 1, 1, 2), &dataset),
            Ok(News::Forked),
            "a later change here"
        );
        let back = compare(
            &arrived(Kind::Dataset, 1, 9, 9),
            SENDER,
            HERE,
            Side::High,
            Some(&dataset),
        );
        assert_eq!(back, Ok(News::AdoptedHere), "an adopted dataset does not go back");
        let anothers = known(OTHER, Kind::Dataset, 1, 1, 1);
        assert!(news(&arrived(Kind::Dataset, 1, 2, 2), &anothers).is_err());
        assert!(news(&arrived(Kind::Asset, 1, 2, 2), &dataset).is_err());
    }
}
