//! Random histories of one high node and two low ones.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::courier::{Bundle, ByHand, Courier, carry};
use super::invariants::{self, Numbers, Publications};
use super::node::{Dump, Node, confirm_epoch, pair};
use super::people::rename;
use crate::acts::inbox::ImportRefused;
use crate::domain::decision::Verdict;
use crate::domain::id::UserId;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::side::Level;
use crate::store::tables::{HELD, IGNORED};
use crate::sync::ledger::Refused;
use crate::sync::select::Filters;

const HIGH: usize = 2;

/// One thing that happens. Numbers pick among what is there, whatever there is.
#[derive(Clone, Debug)]
enum Step {
    Change {
        at: usize,
        what: u8,
        pick: usize,
    },
    Export {
        at: usize,
        peer: usize,
        filter: u8,
        full: bool,
    },
    Deliver {
        pick: usize,
        from_the_end: bool,
        confirm: bool,
    },
    Hold {
        at: usize,
        pick: usize,
        held: bool,
    },
    Review {
        at: usize,
        pick: usize,
        act: u8,
    },
    Save {
        at: usize,
    },
    Restore {
        at: usize,
        pick: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let pick = || 0usize..1000;
    prop_oneof![
        10 => (0usize..3, any::<u8>(), pick()).prop_map(|(at, what, pick)| Step::Change { at, what, pick }),
        6 => (0usize..3, 0usize..2, any::<u8>(), prop::bool::weighted(0.1))
            .prop_map(|(at, peer, filter, full)| Step::Export { at, peer, filter, full }),
        7 => (pick(), any::<bool>(), prop::bool::weighted(0.7))
            .prop_map(|(pick, from_the_end, confirm)| Step::Deliver { pick, from_the_end, confirm }),
        1 => (0usize..3, pick(), any::<bool>()).prop_map(|(at, pick, held)| Step::Hold { at, pick, held }),
        7 => (0usize..3, pick(), 0u8..6).prop_map(|(at, pick, act)| Step::Review { at, pick, act }),
        1 => (0usize..3).prop_map(|at| Step::Save { at }),
        1 => (0usize..3, pick()).prop_map(|(at, pick)| Step::Restore { at, pick }),
    ]
}

/// Three nodes, what flies between them, and what a history must remember of itself.
struct World {
    nodes: Vec<Node>,
    flying: Vec<(usize, usize, Bundle)>,
    saved: Vec<(usize, Dump)>,
    published: Publications,
    numbers: Vec<Numbers>,
}

impl World {
    fn new() -> Self {
        let nodes = vec![
            Node::new(1, Level::Low),
            Node::new(2, Level::Low),
            Node::new(3, Level::High),
        ];
        pair(&nodes[0], &nodes[HIGH]);
        pair(&nodes[1], &nodes[HIGH]);
        let mut world = Self {
            nodes,
            flying: Vec::new(),
            saved: Vec::new(),
            published: Publications::new(),
            numbers: vec![Numbers::new(); 3],
        };
        world.begin();
        world.saved = world.nodes.iter().map(Node::dump).enumerate().collect();
        world
    }

    /// Something to begin with: published data, and two people who share two projects on each low side.
    fn begin(&mut self) {
        let high = &self.nodes[HIGH];
        let data = high.dataset("data");
        let asset = high.asset(data, "table");
        for low in &self.nodes[..HIGH] {
            high.publish(data, low.id.0);
            self.published.insert((data, low.id.0));
            carry(high, low);
            let people = [low.user("ada"), low.user("bob")];
            let (one, _two) = (low.project("one", &people), low.project("two", &people));
            low.request(one, low.code(people[0], &[asset]), people[0]);
        }
    }

    fn check(&mut self, at: usize) {
        let high = self.nodes[HIGH].id;
        invariants::check(&self.nodes[at], high, &self.published, &mut self.numbers[at]);
    }

    /// Who is on the other side: the high node, or one of the low ones.
    fn peer(at: usize, pick: usize) -> usize {
        if at == HIGH { pick % 2 } else { HIGH }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Change { at, what, pick } => {
                if at == HIGH {
                    self.change_high(what, pick);
                } else {
                    change_low(&self.nodes[at], what, pick);
                }
                self.check(at);
            }
            Step::Export {
                at,
                peer,
                filter,
                full,
            } => {
                let to = Self::peer(at, peer);
                self.export(at, to, &filters(&self.nodes[at], filter), full);
                self.check(at);
            }
            Step::Deliver {
                pick,
                from_the_end,
                confirm,
            } => self.deliver(pick, from_the_end, confirm),
            Step::Hold { at, pick, held } => self.hold(at, pick, held),
            Step::Review { at, pick, act } => self.review(at, pick, act),
            Step::Save { at } => self.saved.push((at, self.nodes[at].dump())),
            Step::Restore { at, pick } => {
                let own: Vec<_> = self.saved.iter().filter(|(of, _)| *of == at).collect();
                let restored = self.nodes[at].restored(&own[pick % own.len()].1);
                self.nodes[at] = restored;
                self.numbers[at].clear();
                self.check(at);
            }
        }
    }

    fn export(&mut self, at: usize, to: usize, filters: &Filters, full: bool) {
        let bundle = ByHand
            .export(&self.nodes[at], self.nodes[to].id.0, filters, full)
            .unwrap();
        self.flying.push((at, to, bundle));
    }

    /// Brings any bundle that was ever made: a late one, the last one, or one that has arrived before.
    fn deliver(&mut self, pick: usize, from_the_end: bool, confirm: bool) {
        if self.flying.is_empty() {
            return;
        }
        let count = self.flying.len();
        let index = if from_the_end {
            count - 1 - (pick % count.min(3))
        } else {
            pick % count
        };
        let (from, to, bundle) = self.flying[index].clone();
        self.import(from, to, &bundle, confirm);
        self.check(to);
    }

    fn import(&self, at: usize, receiver: usize, bundle: &Bundle, confirm: bool) {
        let (from, to) = (&self.nodes[at], &self.nodes[receiver]);
        match ByHand.import(to, bundle) {
            Ok(_) => {}
            Err(ImportRefused::Order(Refused::UnconfirmedEpoch { epoch })) => {
                // Nobody confirms an epoch that the other side, asked by voice, is not in.
                if confirm && epoch == from.epoch() {
                    confirm_epoch(to, from).unwrap();
                    self.import(at, receiver, bundle, false);
                }
            }
            Err(ImportRefused::Order(Refused::RetiredEpoch { .. } | Refused::MadeForAnotherEpoch { .. })) => {
            }
            Err(refused) => panic!("an honest bundle was refused: {refused}"),
        }
    }

    fn hold(&self, at: usize, pick: usize, held: bool) {
        let node = &self.nodes[at];
        let peer = self.nodes[Self::peer(at, pick)].id.0;
        let roots: Vec<Uuid> = [Kind::Project, Kind::Request, Kind::Dataset, Kind::Job]
            .into_iter()
            .flat_map(|kind| node.ids(kind))
            .collect();
        if let Some(root) = pick_of(&roots, pick) {
            node.hold(peer, *root, held);
        }
    }

    fn review(&mut self, at: usize, pick: usize, act: u8) {
        let (node, peer) = (&self.nodes[at], self.nodes[Self::peer(at, pick)].id.0);
        let roots: Vec<Uuid> = node.inbox(peer).iter().map(|shown| shown.batch.root).collect();
        let Some(root) = pick_of(&roots, pick) else { return };
        match act {
            0 => node.ignore(peer, &[*root]),
            1 => node.unignore(peer, &[*root]),
            2 => node.apply_all(peer),
            _ => drop(node.apply(peer, &[*root])),
        }
        self.check(at);
    }

    fn change_high(&mut self, what: u8, pick: usize) {
        let high = &self.nodes[HIGH];
        let name = format!("h{}", high.fresh_id());
        let own = own(high);
        let from_low = |kind| -> Vec<Uuid> {
            let ids = high.ids(kind).into_iter();
            ids.filter(|id| high.object(*id).unwrap().home != high.id)
                .collect()
        };
        match what % 13 {
            0 => {
                high.asset(high.dataset(&name), &name);
            }
            1 => with(&own, Kind::Dataset, pick, |dataset| {
                high.asset(dataset.id, &name);
            }),
            2 | 3 => {
                let peer = self.nodes[pick % 2].id.0;
                let published = &mut self.published;
                with(&own, Kind::Dataset, pick / 2, |dataset| {
                    published.insert((dataset.id, peer));
                    high.publish(dataset.id, peer);
                });
            }
            4 => edit_any(high, &own, pick, &name),
            5 | 6 => {
                if let Some(request) = pick_of(&high.ids(Kind::Request), pick) {
                    let deny = Verdict::deny("no").unwrap();
                    high.decide(
                        *request,
                        if pick.is_multiple_of(2) {
                            Verdict::Approve
                        } else {
                            deny
                        },
                    );
                }
            }
            7 | 8 => {
                if let Some(request) = pick_of(&high.ids(Kind::Request), pick) {
                    high.job(*request);
                }
            }
            9 => with(&own, Kind::Job, pick, |job| {
                high.release(job.id);
            }),
            10 => {
                if let Some(dataset) = pick_of(&from_low(Kind::Dataset), pick) {
                    let born_at = high.object(*dataset).unwrap().home;
                    self.published.insert((*dataset, born_at.0));
                    high.adopt(*dataset, !pick.is_multiple_of(3));
                }
            }
            11 => with(&own, Kind::Dataset, pick / 2, |dataset| {
                high.withdraw(dataset.id, self.nodes[pick % 2].id.0);
            }),
            _ if pick.is_multiple_of(2) => {
                high.collaboration(&name, &[]);
            }
            _ => erase_any(high, &own, pick),
        }
    }
}

fn change_low(low: &Node, what: u8, pick: usize) {
    let name = format!("l{}", low.fresh_id());
    let own = own(low);
    let users: Vec<Uuid> = own
        .iter()
        .filter(|object| object.kind() == Kind::User)
        .map(|user| user.id)
        .collect();
    match what % 14 {
        0 => {
            low.user(&name);
        }
        1 | 2 if !users.is_empty() => {
            let members: Vec<Uuid> = users
                .into_iter()
                .enumerate()
                .filter(|(at, _)| at % 3 == pick % 3 || *at == 0)
                .map(|(_, user)| user)
                .collect();
            low.project(&name, &members);
        }
        3 | 4 => with(&own, Kind::Project, pick, |project| ask(low, project, pick)),
        5 | 6 => edit_any(low, &own, pick, &name),
        7 => {
            low.asset(low.dataset(&name), &name);
        }
        8 => with(&own, Kind::Dataset, pick, |dataset| {
            low.asset(dataset.id, &name);
        }),
        9 => with(&own, Kind::Request, pick, |request| {
            low.approve(request.id);
        }),
        10 => with(&own, Kind::User, pick, |user| {
            low.edit(user.id, |body| {
                if let Body::User(user) = body {
                    user.institution = if user.institution.is_empty() {
                        "Institute".to_owned()
                    } else {
                        String::new()
                    };
                }
            });
        }),
        11 => with(&own, Kind::Project, pick, |project| {
            low.edit(project.id, |body| {
                if let Body::Project(project) = body {
                    let members: Vec<UserId> = users
                        .iter()
                        .skip(pick % users.len())
                        .copied()
                        .map(UserId)
                        .collect();
                    project.set_members(&members).unwrap();
                }
            });
        }),
        12 => erase_any(low, &own, pick),
        _ => {
            low.collaboration(&name, &[]);
        }
    }
}

/// Makes a request in a project: for a run, with new code or code that another request names already; or to see something.
fn ask(low: &Node, project: &Object, pick: usize) {
    let Body::Project(body) = &project.body else {
        return;
    };
    let assets = low.ids(Kind::Asset);
    let named: Vec<Uuid> = pick_of(&assets, pick)
        .copied()
        .into_iter()
        .filter(|_| pick.is_multiple_of(2))
        .collect();
    let requester = body.members[pick % body.members.len()].0;
    match pick_of(&assets, pick) {
        Some(asset) if pick.is_multiple_of(5) => {
            low.ask_for_data(project.id, *asset, requester);
            return;
        }
        Some(asset) if pick.is_multiple_of(7) => {
            low.ask_for_mock(*asset, requester);
            return;
        }
        _ => {}
    }
    let code = match pick_of(&low.ids(Kind::Code), pick) {
        Some(code) if pick.is_multiple_of(3) => *code,
        _ => low.code(requester, &named),
    };
    low.request(project.id, code, requester);
}

fn own(node: &Node) -> Vec<Object> {
    let objects = node.objects().into_iter();
    objects
        .filter(|object| object.home == node.id && !object.deleted)
        .collect()
}

fn pick_of<T>(among: &[T], pick: usize) -> Option<&T> {
    among.get(pick % among.len().max(1))
}

fn with(own: &[Object], kind: Kind, pick: usize, act: impl FnOnce(&Object)) {
    let of_kind: Vec<&Object> = own.iter().filter(|object| object.kind() == kind).collect();
    if let Some(object) = pick_of(&of_kind, pick) {
        act(object);
    }
}

fn edit_any(node: &Node, own: &[Object], pick: usize, name: &str) {
    if let Some(object) = pick_of(own, pick) {
        node.edit(object.id, |body| rename(body, name));
    }
}

fn erase_any(node: &Node, own: &[Object], pick: usize) {
    if let Some(object) = pick_of(own, pick) {
        node.erase(object.id);
    }
}

/// Half of the time everything; else some kinds only, all but some, or one person's.
fn filters(node: &Node, choice: u8) -> Filters {
    let kind = [Kind::Project, Kind::Request, Kind::Dataset, Kind::Job][usize::from(choice / 8) % 4];
    let mut filters = Filters::default();
    match choice % 8 {
        0 => filters.include = BTreeSet::from([kind]),
        1 => filters.exclude = BTreeSet::from([kind]),
        2 => {
            let user = node.ids(Kind::User).into_iter().nth(usize::from(choice / 8));
            if let Some(Body::User(user)) = user.and_then(|id| node.object(id)).map(|user| user.body) {
                filters.requester = Some(user.email.as_str().to_owned());
            }
        }
        _ => {}
    }
    filters
}

impl World {
    /// Releases all holds, brings back all that is ignored, and carries bundles back and forth, in order and each at once.
    fn settle(&mut self) {
        for node in &self.nodes {
            for ((peer, root), ()) in node.rows(&HELD) {
                node.hold(peer, root, false);
            }
            for ((peer, root), ()) in node.rows(&IGNORED) {
                node.unignore(peer, &[root]);
            }
        }
        for _round in 0..4 {
            for low in 0..2 {
                for (from, to) in [(low, HIGH), (HIGH, low)] {
                    self.export(from, to, &Filters::default(), false);
                    let (_, _, bundle) = self.flying.pop().unwrap();
                    self.import(from, to, &bundle, true);
                    self.nodes[to].apply_all(self.nodes[from].id.0);
                    self.check(to);
                }
            }
        }
    }

    fn check_end(&self) {
        for low in 0..2 {
            invariants::check_level(&self.nodes[low], &self.nodes[HIGH]);
            invariants::check_level(&self.nodes[HIGH], &self.nodes[low]);
            invariants::check_given_back(&self.nodes[HIGH], &self.nodes[low]);
            invariants::check_bytes(&self.nodes[low], &self.nodes[1 - low]);
        }
    }
}

/// Few by default, so that every build can afford them; `PROPTEST_CASES` raises the number.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(32)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_history_ends_level(steps in prop::collection::vec(step(), 1..100)) {
        let mut world = World::new();
        for step in &steps {
            world.play(step);
        }
        world.settle();
        world.check_end();
    }
}
