//! A node on the engine in memory, with people, data and code, for the tests of acts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use uuid::Uuid;

use super::Refusal;
use super::datasets;
use super::decisions::{Seen, Shown, decide};
use super::requests::{self, Asked, Draft, SightDraft, Submission, SubmittedCode};
use crate::domain::access::Actor;
use crate::domain::asset::{Asset, DataFormat, Mock};
use crate::domain::dataset::{Dataset, DatasetDraft, MockAccess};
use crate::domain::decision::Verdict;
use crate::domain::hash::Hash;
use crate::domain::id::{
    AssetId, CodeId, DatasetId, DecisionId, Epoch, JobId, NodeId, ProjectId, ReleaseId, RequestId, UserId,
};
use crate::domain::job::{Data, Product, Run, State};
use crate::domain::notification::{Event, Notification};
use crate::domain::object::{Body, Object};
use crate::domain::outline::{Function, Outline, Parameter, ParameterKind, Statement, StatementKind};
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::private_data::PrivateData;
use crate::domain::project::Project;
use crate::domain::release::{OutputFormat, Part, Release};
use crate::domain::request::{Request, Sight, SightType, Status};
use crate::domain::role::Preset;
use crate::domain::schema::Schema;
use crate::domain::settings::{Node, Settings};
use crate::domain::side::Side;
use crate::store::memory_engine::MemoryEngine;
use crate::store::read::{self, Read};
use crate::store::records::{self, Here};
use crate::store::tables::{NODE, OUTBOX, PRIVATE_DATA, RUNS, SETTINGS};
use crate::store::transaction::Tx;
use crate::store::writer::{TransactError, Writer, WriterLimits};

pub(crate) const THIS: NodeId = NodeId(Uuid::from_u128(1));
pub(crate) const OTHER: NodeId = NodeId(Uuid::from_u128(2));
pub(crate) const DATASET: DatasetId = DatasetId(Uuid::from_u128(20));
pub(crate) const ASSET: AssetId = AssetId(Uuid::from_u128(21));
pub(crate) const PROJECT: ProjectId = ProjectId(Uuid::from_u128(30));

/// A node whose clock goes on by a second with every act.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) writer: Writer,
    acts: AtomicU64,
}

fn actor(id: u128, name: &str, preset: Preset) -> Actor {
    Actor {
        user: UserId(Uuid::from_u128(id)),
        name: name.into(),
        permissions: preset.role().permissions,
        groups: BTreeSet::new(),
    }
}

pub(crate) fn owner() -> Actor {
    actor(10, "Olga", Preset::Owner)
}

pub(crate) fn officer() -> Actor {
    actor(11, "Carl", Preset::ComplianceOfficer)
}

pub(crate) fn ada() -> Actor {
    actor(12, "Ada", Preset::User)
}

pub(crate) fn eve() -> Actor {
    actor(13, "Eve", Preset::User)
}

/// The stable word of a conflict.
pub(crate) fn word<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    match result {
        Err(Refusal::Conflict { word, .. }) => word,
        other => panic!("not a conflict: {other:?}"),
    }
}

pub(crate) fn product(bytes: &[u8]) -> Product {
    Product {
        format: OutputFormat::Json,
        length: bytes.len() as u64,
        hash: Hash::of(bytes),
    }
}

impl Scene {
    /// A node with a dataset of one asset (with mock, and with private data on the high side) and a started project of
    /// Ada's.
    pub(crate) fn new(side: Side) -> Self {
        let writer = Writer::start(Arc::new(MemoryEngine::new()), WriterLimits::default()).unwrap();
        let scene = Self {
            writer,
            acts: AtomicU64::new(0),
        };
        scene
            .writer
            .transact(move |tx| {
                let start = "2026-11-22T08:00:00Z".parse().unwrap();
                let node = Node {
                    id: THIS,
                    side,
                    epoch: Epoch(Uuid::from_u128(3)),
                    pairing_epoch: None,
                    setup_token: None,
                    made_at: start,
                };
                tx.put(&NODE, &(), &node)?;
                tx.put(&SETTINGS, &(), &Settings::new("node").unwrap())
            })
            .unwrap();
        scene.act(furnish).unwrap();
        scene
    }

    /// Runs an act at the next second.
    pub(crate) fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Tx<'_>, &Here) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let number = self.acts.fetch_add(1, Ordering::Relaxed);
        let done = self.writer.transact(move |tx| {
            let here = at(tx, number)?;
            act(tx, &here)
        });
        done.map_err(|error| match error {
            TransactError::Refused(refusal) => refusal,
            other => panic!("{other}"),
        })
    }

    /// Lets a whole day pass.
    pub(crate) fn sleep(&self) {
        self.acts.fetch_add(24 * 60 * 60, Ordering::Relaxed);
    }

    /// What somebody is shown of a request now.
    pub(crate) fn look(&self, actor: &Actor, request: RequestId) -> Result<requests::View, Refusal> {
        let view = self.view();
        let here = at(&view, self.acts.load(Ordering::Relaxed))?;
        requests::view(&view, actor, &here, request)
    }

    pub(crate) fn view(&self) -> read::View {
        self.writer.view().unwrap()
    }

    pub(crate) fn allow_mock_runs(&self) {
        let allowed = Settings {
            allow_mock_runs: true,
            ..Settings::new("node").unwrap()
        };
        self.act(move |tx, _| Ok(tx.put(&SETTINGS, &(), &allowed)?))
            .unwrap();
    }

    /// Has the dataset hand its mocks out on request, and bear tags.
    pub(crate) fn restrict_mocks(&self, tags: &[&str]) {
        let draft = DatasetDraft {
            name: "Pima".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            mocks: MockAccess::OnRequest,
            ..DatasetDraft::default()
        };
        self.act(move |tx, here| datasets::change(tx, &owner(), here, DATASET, &draft))
            .unwrap();
    }

    /// Asks to see something; private data in Ada's project.
    pub(crate) fn see(&self, id: u128, actor: &Actor, sight: Sight) -> Result<RequestId, Refusal> {
        let ids = (RequestId(Uuid::from_u128(id)), DecisionId(Uuid::new_v4()));
        let draft = SightDraft {
            sight,
            project: (sight.kind() == SightType::PrivateData).then_some(PROJECT),
            reason: "to compare".into(),
            predecessor: None,
            signature: None,
        };
        let actor = actor.clone();
        self.act(move |tx, here| requests::ask_to_see(tx, &actor, here, ids, &draft))?;
        Ok(ids.0)
    }

    /// Submits code of Ada's.
    pub(crate) fn code(&self, id: u128, policy: OutputPolicy) -> CodeId {
        let id = CodeId(Uuid::from_u128(id));
        let code = submitted(&ada(), policy, ASSET);
        self.act(move |tx, here| requests::submit_code(tx, &ada(), here, id, code))
            .unwrap();
        id
    }

    /// Makes a request of Ada's.
    pub(crate) fn request(&self, id: u128, code: CodeId) -> RequestId {
        let id = RequestId(Uuid::from_u128(id));
        let draft = draft(code);
        self.act(move |tx, here| requests::create(tx, &ada(), here, id, &draft))
            .unwrap();
        id
    }

    /// The moment after the last act.
    pub(crate) fn now(&self) -> Timestamp {
        self.here().now
    }

    /// The node at that moment.
    pub(crate) fn here(&self) -> Here {
        at(&self.view(), self.acts.load(Ordering::Relaxed)).unwrap()
    }

    /// What has become of a request now.
    pub(crate) fn status(&self, request: RequestId) -> Status {
        self.look(&owner(), request).unwrap().status
    }

    /// What a reviewer sees of a request now.
    pub(crate) fn seen(&self, request: RequestId) -> Seen {
        let view = self.look(&owner(), request).unwrap();
        Seen {
            revision: view.request.object.revision,
            shown: match &view.asked {
                Asked::Code(code, _) => Shown::Code(code.body.hash),
                Asked::Sight(sight) => Shown::Object(sight.revision),
            },
            last_decision: view.decisions.last().map(|found| DecisionId(found.object.id)),
        }
    }

    /// Decides on a request as it is now.
    pub(crate) fn decide(
        &self,
        actor: Actor,
        request: RequestId,
        verdict: Verdict,
    ) -> Result<Object, Refusal> {
        let seen = self.seen(request);
        let id = DecisionId(Uuid::new_v4());
        self.act(move |tx, here| decide(tx, &actor, here, id, request, verdict, &seen))
    }

    /// An approval that has come from the high node of a pair.
    pub(crate) fn approved_elsewhere(&self, request: RequestId) {
        let seen = self.seen(request);
        let id = DecisionId(Uuid::new_v4());
        self.act(move |tx, here| {
            let there = Here {
                node: OTHER,
                side: Side::High,
                ..*here
            };
            decide(tx, &officer(), &there, id, request, Verdict::Approve, &seen)
        })
        .unwrap();
    }

    /// Whether the node holds private data.
    pub(crate) fn holds_private_data(&self) -> bool {
        at(&self.view(), self.acts.load(Ordering::Relaxed))
            .unwrap()
            .side
            .holds_private_data()
    }

    /// Queues, begins and ends a run on private data.
    pub(crate) fn run(&self, id: u128, request: RequestId, ended: super::runs::Ended) -> JobId {
        let job = JobId(Uuid::from_u128(id));
        let wanted = super::runs::Wanted::Request(request, Data::Private);
        self.act(move |tx, here| super::runs::queue(tx, &owner(), here, job, wanted))
            .unwrap();
        self.act(move |tx, here| super::runs::begin(tx, here, job))
            .unwrap()
            .unwrap();
        self.act(move |tx, here| super::runs::finish(tx, here, job, ended))
            .unwrap();
        job
    }

    /// The result of a run for a request, as a low node has it from its high one.
    pub(crate) fn result_arrives(&self, request: RequestId, job: JobId) -> Sight {
        let id = Uuid::new_v4();
        self.act(move |tx, here| {
            let body = Release {
                job,
                request,
                part: Part::Result,
                blob: Hash::of(b"released"),
                length: 8,
                format: OutputFormat::Json,
                by_name: owner().name,
                on: here.today(),
            };
            Ok(records::write(tx, here, id, Body::Release(body), false)?)
        })
        .unwrap();
        Sight::Release(ReleaseId(id))
    }

    /// Queues, begins and ends a run of a scientist's on mocks.
    pub(crate) fn mock_run(&self, id: u128, by: &Actor, request: RequestId) -> JobId {
        let (job, by) = (JobId(Uuid::from_u128(id)), by.clone());
        let wanted = super::runs::Wanted::Request(request, Data::Mock);
        self.act(move |tx, here| {
            super::runs::queue(tx, &by, here, job, wanted)?;
            super::runs::begin(tx, here, job)?;
            super::runs::finish(tx, here, job, succeeded(b"mock"))
        })
        .unwrap();
        job
    }

    pub(crate) fn stored_run(&self, id: JobId) -> Run {
        self.view().get(&RUNS, &id.0).unwrap().unwrap()
    }

    pub(crate) fn outbox(&self) -> Vec<Notification> {
        let found = self.view().range_from(&OUTBOX, None, usize::MAX).unwrap();
        found.into_iter().map(|(_, notification)| notification).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.outbox().into_iter().map(|it| it.event).collect()
    }

    /// The actions in the audit chain, oldest first.
    pub(crate) fn audited(&self) -> Vec<String> {
        let view = self.view();
        crate::store::audit::verify(&view).unwrap();
        let entries = crate::store::audit::entries_after(&view, 0, usize::MAX).unwrap();
        entries
            .into_iter()
            .map(|entry| entry.fields.action.as_str().to_owned())
            .collect()
    }
}

/// This node at a second of the scene's.
fn at(read: &impl Read, second: u64) -> Result<Here, Refusal> {
    let now = Timestamp::from_second(1_795_000_000 + i64::try_from(second).unwrap()).unwrap();
    let random = Hash::of(&second.to_le_bytes()).0;
    Ok(Here::at(read, now, random)?)
}

/// A result that was released for a request of Eve's, as a low node has it from its high one.
pub(crate) fn released_to_eve(scene: &Scene) -> Sight {
    let [code, request] = [45, 46].map(Uuid::from_u128);
    let submitted = submitted(&eve(), OutputPolicy::SingleExecution, ASSET);
    let written = scene.act(move |tx, here| {
        requests::submit_code(tx, &eve(), here, CodeId(code), submitted)?;
        let body = Request::new(PROJECT, CodeId(code), eve().user, "hers", None)?;
        Ok(records::write(tx, here, request, Body::Request(body), false)?)
    });
    written.unwrap();
    scene.result_arrives(RequestId(request), JobId(Uuid::from_u128(47)))
}

pub(crate) fn succeeded(bytes: &[u8]) -> super::runs::Ended {
    super::runs::Ended {
        state: State::Succeeded,
        result: Some(product(bytes)),
        log: Some(product(b"printed")),
        failure_report: None,
        used: None,
    }
}

pub(crate) fn deny(reason: &str) -> Verdict {
    Verdict::deny(reason).unwrap()
}

pub(crate) fn draft(code: CodeId) -> Draft {
    Draft {
        project: PROJECT,
        code,
        reason: "to learn".into(),
        predecessor: None,
        signature: None,
    }
}

/// `def f(table, n)`, judged.
pub(crate) fn submitted(author: &Actor, policy: OutputPolicy, asset: AssetId) -> SubmittedCode {
    let bindings = [
        ("table".to_owned(), Binding::Asset(asset)),
        ("n".to_owned(), Binding::Constant("3".into())),
    ];
    let submission = Submission {
        name: "means".into(),
        source: "def f(table, n):\n    return 1\n".into(),
        entry_point: "f".into(),
        input_policy: InputPolicy::exact_match(bindings.into()).unwrap(),
        output_policy: policy,
        signature: None,
    };
    SubmittedCode::judge(submission.code(author.user).unwrap(), &outline(&["table", "n"])).unwrap()
}

pub(crate) fn outline(parameters: &[&str]) -> Outline {
    let parameters = parameters.iter().map(|name| Parameter {
        name: (*name).to_owned(),
        kind: ParameterKind::PositionalOrKeyword,
        has_default: false,
    });
    Outline {
        functions: vec![Function {
            name: "f".into(),
            line: 1,
            is_async: false,
            is_generator: false,
            parameters: parameters.collect(),
            varargs: None,
            kwargs: None,
        }],
        statements: vec![Statement {
            line: 1,
            kind: StatementKind::Function,
            binds: vec!["f".into()],
            origins: Vec::new(),
            evaluated: Vec::new(),
            body: Vec::new(),
        }],
        ..Outline::default()
    }
}

fn furnish(tx: &mut Tx<'_>, here: &Here) -> Result<(), Refusal> {
    let dataset = DATASET;
    let description = DatasetDraft {
        name: "Pima".into(),
        ..DatasetDraft::default()
    };
    records::write(
        tx,
        here,
        dataset.0,
        Body::Dataset(Dataset::new(&description)?),
        false,
    )?;
    let mut asset = Asset::new(dataset, "women", "")?;
    asset.mock = Some(Mock {
        blob: Hash::of(b"mock"),
        length: 4,
        format: DataFormat::Csv,
        schema: Schema::Table {
            columns: Vec::new(),
            rows: 0,
        },
        is_real: false,
    });
    records::write(tx, here, ASSET.0, Body::Asset(asset), false)?;
    if here.side.holds_private_data() {
        let private = PrivateData {
            format: DataFormat::Parquet,
            length: 9,
            hash: None,
            schema: Schema::Table {
                columns: Vec::new(),
                rows: 0,
            },
            attached_at: here.now,
            attached_by: owner().user,
            rows_shared_with_mock: 0,
        };
        tx.put(&PRIVATE_DATA, &ASSET.0, &private)?;
    }
    let mut project = Project::new("study", "", ada().user, &[])?;
    project.started = true;
    records::write(tx, here, PROJECT.0, Body::Project(project), false)?;
    Ok(())
}
