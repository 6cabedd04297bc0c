//! What waits, as the tree that it is: what needs another stands below it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use uuid::Uuid;

use super::{address, deciding};
use crate::acts::inbox::InboxBatch;
use crate::domain::object::Kind;
use crate::pages::body::{change, kind, kinds};
use crate::pages::piece::icon::Icon;
use crate::pages::piece::status::{Tone, badge};
use crate::pages::piece::text::reveal;
use crate::sync::batch::Change;

/// Projects, requests and runs are three deep; what needs itself in a circle would never end.
const DEEPEST: usize = 8;

/// The fields of the form that decides on what is selected: the tree with a box for each batch, and all that was seen.
pub fn shown(peer: Uuid, batches: &[&InboxBatch]) -> Markup {
    let tree = Tree::of(batches);
    html! {
        div.check hidden { input #all type="checkbox" data-checks="root"; label for="all" { "Select all" } }
        ul.tree { @for batch in &tree.tops { (tree.branch(peer, batch, 0)) } }
        @for batch in batches { @for member in &batch.batch.members {
            input type="hidden" name="seen" value=(deciding::seen_words(member.id, member.revision));
        } }
        div.actions.sticky {
            button.primary name="act" value="apply" { "Apply selected" }
            button name="act" value="ignore" { "Ignore selected" }
        }
    }
}

struct Tree<'a> {
    tops: Vec<&'a InboxBatch>,
    below: BTreeMap<Uuid, Vec<&'a InboxBatch>>,
}

impl<'a> Tree<'a> {
    /// Puts each batch below the first that it needs of those that are shown too.
    fn of(batches: &[&'a InboxBatch]) -> Self {
        let known: BTreeSet<Uuid> = batches.iter().map(|batch| batch.batch.root).collect();
        let (mut tops, mut below) = (Vec::new(), BTreeMap::<Uuid, Vec<_>>::new());
        for batch in batches {
            let root = batch.batch.root;
            let mut needs = batch.batch.needs.iter();
            match needs.find(|need| **need != root && known.contains(need)) {
                Some(need) => below.entry(*need).or_default().push(*batch),
                None => tops.push(*batch),
            }
        }
        Self { tops, below }
    }

    fn branch(&self, peer: Uuid, batch: &InboxBatch, depth: usize) -> Markup {
        let root = batch.batch.root;
        let id = format!("batch-{root}");
        let below = self.below.get(&root).filter(|_| depth < DEEPEST);
        html! {
            li {
                div.branch {
                    input id=(id) type="checkbox" name="root" value=(root);
                    label for=(id) { span.only-heard { "Select " } span.soft { (kind(batch.batch.kind)) ": " } }
                    a href=(format!("{}/{root}", address(peer))) { (reveal(&batch.batch.title)) }
                    span.branch-notes {
                        @for (changed, members) in by_change(batch) { (change(changed.0, changed.1)) " " span.soft { (members) } " " }
                        @if batch.ignored { (badge(Tone::Plain, Icon::No, "ignored")) }
                        @if !batch.waits_for.is_empty() { (badge(Tone::Warning, Icon::Waiting, "waits for something that has not arrived")) }
                    }
                }
                @if let Some(below) = below { ul { @for other in below { (self.branch(peer, other, depth + 1)) } } }
            }
        }
    }
}

type Changed = (Change, bool);

fn by_change(batch: &InboxBatch) -> Vec<(Changed, String)> {
    let mut found: Vec<(Changed, Vec<Kind>)> = Vec::new();
    for member in &batch.batch.members {
        let changed = (member.change, member.deleted);
        match found.iter_mut().find(|(known, _)| *known == changed) {
            Some((_, members)) => members.push(member.kind),
            None => found.push((changed, vec![member.kind])),
        }
    }
    found
        .into_iter()
        .map(|(changed, members)| (changed, kinds(members.into_iter())))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::domain::hash::Hash;
    use crate::domain::object::Revision;
    use crate::sync::batch::{Batch, Member};

    fn member(id: u128, kind: Kind) -> Member {
        Member {
            id: Uuid::from_u128(id),
            kind,
            title: format!("{} {id}", kind.word()),
            revision: Revision {
                number: 1,
                digest: Hash::of(&id.to_le_bytes()),
            },
            change: Change::New,
            deleted: false,
        }
    }

    fn batch(members: Vec<Member>, needs: &[u128]) -> InboxBatch {
        let root = &members[0];
        InboxBatch {
            batch: Batch {
                root: root.id,
                kind: root.kind,
                title: root.title.clone(),
                needs: needs.iter().copied().map(Uuid::from_u128).collect(),
                members,
            },
            ignored: false,
            waits_for: Vec::new(),
            reviewed: None,
        }
    }

    /// The benchmark of the pages runs this in release mode, and shows what it prints.
    #[test]
    fn a_bundle_of_a_thousand_requests_shows_each_below_its_project() {
        let mut batches = vec![batch(vec![member(1, Kind::Project), member(2, Kind::User)], &[])];
        batches.extend((0..1_000).map(|number| {
            let (request, code) = (10_000 + number, 20_000 + number);
            batch(
                vec![member(request, Kind::Request), member(code, Kind::Code)],
                &[1],
            )
        }));
        let all: Vec<_> = batches.iter().collect();
        let began = Instant::now();
        let page = shown(Uuid::nil(), &all).into_string();
        println!(
            "a review page of 1,000 requests: {:.1} ms",
            began.elapsed().as_secs_f64() * 1000.0
        );
        assert_eq!(page.matches("name=\"root\"").count(), 1_001);
        assert_eq!(page.matches("name=\"seen\"").count(), 2_002);
        assert_eq!(page.matches("<ul").count(), 2, "one tree, with one branch");
    }

    #[test]
    fn what_needs_itself_in_a_circle_ends() {
        let circle = [
            batch(vec![member(1, Kind::Project)], &[]),
            batch(vec![member(2, Kind::Request)], &[2, 1]),
            batch(vec![member(3, Kind::Job)], &[4]),
            batch(vec![member(4, Kind::Job)], &[3]),
        ];
        let page = shown(Uuid::nil(), &circle.iter().collect::<Vec<_>>()).into_string();
        assert_eq!(page.matches("name=\"root\"").count(), 2);
    }
}
