//! What a received record is, against what this node knows of the object; and whether its sender may send it at all.

use uuid::Uuid;

use super::record;
use crate::domain::asset::Asset;
use crate::domain::code::Code;
use crate::domain::dataset::{Dataset, DatasetDraft};
use crate::domain::decision::{Decision, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{Epoch, NodeId};
use crate::domain::object::{Body, Kind};
use crate::domain::policy::InputPolicy;
use crate::domain::project::Project;
use crate::domain::release::Release;
use crate::domain::request::Request;
use crate::domain::side::Level;
use crate::domain::text::{self, Invalid};
use crate::domain::user::{Profile, User};

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
    /// Whether it waits in the inbox.
    pub waits: bool,
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
    /// Whether it gives back what is this node's own.
    pub returned: bool,
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
    /// Code whose hash is not that of its source and policies: what would run is not what was asked for.
    #[error("code {0} bears a hash that is not that of its source and its policies")]
    CodeHash(Uuid),
    /// A record that refers to something which is not its sender's to speak of.
    #[error("object {id} refers to {other}, which is not its sender's")]
    Foreign {
        /// The object.
        id: Uuid,
        /// What it refers to.
        other: Uuid,
    },
    /// A record that names another batch than the one that it belongs to.
    #[error("object {0} names another batch than the one it belongs to")]
    OtherBatch(Uuid),
    /// The content breaks a rule that its home must have checked.
    #[error("object {id}: {problem}")]
    Invalid {
        /// The object.
        id: Uuid,
        /// What is wrong.
        problem: String,
    },
}

/// The highest revision that is believed. Nobody edits an object that often, and a later home must be able to count on.
pub const REVISION_MAX: u64 = 1 << 48;

/// Compares a record with what is known.
///
/// # Errors
/// The sender had no right to send it, or lies.
pub fn compare(
    arrived: &ArrivedRevision,
    sender: NodeId,
    this_node: NodeId,
    level: Level,
    known: Option<&KnownRevision>,
) -> Result<News, Dishonest> {
    let writer = if arrived.returned { this_node } else { sender };
    if arrived.home != writer {
        return Err(Dishonest::NotTheHome(arrived.id));
    }
    if arrived.number == 0 || arrived.number > REVISION_MAX {
        let problem = format!("its revision is {}, and revisions count from 1", arrived.number);
        return Err(Dishonest::Invalid {
            id: arrived.id,
            problem,
        });
    }
    let Some(known) = known else { return Ok(News::New) };
    if known.kind != arrived.kind {
        return Err(Dishonest::OtherKind(arrived.id));
    }
    if arrived.returned {
        return Ok(returned(arrived, known));
    }
    if known.home != sender {
        return from_another_home(arrived, this_node, level, known);
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

/// What is given back is news only where it is not known: it overwrites nothing that this node has written. A newer revision takes
/// the place of one that still waits to be taken back.
fn returned(arrived: &ArrivedRevision, known: &KnownRevision) -> News {
    if known.waits && known.under == arrived.under && arrived.number > known.number {
        News::Newer
    } else {
        News::Older
    }
}

/// The object's home is known as another than the sender. Only a dataset or an asset changes its home, and only once: when a
/// high owner adopts it.
fn from_another_home(
    arrived: &ArrivedRevision,
    this_node: NodeId,
    level: Level,
    known: &KnownRevision,
) -> Result<News, Dishonest> {
    let may_move = matches!(arrived.kind, Kind::Dataset | Kind::Asset) && known.home == this_node;
    if !may_move {
        return Err(Dishonest::NotTheHome(arrived.id));
    }
    Ok(match level {
        Level::High => News::AdoptedHere,
        Level::Low if arrived.number > known.number => News::Newer,
        Level::Low => News::Forked,
    })
}

/// Whether a record of `from` may take the place of an object whose home is `home`: one that it is the home of, or a dataset
/// or asset of this node's that it has adopted.
pub fn may_replace(home: NodeId, kind: Kind, from: NodeId, other: Kind, this_node: NodeId) -> bool {
    let adopted = home == this_node && matches!(kind, Kind::Dataset | Kind::Asset);
    kind == other && (home == from || adopted)
}

/// What a record of a low node refers to that must be the low node's own.
pub fn references(body: &Body) -> Vec<Uuid> {
    match body {
        Body::Project(project) => project.members.iter().map(|member| member.0).collect(),
        Body::Code(code) => vec![code.author.0],
        Body::Request(request) => {
            let optional = [
                request.project().map(|project| project.0),
                request.code().map(|code| code.0),
                request.predecessor.map(|earlier| earlier.0),
            ];
            let named = optional.into_iter().flatten();
            named.chain([request.requester.0]).collect()
        }
        Body::Decision(decision) => vec![decision.request.0],
        Body::Asset(asset) => vec![asset.dataset.0],
        Body::User(_) | Body::Dataset(_) | Body::Job(_) | Body::Release(_) => Vec::new(),
    }
}

/// Checks what the home must have checked before it sent: a bundle that breaks a rule was not made by an honest node, and
/// whoever reviews must be able to trust what they see. The body is made again by the rules of its home, and must come out
/// the same, to the letter.
///
/// # Errors
/// Says what is wrong with which object.
pub fn check_body(id: Uuid, body: &Body) -> Result<(), Dishonest> {
    let invalid = |problem: String| Dishonest::Invalid { id, problem };
    if let Body::Code(code) = body
        && !code.hash_is_true()
    {
        return Err(Dishonest::CodeHash(id));
    }
    let digest = |body: &Body| {
        record::digest(id, NodeId(Uuid::nil()), false, body).map_err(|error| invalid(error.to_string()))
    };
    let made_again = made_again(body).map_err(|problem| invalid(problem.to_string()))?;
    if digest(&made_again)? != digest(body)? {
        return Err(invalid(
            "it is not written as its home must have written it".to_owned(),
        ));
    }
    Ok(())
}

fn made_again(body: &Body) -> Result<Body, Invalid> {
    Ok(match body {
        Body::User(user) => Body::User(user_again(user)?),
        Body::Project(project) => Body::Project(Project {
            started: project.started,
            ..Project::new(
                &project.name,
                &project.description,
                project.creator,
                &project.members,
            )?
        }),
        Body::Code(code) => Body::Code(code_again(code)?),
        Body::Request(request) => {
            if request.runs_wanted() == Some(0) {
                return Err(Invalid::new("runs_wanted", "must be at least 1"));
            }
            Body::Request(Request {
                reason: text::required_prose("reason", &request.reason)?,
                ..request.clone()
            })
        }
        Body::Decision(decision) => Body::Decision(Decision {
            verdict: match &decision.verdict {
                Verdict::Approve => Verdict::Approve,
                Verdict::Deny { reason } => Verdict::deny(reason)?,
            },
            by_name: text::name("by_name", &decision.by_name)?,
            ..decision.clone()
        }),
        Body::Dataset(dataset) => Body::Dataset(dataset_again(dataset)?),
        Body::Asset(asset) => Body::Asset(Asset {
            mock: asset.mock.clone(),
            ..Asset::new(asset.dataset, &asset.name, &asset.description)?
        }),
        Body::Job(job) => Body::Job(job.clone()),
        Body::Release(release) => Body::Release(Release {
            by_name: text::name("by_name", &release.by_name)?,
            ..release.clone()
        }),
    })
}

fn user_again(user: &User) -> Result<User, Invalid> {
    let profile = Profile {
        name: user.name.clone(),
        email: user.email.as_str().to_owned(),
        institution: user.institution.clone(),
        website: user.website.clone(),
    };
    Ok(User {
        verify_key: user.verify_key,
        ..User::new(&profile)?
    })
}

fn dataset_again(dataset: &Dataset) -> Result<Dataset, Invalid> {
    let contributors = dataset.contributors.iter().map(|contributor| {
        let email = contributor.email.as_str().to_owned();
        (contributor.role.clone(), contributor.name.clone(), email)
    });
    Dataset::new(&DatasetDraft {
        name: dataset.name.clone(),
        description: dataset.description.clone(),
        citation: dataset.citation.clone(),
        url: dataset.url.clone(),
        contributors: contributors.collect(),
        tags: dataset.tags.clone(),
        visibility: dataset.visibility.clone(),
        mocks: dataset.mocks,
    })
}

fn code_again(code: &Code) -> Result<Code, Invalid> {
    let made_again = Code::new(
        &code.name,
        code.author,
        &code.source,
        &code.entry_point,
        InputPolicy::exact_match(code.input_policy.parameters.clone())?,
        code.output_policy,
    )?;
    // A signature that does not hold is no reason to refuse: it is shown as what it is.
    Ok(Code {
        signature: code.signature,
        ..made_again
    })
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
            returned: false,
        }
    }

    fn known(home: NodeId, kind: Kind, epoch: u128, number: u64, digest: u8) -> KnownRevision {
        KnownRevision {
            home,
            kind,
            under: Epoch(Uuid::from_u128(epoch)),
            number,
            digest: Hash([digest; 32]),
            waits: false,
        }
    }

    fn news(arrived: &ArrivedRevision, known: &KnownRevision) -> Result<News, Dishonest> {
        compare(arrived, SENDER, HERE, Level::Low, Some(known))
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
            compare(&elsewhere, SENDER, HERE, Level::Low, None),
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
            Level::High,
            Some(&dataset),
        );
        assert_eq!(back, Ok(News::AdoptedHere), "an adopted dataset does not go back");
        let anothers = known(OTHER, Kind::Dataset, 1, 1, 1);
        assert!(news(&arrived(Kind::Dataset, 1, 2, 2), &anothers).is_err());
        assert!(news(&arrived(Kind::Asset, 1, 2, 2), &dataset).is_err());
    }

    #[test]
    fn what_is_given_back_overwrites_nothing() {
        let own = ArrivedRevision {
            home: HERE,
            returned: true,
            ..arrived(Kind::Request, 1, 4, 4)
        };
        let back = |known: Option<&KnownRevision>| compare(&own, SENDER, HERE, Level::Low, known);
        assert_eq!(back(None), Ok(News::New));
        for number in [3, 4, 5] {
            let here = known(HERE, Kind::Request, 1, number, 3);
            assert_eq!(back(Some(&here)), Ok(News::Older));
        }
        let waiting = KnownRevision {
            waits: true,
            ..known(HERE, Kind::Request, 1, 3, 3)
        };
        assert_eq!(back(Some(&waiting)), Ok(News::Newer));
        let another = known(HERE, Kind::Project, 1, 3, 3);
        assert_eq!(back(Some(&another)), Err(Dishonest::OtherKind(own.id)));
        for (home, returned) in [(SENDER, true), (OTHER, true), (HERE, false)] {
            let false_home = ArrivedRevision {
                home,
                returned,
                ..own
            };
            let refused = compare(&false_home, SENDER, HERE, Level::Low, None);
            assert_eq!(refused, Err(Dishonest::NotTheHome(own.id)), "{home:?}");
        }
    }
}
