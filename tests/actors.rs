//! A node's actors in this process, with a real store, a real interpreter and the real sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use actix_web::rt::System;
use jiff::Timestamp;
use poundlock::actors::ActError;
use poundlock::actors::runner::{CancelRun, Enqueue};
use poundlock::actors::triage::{Ask, Decide, Deposit, Petition, Release, Submit};
use poundlock::acts::decisions::{Seen, Shown};
use poundlock::acts::releases::{Ids, Wanted as Part};
use poundlock::acts::requests::{self, Asked, Draft, Submission};
use poundlock::acts::runs::{self, Wanted};
use poundlock::acts::{Refusal, releases};
use poundlock::domain::access::Actor;
use poundlock::domain::asset::{Asset, DataFormat, Mock};
use poundlock::domain::dataset::{Dataset, DatasetDraft};
use poundlock::domain::decision::Verdict;
use poundlock::domain::hash::Hash;
use poundlock::domain::id::{
    AssetId, CodeId, DatasetId, DecisionId, JobId, ProjectId, ReleaseId, RequestId, UserId,
};
use poundlock::domain::job::{Data, Run, State};
use poundlock::domain::object::{Body, Kind, Object};
use poundlock::domain::policy::{Binding, InputPolicy, OutputPolicy};
use poundlock::domain::project::Project;
use poundlock::domain::release;
use poundlock::domain::role::Preset;
use poundlock::domain::schema::Schema;
use poundlock::domain::side::Side;
use poundlock::node::{Config, Node, Running, make, open};
use poundlock::store::records;
use uuid::Uuid;

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(30));
const MEAN: &str = "def f(n):\n    print('seen', n)\n    return {'mean': n / 2}\n";
const ENDLESS: &str = "def f(n):\n    while True:\n        pass\n";

fn actor(id: u128, name: &str, preset: Preset) -> Actor {
    Actor {
        user: UserId(Uuid::from_u128(id)),
        name: name.into(),
        permissions: preset.role().permissions,
        groups: std::collections::BTreeSet::new(),
    }
}

fn owner() -> Actor {
    actor(10, "Olga", Preset::Owner)
}

fn ada() -> Actor {
    actor(11, "Ada", Preset::User)
}

fn config(side: Side) -> Config {
    let mut config = Config::new(side);
    config.server.stop_seconds = 0;
    config.runtime.launcher = Some(env!("CARGO_BIN_EXE_poundlock").into());
    config.runtime.python.interpreter = std::env::var_os("POUNDLOCK_TEST_PYTHON").map(Into::into);
    config.runtime.limits.wall_seconds = 120;
    config
}

/// Makes a node with a started project of Ada's.
fn made(root: &Path, side: Side) {
    make::make(root, "Lab", &config(side)).unwrap();
    on_node(root, side, |running| async {
        let write = running.node().store.act(|tx, here| {
            let mut project = Project::new("study", "", ada().user, &[])?;
            project.started = true;
            Ok(records::write(
                tx,
                here,
                PROJECT.0,
                Body::Project(project),
                false,
            )?)
        });
        write.await.unwrap();
        running
    });
}

/// Starts the node, does something with it and stops it.
fn on_node<F: Future<Output = Running>>(root: &Path, side: Side, act: impl FnOnce(Running) -> F) {
    System::new().block_on(async {
        let running = open(root, config(side)).unwrap().start().unwrap();
        running
            .node()
            .runtime
            .readiness()
            .expect("this machine must be able to sandbox");
        act(running).await.stop().await;
    });
}

async fn submit(node: &Node, id: u128, source: &str) -> Result<Object, ActError> {
    submit_bound(node, id, source, Binding::Constant("7".into())).await
}

/// Submits code whose parameter is bound to something.
async fn submit_bound(node: &Node, id: u128, source: &str, bound: Binding) -> Result<Object, ActError> {
    let bindings = [("n".to_owned(), bound)];
    let submit = Submit {
        actor: ada(),
        id: CodeId(Uuid::from_u128(id)),
        submission: Submission {
            name: "mean".into(),
            source: source.into(),
            entry_point: "f".into(),
            input_policy: InputPolicy::exact_match(bindings.into()).unwrap(),
            output_policy: OutputPolicy::ExecuteCount(5),
            signature: None,
        },
    };
    node.triage.send(submit).await.unwrap()
}

/// Submits code, requests it, and approves it.
async fn approved(node: &Node, id: u128, source: &str) -> RequestId {
    let code = CodeId(submit(node, id, source).await.unwrap().id);
    let request = RequestId(Uuid::from_u128(id + 1000));
    let petition = Petition::Make(Draft {
        project: PROJECT,
        code,
        reason: "to learn".into(),
        predecessor: None,
        signature: None,
    });
    let ask = Ask {
        actor: ada(),
        request,
        petition,
    };
    node.triage.send(ask).await.unwrap().unwrap();
    let view = move |view: &poundlock::store::read::View| {
        let here = poundlock::store::records::Here::at(view, jiff::Timestamp::UNIX_EPOCH, [0; 32])?;
        requests::view(view, &owner(), &here, request)
    };
    let view = node.store.read(view).await.unwrap();
    let Asked::Code(code, _) = view.asked else {
        panic!("it asks for a run")
    };
    let shown = Shown::Code(code.body.hash);
    let decide = Decide {
        actor: owner(),
        id: DecisionId(Uuid::new_v4()),
        request,
        verdict: Verdict::Approve,
        seen: Seen {
            revision: view.request.object.revision,
            shown,
            last_decision: None,
        },
    };
    node.triage.send(decide).await.unwrap().unwrap();
    request
}

async fn enqueue(node: &Node, request: RequestId, data: Data) -> JobId {
    enqueue_wanted(node, Wanted::Request(request, data)).await
}

async fn enqueue_wanted(node: &Node, wanted: Wanted) -> JobId {
    let id = JobId(Uuid::new_v4());
    let asked = node.runner.send(Enqueue {
        actor: owner(),
        id,
        wanted,
    });
    asked.await.unwrap().unwrap();
    id
}

async fn run(node: &Node, id: JobId) -> Run {
    node.store
        .read(move |view| runs::get(view, &owner(), id))
        .await
        .unwrap()
}

/// Waits until a run is in a state that will do. The runner tells nobody but the store.
async fn until(node: &Node, id: JobId, will_do: impl Fn(State) -> bool) -> Run {
    let waiting = async {
        loop {
            let run = run(node, id).await;
            if will_do(run.state) {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), waiting)
        .await
        .unwrap()
}

async fn release(node: &Node, job: JobId, part: release::Part, hash: Hash) -> Result<Object, ActError> {
    let ids = Ids {
        release: ReleaseId(Uuid::new_v4()),
        decision: DecisionId(Uuid::new_v4()),
    };
    let wanted = Part { job, part, hash };
    node.triage
        .send(Release {
            actor: owner(),
            ids,
            wanted,
        })
        .await
        .unwrap()
}

#[test]
fn code_is_judged_before_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("low");
    made(&root, Side::Low);
    on_node(&root, Side::Low, |running| async move {
        let node = running.node();
        let no_python = submit(node, 41, "def f(n:\n");
        let not_python = "print('at import')\ndef f(n):\n    return n\n";
        // All at once: what comes while the first outline is made goes into the next one together.
        let (good, no_python, runs_at_import, other) = tokio::join!(
            submit(node, 40, MEAN),
            no_python,
            submit(node, 42, not_python),
            submit(node, 43, "def g(n):\n    return n\n"),
        );
        assert_eq!(good.unwrap().id, Uuid::from_u128(40));
        for (refused, line) in [(no_python, 1), (runs_at_import, 1), (other, 1)] {
            match refused {
                Err(ActError::CodeRefused(problems)) => assert_eq!(problems[0].line, line, "{problems:?}"),
                other => panic!("{other:?}"),
            }
        }
        let stored = node
            .store
            .read(|view| requests::list_code(view, &ada(), None, 10));
        assert_eq!(stored.await.unwrap().objects.len(), 1);
        running
    });
}

#[test]
fn a_request_runs_and_its_result_leaves_by_its_hash_only() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    on_node(&root, Side::High, |running| async move {
        let node = running.node();
        let request = approved(node, 40, MEAN).await;
        let job = enqueue(node, request, Data::Private).await;
        let over = until(node, job, State::is_over).await;
        assert_eq!(over.state, State::Succeeded);
        let (result, log) = (over.result.unwrap(), over.log.unwrap());
        assert_eq!(log.hash, Hash::of(b"seen 7\n"));

        let wrong = release(node, job, release::Part::Result, log.hash).await;
        assert!(matches!(wrong, Err(ActError::Refusal(Refusal::Changed { .. }))));
        assert!(!node.blobs.contains(&result.hash).unwrap());
        // Somebody gets at the file after the review.
        let private = node.attachments.as_ref().unwrap();
        let kept = private
            .open_private(job.0, poundlock::store::attachments::Role::Log)
            .unwrap();
        std::fs::write(kept.path(), b"other!\n").unwrap();
        let swapped = release(node, job, release::Part::Log, log.hash).await;
        assert!(matches!(swapped, Err(ActError::Refusal(Refusal::Changed { .. }))));
        assert!(!node.blobs.contains(&Hash::of(b"other!\n")).unwrap());

        release(node, job, release::Part::Result, result.hash)
            .await
            .unwrap();
        let mut bytes = String::new();
        let mut blob = node.blobs.open_blob(&result.hash).unwrap();
        blob.read_to_string(&mut bytes).unwrap();
        assert!(bytes.contains("3.5"), "{bytes}");
        let called = node.store.read(|view| {
            let here = poundlock::store::records::Here::at(view, Timestamp::MAX, [0; 32])?;
            releases::call(view, &ada(), &here, CodeId(Uuid::from_u128(40)), [])
        });
        assert!(matches!(called.await.unwrap(), releases::Answer::Result(_)));
        running
    });
}

#[test]
fn runs_stop_when_they_are_cancelled_and_when_the_node_stops() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    let ids = std::cell::Cell::new(None);
    on_node(&root, Side::High, |running| async {
        let node = running.node();
        let first = approved(node, 40, ENDLESS).await;
        let cancelled = enqueue(node, first, Data::Private).await;
        until(node, cancelled, |state| state == State::Running).await;
        let cancel = CancelRun {
            actor: owner(),
            id: cancelled,
        };
        node.runner.send(cancel).await.unwrap().unwrap();
        assert_eq!(
            until(node, cancelled, State::is_over).await.state,
            State::Cancelled
        );

        // Two places: both are under way, and a third waits.
        let stopped = enqueue(node, first, Data::Private).await;
        let beside = enqueue(node, first, Data::Mock).await;
        for id in [stopped, beside] {
            until(node, id, |state| state == State::Running).await;
        }
        let good = approved(node, 41, MEAN).await;
        let waits = enqueue(node, good, Data::Private).await;
        assert_eq!(run(node, waits).await.state, State::Queued);
        ids.set(Some((stopped, waits)));
        running
    });
    let (stopped, waits) = ids.get().unwrap();
    System::new().block_on(async {
        let mut config = config(Side::High);
        config.runtime.python.interpreter = Some("/nowhere/python3".into());
        let running = open(&root, config).unwrap().start().unwrap();
        let node = running.node();
        assert!(node.runtime.readiness().is_err());
        assert_eq!(
            until(node, stopped, State::is_over).await.state,
            State::Interrupted
        );
        // The queue has been looked at by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            run(node, waits).await.state,
            State::Queued,
            "a run is not blamed for a node that cannot sandbox"
        );
        running.stop().await;
    });
    on_node(&root, Side::High, |running| async move {
        let node = running.node();
        assert_eq!(run(node, stopped).await.state, State::Interrupted);
        // What waited is taken up again from the store.
        assert_eq!(until(node, waits, State::is_over).await.state, State::Succeeded);
        running
    });
}

#[test]
fn what_the_node_cannot_carry_out_is_no_failure_of_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    let launcher = folder.path().join("launcher");
    let put = || std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_poundlock"), &launcher).unwrap();
    put();
    System::new().block_on(async {
        let mut config = config(Side::High);
        config.runtime.launcher = Some(launcher.clone());
        let running = open(&root, config).unwrap().start().unwrap();
        let node = running.node();
        let request = approved(node, 40, MEAN).await;
        std::fs::remove_file(&launcher).unwrap();
        let mut runs = Vec::new();
        for _ in 0..3 {
            let id = enqueue(node, request, Data::Private).await;
            let ended = until(node, id, State::is_over).await;
            assert_eq!(ended.state, State::Interrupted);
            assert!(
                ended.log.is_some() && ended.result.is_none(),
                "whoever started it reads why"
            );
            runs.push(id);
        }
        let told = node
            .store
            .read(move |view| Ok(records::children(view, request.0, Kind::Job)?));
        assert!(told.await.unwrap().is_empty(), "nobody is told that code failed");
        // Once the node can carry runs out again, each that is asked for is tried, and the rest follow.
        put();
        let last = enqueue(node, request, Data::Private).await;
        assert_eq!(until(node, last, State::is_over).await.state, State::Succeeded);
        running.stop().await;
    });
}

/// An asset whose mock the node's record names, and whose bytes are lost.
async fn asset_without_its_mock(node: &Node) -> AssetId {
    let [dataset, asset] = [Uuid::from_u128(20), Uuid::from_u128(21)];
    let write = node.store.act(move |tx, here| {
        let draft = DatasetDraft {
            name: "Pima".into(),
            ..DatasetDraft::default()
        };
        records::write(tx, here, dataset, Body::Dataset(Dataset::new(&draft)?), false)?;
        let mut women = Asset::new(DatasetId(dataset), "women", "")?;
        women.mock = Some(Mock {
            blob: Hash::of(b"lost"),
            length: 4,
            format: DataFormat::Csv,
            schema: Schema::Table {
                columns: Vec::new(),
                rows: 0,
            },
            is_real: false,
        });
        Ok(records::write(tx, here, asset, Body::Asset(women), false)?)
    });
    write.await.unwrap();
    AssetId(asset)
}

#[test]
fn what_one_run_lacks_holds_nobody_else_up() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    System::new().block_on(async {
        let mut config = config(Side::High);
        config.runtime.jobs_at_once = 1;
        let running = open(&root, config).unwrap().start().unwrap();
        let node = running.node();
        let asset = asset_without_its_mock(node).await;
        let code = |object: Object| Wanted::Code(CodeId(object.id));
        let endless = code(submit(node, 40, ENDLESS).await.unwrap());
        let lacks_its_input = code(submit_bound(node, 41, MEAN, Binding::Asset(asset)).await.unwrap());
        let good = code(submit(node, 42, MEAN).await.unwrap());
        // All wait behind the first: whoever starts one would have the queue tried again.
        let first = enqueue_wanted(node, endless).await;
        let mut lacking = Vec::new();
        for _ in 0..4 {
            lacking.push(enqueue_wanted(node, lacks_its_input).await);
        }
        let last = enqueue_wanted(node, good).await;
        until(node, first, |state| state == State::Running).await;
        let cancel = CancelRun {
            actor: owner(),
            id: first,
        };
        node.runner.send(cancel).await.unwrap().unwrap();
        assert_eq!(until(node, last, State::is_over).await.state, State::Succeeded);
        for id in lacking {
            assert_eq!(run(node, id).await.state, State::Interrupted);
        }
        running.stop().await;
    });
}

#[test]
fn a_run_that_a_crash_cut_off_is_found_and_marked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    let job = JobId(Uuid::from_u128(80));
    on_node(&root, Side::High, |running| async move {
        let node = running.node();
        let request = approved(node, 40, MEAN).await;
        // As a crash leaves it: begun in the store, and nobody at work.
        let begun = node.store.act(move |tx, here| {
            runs::queue(tx, &owner(), here, job, Wanted::Request(request, Data::Private))?;
            runs::begin(tx, here, job)
        });
        begun.await.unwrap().unwrap();
        let leftover = node.folder.spool().join("runs").join(job.to_string());
        std::fs::create_dir_all(&leftover).unwrap();
        std::fs::write(leftover.join("log"), "private").unwrap();
        running
    });
    on_node(&root, Side::High, |running| async move {
        let node = running.node();
        assert_eq!(until(node, job, State::is_over).await.state, State::Interrupted);
        assert!(
            !node
                .folder
                .spool()
                .join("runs")
                .join(job.to_string())
                .try_exists()
                .unwrap()
        );
        running
    });
}

#[test]
fn a_deposit_is_parsed_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("high");
    made(&root, Side::High);
    on_node(&root, Side::High, |running| async move {
        let node = running.node();
        let request = approved(node, 40, MEAN).await;
        let put = |name: &str, bytes: &str| {
            let file = node.folder.spool().join(name);
            std::fs::write(&file, bytes).unwrap();
            let deposit = Deposit {
                actor: owner(),
                id: JobId(Uuid::new_v4()),
                request,
                format: release::OutputFormat::Json,
                file: file.clone(),
            };
            let asked = node.triage.send(deposit);
            async move { (asked.await.unwrap(), file.try_exists().unwrap()) }
        };
        let (refused, left) = put("wrong", "{\"mean\": ").await;
        assert!(matches!(
            refused,
            Err(ActError::Refusal(Refusal::Conflict {
                word: "unreadable_data",
                ..
            }))
        ));
        assert!(!left);
        let (taken, left) = put("right", "{ \"mean\" :   1 }\n\n").await;
        let result = taken.unwrap().result.unwrap();
        assert!(result.length < 18 && !left, "{result:?}");
        running
    });
}
