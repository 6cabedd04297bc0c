//! Two nodes on the real engine, with people and a project, between which bundles go by hand. What is done on them are the
//! very acts that the product runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use poundlock::acts::accounts::{self, NewUser};
use poundlock::acts::founding::{self, Founding};
use poundlock::acts::inbox::{self, Delivery};
use poundlock::acts::notices;
use poundlock::acts::requests::{self, Draft, Submission, SubmittedCode};
use poundlock::acts::{Refusal, outgoing, peers, projects};
use poundlock::clock;
use poundlock::domain::access::Actor;
use poundlock::domain::hash::Hash;
use poundlock::domain::id::{BundleId, CodeId, Epoch, NodeId, ProjectId, RequestId, UserId};
use poundlock::domain::notification::mail_settings::Configured;
use poundlock::domain::outline::{Function, Outline, Parameter, ParameterKind, Statement, StatementKind};
use poundlock::domain::policy::{Binding, InputPolicy, OutputPolicy};
use poundlock::domain::role::Preset;
use poundlock::domain::session::Credentials;
use poundlock::domain::side::Level;
use poundlock::domain::user::Profile;
use poundlock::store::engine::Engine;
use poundlock::store::migration::migrate;
use poundlock::store::migrations::MIGRATIONS;
use poundlock::store::read::{Read, View};
use poundlock::store::records::Here;
use poundlock::store::sled_engine::SledEngine;
use poundlock::store::tables::NODE;
use poundlock::store::transaction::Tx;
use poundlock::store::writer::{Writer, WriterLimits};
use poundlock::sync::ledger::Arrival;
use poundlock::sync::review::Seen;
use poundlock::sync::select::Filters;
use uuid::Uuid;

const SCIENTIST: UserId = UserId(Uuid::from_u128(0xA));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0xB));

/// A node whose store is in a folder.
pub struct Node {
    pub id: NodeId,
    pub level: Level,
    writer: Writer,
}

/// What stands in a bundle: its header and its records, encoded.
pub struct Bundle {
    header: Delivery,
    records: Vec<Vec<u8>>,
    /// Batches that did not fit, and go with another bundle.
    pub left_over: u64,
}

/// Both sides of a gap.
pub struct Pair {
    pub low: Node,
    pub high: Node,
}

/// Opens a store as a node does that starts.
pub fn open_store(folder: &Path) -> Arc<dyn Engine> {
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(folder).expect("a store"));
    migrate(&engine, MIGRATIONS).expect("it is up to date");
    engine
}

impl Node {
    /// Opens a node's store, or makes one.
    pub fn open(folder: &Path, level: Level) -> Self {
        let engine = open_store(folder);
        let writer = Writer::start(engine, WriterLimits::default()).expect("a thread");
        let known = writer
            .view()
            .expect("a view")
            .get(&NODE, &())
            .expect("it can be read");
        let id = known
            .as_ref()
            .map_or_else(|| NodeId(clock::random_id()), |node| node.id);
        let node = Self { id, level, writer };
        if known.is_none() {
            node.found();
        }
        node
    }

    fn found(&self) {
        let founding = Founding {
            node: self.id,
            side: self.level.into(),
            epoch: Epoch(clock::random_id()),
            name: "node".to_owned(),
            setup_token: Hash::of(b"none"),
        };
        let (now, random) = (clock::now(), clock::random_bytes());
        let founded = self
            .writer
            .transact(move |tx| founding::found(tx, now, random, &founding));
        founded.expect("a new node");
        let owner = self.owner();
        let account = person(owner.user, "Olga Owner", "owner@example.org", Preset::Owner);
        self.act(move |tx, here| accounts::create_user(tx, here, Some(&owner), &account));
    }

    /// Its owner.
    pub fn owner(&self) -> Actor {
        let number = if self.level == Level::Low { 0xC } else { 0xD };
        actor(UserId(Uuid::from_u128(number)), "Olga Owner", Preset::Owner)
    }

    pub fn new_id(&self) -> Uuid {
        clock::new_id(self.level.into())
    }

    pub fn view(&self) -> View {
        self.writer.view().expect("a view")
    }

    /// Where and when something is looked at.
    pub fn here(&self) -> Here {
        Here::at(&self.view(), clock::now(), clock::random_bytes()).expect("a node")
    }

    /// Runs an act, and waits until it is on the disk.
    pub fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let (now, random) = (clock::now(), clock::random_bytes());
        let done = self.writer.transact(move |tx| {
            let here = Here::at(tx, now, random)?;
            act(tx, &here)
        });
        done.expect("the act succeeds")
    }

    /// Tells people what happened, as the notifier does.
    pub fn fan_out(&self) {
        let configured = Arc::new(Configured::default());
        loop {
            let configured = Arc::clone(&configured);
            let fanned = self.act(move |tx, here| notices::fan_out(tx, here, &configured, 256));
            if !fanned.more {
                return;
            }
        }
    }
}

impl Pair {
    /// Opens both nodes in a folder, or makes them: introduced to each other, with a scientist and a project.
    pub fn open(folder: &Path) -> Self {
        let new = !folder
            .join("low")
            .try_exists()
            .expect("the folder can be looked at");
        let low = Node::open(&folder.join("low"), Level::Low);
        let high = Node::open(&folder.join("high"), Level::High);
        let pair = Self { low, high };
        if new {
            introduce(&pair.low, &pair.high);
            introduce(&pair.high, &pair.low);
            pair.furnish();
        }
        pair
    }

    fn furnish(&self) {
        let (owner, account) = (
            self.low.owner(),
            person(SCIENTIST, "Ada", "ada@example.org", Preset::User),
        );
        self.low
            .act(move |tx, here| accounts::create_user(tx, here, Some(&owner), &account));
        self.low.act(|tx, here| {
            let draft = projects::Draft {
                name: "Study".to_owned(),
                ..projects::Draft::default()
            };
            projects::create(tx, &scientist(), here, PROJECT, &draft)?;
            projects::start(tx, &scientist(), here, PROJECT)
        });
        self.carry_up();
    }

    /// Brings all that is owed up, has it applied, and brings back that it has arrived.
    pub fn carry_up(&self) {
        import(&self.high, &export(&self.low, &self.high));
        apply(&self.high, &self.low);
        import(&self.low, &export(&self.high, &self.low));
        self.low.fan_out();
        self.high.fan_out();
    }
}

/// The scientist.
pub fn scientist() -> Actor {
    actor(SCIENTIST, "Ada", Preset::User)
}

fn actor(user: UserId, name: &str, preset: Preset) -> Actor {
    Actor {
        user,
        name: name.to_owned(),
        permissions: preset.role().permissions,
        groups: BTreeSet::new(),
    }
}

/// An account. Hashing a password is meant to be slow, so all have the same, which fits none.
pub fn person(id: UserId, name: &str, email: &str, preset: Preset) -> NewUser {
    NewUser {
        id,
        profile: Profile {
            name: name.to_owned(),
            email: email.to_owned(),
            institution: "Institute of Measurement".to_owned(),
            website: String::new(),
        },
        credentials: Credentials {
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG5vbmU$none".to_owned(),
            second_factor: None,
        },
        role: Some(preset.id().0.to_string()),
    }
}

fn introduce(here: &Node, there: &Node) {
    let epoch = there.here().epoch;
    let introduction = peers::Introduction {
        node: there.id,
        level: there.level,
        name: "the other side".to_owned(),
        epoch,
        identity: there.id.0.to_string(),
        same_keys_as: None,
    };
    let compared = peers::Compared {
        given: "1".to_owned(),
        expected: "1".to_owned(),
        identity: there.id.0.to_string(),
    };
    let (owner, peer) = (here.owner(), there.id.0);
    here.act(move |tx, here| {
        peers::introduce(tx, &owner, here, introduction)?;
        peers::confirm(tx, &owner, here, peer, &compared)
    });
}

/// Submits code and requests that it be run.
///
/// # Errors
/// The store fails.
pub fn submit(tx: &mut Tx<'_>, here: &Here, code: Uuid, request: Uuid, n: u64) -> Result<(), Refusal> {
    let ada = scientist();
    let submission = Submission {
        name: "mean".to_owned(),
        source: format!("def f(n):\n    return {{'number': {n}, 'mean': n / 2}}\n"),
        entry_point: "f".to_owned(),
        input_policy: InputPolicy::exact_match(BTreeMap::from([(
            "n".to_owned(),
            Binding::Constant(n.to_string()),
        )]))?,
        output_policy: OutputPolicy::SingleExecution,
        signature: None,
    };
    let code_id = CodeId(code);
    let judged = SubmittedCode::judge(submission.code(ada.user)?, &outline()).expect("the code is plain");
    requests::submit_code(tx, &ada, here, code_id, judged)?;
    let draft = Draft {
        project: PROJECT,
        code: code_id,
        reason: "to measure".to_owned(),
        predecessor: None,
        signature: None,
    };
    requests::create(tx, &ada, here, RequestId(request), &draft)?;
    Ok(())
}

/// What CPython's parser says of the source above.
fn outline() -> Outline {
    Outline {
        functions: vec![Function {
            name: "f".to_owned(),
            line: 1,
            is_async: false,
            is_generator: false,
            parameters: vec![Parameter {
                name: "n".to_owned(),
                kind: ParameterKind::PositionalOrKeyword,
                has_default: false,
            }],
            varargs: None,
            kwargs: None,
        }],
        statements: vec![Statement {
            line: 1,
            kind: StatementKind::Function,
            binds: vec!["f".to_owned()],
            origins: Vec::new(),
            evaluated: Vec::new(),
            body: Vec::new(),
        }],
        ..Outline::default()
    }
}

/// Has a node pack a bundle for the other.
pub fn export(from: &Node, to: &Node) -> Bundle {
    let (owner, peer, bundle) = (from.owner(), to.id.0, BundleId(clock::random_id()));
    let parcel = from.act(move |tx, here| {
        let parcel = outgoing::pack(tx, &owner, here, peer, &outgoing::Wanted::default(), bundle)?;
        let file = Hash::of(bundle.0.as_bytes());
        outgoing::written(tx, here, peer, parcel.sequence, file)?;
        Ok(parcel)
    });
    let header = Delivery {
        sender: from.id.0,
        arrival: Arrival {
            bundle: parcel.bundle,
            hash: Hash::of(parcel.bundle.0.as_bytes()),
            epoch: parcel.epoch,
            sequence: parcel.sequence,
            base: parcel.base,
            recipient_epoch: parcel.peer.epoch,
        },
        acknowledged_epoch: (parcel.received.highest > 0).then_some(parcel.peer.epoch),
        acknowledged: parcel.received,
        audit_head: parcel.audit_head,
        audit_echo: parcel.peer.audit_head,
        size: 1,
        signed_as: None,
        records: Vec::new(),
    };
    Bundle {
        header,
        records: parcel.records,
        left_over: parcel.left_over,
    }
}

/// Has a node take a bundle into its inbox.
pub fn import(to: &Node, bundle: &Bundle) {
    let mut delivery = bundle.header.clone();
    let decoded = bundle
        .records
        .iter()
        .map(|record| inbox::decode(to.level, record));
    delivery.records = decoded.collect::<Result<_, _>>().expect("honest records");
    to.act(move |tx, here| inbox::receive(tx, here, &delivery).map_err(Refusal::from));
}

/// Has the owner look at all that waits, and apply it in one act.
pub fn apply(at: &Node, from: &Node) {
    let shown = inbox::contents(&at.view(), &at.owner(), from.id.0, &Filters::default()).expect("an inbox");
    let roots: Vec<Uuid> = shown.iter().map(|shown| shown.batch.root).collect();
    let members = shown.iter().flat_map(|shown| &shown.batch.members);
    let seen: Vec<Seen> = members
        .map(|member| Seen {
            id: member.id,
            revision: member.revision,
        })
        .collect();
    let (owner, peer) = (at.owner(), from.id.0);
    at.act(move |tx, here| inbox::apply(tx, &owner, here, peer, &roots, &seen));
}
