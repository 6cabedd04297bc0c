//! What the preview of ten changes costs on stores of different sizes.
//!
//! ```text
//! preview_cost REQUESTS REQUESTS …
//! ```
//!
//! For each size: a low node's store on disk with so many requests, all of them carried and acknowledged; then ten more. Prints the
//! median time of a preview, and what it is beside the first size's.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program for developers: the first thing that fails ends it"
)]

use std::sync::Arc;
use std::time::Instant;

use poundlock::acts::{Refusal, outgoing, peers};
use poundlock::domain::access::Actor;
use poundlock::domain::code::Code;
use poundlock::domain::id::{BundleId, CodeId, Epoch, NodeId, ProjectId, UserId};
use poundlock::domain::object::Body;
use poundlock::domain::peer::Received;
use poundlock::domain::policy::{InputPolicy, OutputPolicy};
use poundlock::domain::project::Project;
use poundlock::domain::request::Request;
use poundlock::domain::role::Preset;
use poundlock::domain::settings::Node;
use poundlock::domain::side::{Level, Side};
use poundlock::store::records::{self, Here};
use poundlock::store::sled_engine::SledEngine;
use poundlock::store::tables::{NODE, PEERS};
use poundlock::store::transaction::Tx;
use poundlock::store::writer::{Writer, WriterLimits};
use poundlock::sync::select::Filters;
use uuid::Uuid;

const CHANGES: u128 = 10;
const ROUNDS: usize = 21;
const PEER: Uuid = Uuid::from_u128(2);
const PROJECT: Uuid = Uuid::from_u128(3);

fn main() {
    let mut first = None;
    for size in std::env::args().skip(1) {
        let size: u128 = size.parse().expect("a number of requests");
        let median = measure(size);
        let beside = first.get_or_insert(median);
        println!(
            "  {size:>9} requests stored: {:8.3} ms, {:.2} of the first",
            median * 1e3,
            median / *beside
        );
    }
}

fn measure(size: u128) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engine = SledEngine::open(&folder.path().join("store")).expect("a store");
    let writer = Writer::start(Arc::new(engine), WriterLimits::default()).expect("a thread");
    run(&writer, |tx| {
        let here = here_and_now();
        let node = Node {
            id: here.node,
            side: here.side,
            epoch: here.epoch,
            pairing_epoch: None,
            setup_token: None,
            made_at: here.now,
        };
        tx.put(&NODE, &(), &node)?;
        let introduction = peers::Introduction {
            node: NodeId(PEER),
            level: Level::High,
            name: "high".to_owned(),
            epoch: Epoch(Uuid::from_u128(20)),
            identity: "identity".to_owned(),
            same_keys_as: None,
        };
        peers::introduce(tx, &owner(), &here, introduction)?;
        let (given, expected, identity) = ("1".to_owned(), "1".to_owned(), "identity".to_owned());
        peers::confirm(
            tx,
            &owner(),
            &here,
            PEER,
            &peers::Compared {
                given,
                expected,
                identity,
            },
        )?;
        let project = Project::new("Project", "", owner().user, &[])?;
        records::write(tx, &here_and_now(), PROJECT, Body::Project(project), false)?;
        Ok(())
    });
    for start in (0..size).step_by(500) {
        run(&writer, move |tx| {
            (start..size.min(start + 500)).try_for_each(|n| request(tx, n))
        });
        carry(&writer);
    }
    run(&writer, move |tx| {
        (size..size + CHANGES).try_for_each(|n| request(tx, n))
    });
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| preview(&writer)).collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn run<T: Send + 'static>(
    writer: &Writer,
    act: impl FnOnce(&mut Tx<'_>) -> Result<T, Refusal> + Send + 'static,
) -> T {
    writer.transact(act).expect("the act succeeds")
}

fn preview(writer: &Writer) -> f64 {
    let begun = Instant::now();
    let view = writer.view().expect("a view");
    let preview = outgoing::preview(&view, &owner(), PEER, &Filters::default(), false).expect("a preview");
    let taken = begun.elapsed().as_secs_f64();
    assert_eq!(
        preview.selection.taken.len(),
        usize::try_from(CHANGES).expect("ten"),
        "ten requests are owed"
    );
    taken
}

/// Packs what is owed, and lets the peer acknowledge it.
fn carry(writer: &Writer) {
    run(writer, |tx| {
        let bundle = BundleId(Uuid::new_v4());
        let parcel = outgoing::pack(
            tx,
            &owner(),
            &here_and_now(),
            PEER,
            &outgoing::Wanted::default(),
            bundle,
        )?;
        let mut peer = peers::peer(tx, PEER)?;
        let received = Received {
            highest: parcel.sequence,
            earlier: 0,
        };
        outgoing::acknowledge(
            tx,
            &here_and_now(),
            &mut peer,
            Some(here_and_now().epoch),
            received,
        )?;
        Ok(tx.put(&PEERS, &PEER, &peer)?)
    });
}

fn request(tx: &mut Tx<'_>, n: u128) -> Result<(), Refusal> {
    let (code_id, request_id) = (CodeId(Uuid::from_u128(1 << 64 | n)), Uuid::from_u128(2 << 64 | n));
    let source = format!("def mean(table):\n    return {{'number': {n}, 'mean': table['glu'].mean()}}\n");
    let input = InputPolicy::exact_match([].into())?;
    let code = Code::new(
        "mean",
        owner().user,
        &source,
        "mean",
        input,
        OutputPolicy::SingleExecution,
    )?;
    records::write(tx, &here_and_now(), code_id.0, Body::Code(code), false)?;
    let request = Request::new(ProjectId(PROJECT), code_id, owner().user, "to measure", None)?;
    records::write(tx, &here_and_now(), request_id, Body::Request(request), false)?;
    Ok(())
}

fn owner() -> Actor {
    Actor {
        user: UserId(Uuid::from_u128(9)),
        name: "Owner".to_owned(),
        permissions: Preset::Owner.role().permissions,
        groups: std::collections::BTreeSet::new(),
    }
}

fn here_and_now() -> Here {
    Here {
        node: NodeId(Uuid::from_u128(1)),
        side: Side::Low,
        epoch: Epoch(Uuid::from_u128(10)),
        now: jiff::Timestamp::UNIX_EPOCH,
        random: [7; 32],
    }
}
