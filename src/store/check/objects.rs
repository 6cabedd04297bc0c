//! Objects: their revisions, history, journal and the lists that they stand in.

use uuid::Uuid;

use super::Findings;
use crate::domain::object::{Kind, Object};
use crate::domain::settings::Node;
use crate::store::read::Read;
use crate::store::records;
use crate::store::table::TableError;
use crate::store::tables::{BY_KIND, CHILDREN, HISTORY, INBOX, JOURNAL, NAMES, OBJECTS, OWED, PEERS};
use crate::sync::record;

/// How many of each there are.
#[derive(Default)]
struct Counts {
    objects: u64,
    listed: u64,
    changes: u64,
}

pub(super) fn check(read: &impl Read, node: &Node, findings: &mut Findings) -> Result<(), TableError> {
    let mut counts = Counts::default();
    read.for_each(&OBJECTS, &(), |id, object: Object| {
        counts.objects += 1;
        counts.listed += u64::try_from(object.body.listed_under().len()).unwrap_or(u64::MAX);
        findings.count("objects");
        one(read, node, id, &object, findings)
    })?;
    read.for_each(&HISTORY, &(), |(id, position), earlier: Object| {
        counts.changes += 1;
        let journal = read.get(&JOURNAL, &position)?;
        findings.require(
            earlier.id == id && journal.is_some_and(|(changed, _)| changed == id),
            || format!("history: object {id} at {position} is not what the journal says"),
        );
        Ok::<_, TableError>(())
    })?;
    journal(read, &counts, findings)?;
    lists(read, &counts, findings)?;
    owed(read, node, findings)
}

fn one(
    read: &impl Read,
    node: &Node,
    id: Uuid,
    object: &Object,
    findings: &mut Findings,
) -> Result<(), TableError> {
    findings.require(object.id == id, || format!("object {id} bears another id"));
    // What came from elsewhere was written by that node's version, whose records may hold more than this one knows.
    if object.home == node.id {
        let digest = record::digest(id, object.home, object.deleted, &object.body);
        findings.require(
            digest.is_ok_and(|digest| digest == object.revision.digest),
            || {
                format!(
                    "{} {id} is not what its revision's digest says",
                    object.kind().word()
                )
            },
        );
    }
    if let Some(name) = object.body.unique_name().filter(|_| !object.deleted) {
        let parent = object.body.parent();
        let holder = records::named(read, object.home, object.kind(), parent, &name)?;
        findings.require(holder.is_some(), || {
            format!("{} {id} cannot be found by its name", object.kind().word())
        });
    }
    Ok(())
}

/// The journal counts every change once, from 1 on, without a gap.
fn journal(read: &impl Read, counts: &Counts, findings: &mut Findings) -> Result<(), TableError> {
    let mut last = 0;
    read.for_each(&JOURNAL, &(), |position, (id, _)| {
        findings.require(position == last + 1, || {
            format!("journal: {position} follows {last}")
        });
        last = position;
        let known = read.contains(&OBJECTS, &id)?;
        findings.require(known, || {
            format!("journal: {position} names object {id}, which is not there")
        });
        Ok::<_, TableError>(())
    })?;
    let changes = counts.objects + counts.changes;
    findings.require(last == changes, || {
        format!("journal: it ends at {last}, and there were {changes} changes")
    });
    Ok(())
}

/// Every object stands in each of its lists once, and nothing else does.
fn lists(read: &impl Read, counts: &Counts, findings: &mut Findings) -> Result<(), TableError> {
    let is = |id: Uuid, kind: u8| -> Result<Option<Object>, TableError> {
        Ok(records::object(read, id)?.filter(|object| object.kind() as u8 == kind))
    };
    let mut by_kind = 0;
    read.for_each(&BY_KIND, &(), |(kind, _, id), ()| {
        by_kind += 1;
        let there = is(id, kind)?.is_some();
        findings.require(there, || {
            format!("the list of kind {kind} names {id}, which is none")
        });
        Ok::<_, TableError>(())
    })?;
    let objects = counts.objects;
    findings.require(by_kind == objects, || {
        format!("{by_kind} objects are listed by kind, and there are {objects}")
    });
    let mut children = 0;
    read.for_each(&CHILDREN, &(), |(parent, kind, _, id), ()| {
        children += 1;
        let belongs = is(id, kind)?.is_some_and(|object| object.body.listed_under().contains(&parent));
        findings.require(belongs, || {
            format!("{id} is listed under {parent}, where it does not belong")
        });
        Ok::<_, TableError>(())
    })?;
    let listed = counts.listed;
    findings.require(children == listed, || {
        format!("{children} objects are listed under others, and {listed} belong there")
    });
    read.for_each(&NAMES, &(), |(_, kind, _, name), id| {
        let bears = is(id, kind)?.is_some_and(|object| object.body.unique_name() == Some(name));
        findings.require(bears, || format!("a name leads to {id}, which does not bear it"));
        Ok::<_, TableError>(())
    })
}

/// What peers are owed is at home here, or theirs and forgotten there, and its batch's root is here too; what waits in an inbox came
/// from its home, or is given back to it.
fn owed(read: &impl Read, node: &Node, findings: &mut Findings) -> Result<(), TableError> {
    read.for_each(&OWED, &(), |(peer, id), owed| {
        let object = records::object(read, id)?;
        let known = read.contains(&PEERS, &peer)? && read.contains(&OBJECTS, &owed.root)?;
        findings.require(
            known && object.is_some_and(|object| object.home == node.id || object.home.0 == peer),
            || format!("{id} is owed to {peer}, and cannot be sent"),
        );
        Ok::<_, TableError>(())
    })?;
    read.for_each(&INBOX, &(), |(peer, id), pending| {
        findings.count("records_in_inboxes");
        let known = read.contains(&PEERS, &peer)? && (pending.home.0 == peer || pending.home == node.id);
        findings.require(known, || {
            let kind: Kind = pending.body.kind();
            format!("a {} {id} waits from {peer}, which is not its home", kind.word())
        });
        Ok::<_, TableError>(())
    })
}
