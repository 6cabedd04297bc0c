//! The audit chain, as those read it who may.

use jiff::Timestamp;
use uuid::Uuid;

use super::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Entry};
use crate::store::audit::{self as chain, AuditError};
use crate::store::read::Read;
use crate::store::records::RecordError;

/// The most entries that one page looks at. A page that few entries fit may come out short, and still say where the next one
/// begins.
const EXAMINED_MAX: usize = 5_000;
/// Entries read at a time.
const CHUNK: usize = 500;

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Self {
        RecordError::from(error).into()
    }
}

/// Which entries are wanted; all of it must fit.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// What was done: a word, or the part of one before a dot (`request` finds `request.approved`).
    pub action: Option<String>,
    /// Who did it: a person or a peer.
    pub by: Option<Uuid>,
    /// What it was done to.
    pub subject: Option<Uuid>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn fits(&self, entry: &Entry) -> bool {
        let fields = &entry.fields;
        let word = fields.action.as_str();
        let action = |wanted: &String| {
            word == wanted.as_str()
                || word
                    .strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        let by = match fields.actor {
            audit::Actor::User(id) | audit::Actor::Peer(id) => Some(id),
            audit::Actor::Node => None,
        };
        self.action.as_ref().is_none_or(action)
            && self.by.is_none_or(|wanted| by == Some(wanted))
            && self
                .subject
                .is_none_or(|wanted| fields.subjects.contains(&wanted))
            && self.since.is_none_or(|since| fields.at >= since)
            && self.until.is_none_or(|until| fields.at < until)
    }
}

/// A page of entries, newest first, and the number before which the next page begins.
///
/// # Errors
/// The permission is missing, or the store cannot be read.
pub fn entries(
    read: &impl Read,
    actor: &Actor,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<(Vec<Entry>, Option<u64>), Refusal> {
    actor.require(Permission::ReadAudit)?;
    let (mut found, mut place) = (Vec::new(), before);
    for _ in 0..EXAMINED_MAX / CHUNK {
        let chunk = chain::entries_before(read, place, CHUNK)?;
        let last = chunk.len() < CHUNK;
        for entry in chunk {
            if found.len() == limit {
                return Ok((found, place));
            }
            place = Some(entry.sequence);
            if filter.fits(&entry) {
                found.push(entry);
            }
        }
        if last {
            return Ok((found, None));
        }
    }
    Ok((found, place.filter(|place| *place > 1)))
}

/// The entries after a number, oldest first, for an export of the whole chain.
///
/// # Errors
/// The permission is missing, or the store cannot be read.
pub fn following(read: &impl Read, actor: &Actor, after: u64) -> Result<Vec<Entry>, Refusal> {
    actor.require(Permission::ReadAudit)?;
    Ok(chain::entries_after(read, after, CHUNK)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acts::scene::{Scene, ada, owner};
    use crate::domain::audit::Action;
    use crate::domain::side::Side;
    use crate::store::records;

    fn numbers(scene: &Scene, filter: &Filter, limit: usize) -> Vec<u64> {
        let (mut seen, mut place) = (Vec::new(), None);
        loop {
            let (entries, next) = super::entries(&scene.view(), &owner(), filter, place, limit).unwrap();
            seen.extend(entries.iter().map(|entry| entry.sequence));
            place = next;
            if place.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn entries_are_found_by_what_who_and_when() {
        let scene = Scene::new(Side::High);
        let already = u64::try_from(scene.audited().len()).unwrap();
        let subject = Uuid::from_u128(77);
        for number in 0..12_u128 {
            scene
                .act(move |tx, here| {
                    let by = audit::Actor::User(Uuid::from_u128(number % 3));
                    let action = if number % 2 == 0 {
                        Action::BUNDLE_EXPORTED
                    } else {
                        Action::BUNDLE_IMPORTED
                    };
                    Ok(records::audit(tx, here, by, action, &[subject], &[])?)
                })
                .unwrap();
        }
        let with = |set: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            set(&mut filter);
            numbers(&scene, &filter, 5)
        };
        assert_eq!(with(&|it| it.subject = Some(subject)).len(), 12);
        assert_eq!(with(&|it| it.action = Some("bundle".into())).len(), 12);
        assert_eq!(with(&|it| it.action = Some("bundle.exported".into())).len(), 6);
        assert!(with(&|it| it.action = Some("bund".into())).is_empty());
        assert_eq!(with(&|it| it.by = Some(Uuid::from_u128(1))).len(), 4);
        let all = with(&|_| {});
        let expected: Vec<u64> = (1..=already + 12).rev().collect();
        assert_eq!(all, expected);
        let (third, _) = super::entries(&scene.view(), &owner(), &Filter::default(), None, 50).unwrap();
        let moment = third[3].fields.at;
        assert_eq!(with(&|it| it.since = Some(moment)).len(), 4);
        assert_eq!(
            with(&|it| it.until = Some(moment)).len(),
            usize::try_from(already).unwrap() + 8
        );
        assert!(matches!(
            super::entries(&scene.view(), &ada(), &Filter::default(), None, 5),
            Err(Refusal::Denied(_))
        ));
    }
}
