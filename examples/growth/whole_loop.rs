//! Requests through the whole loop, more and more of them at once: submitted, carried up, applied, decided on, carried down.

use std::path::Path;
use std::time::{Duration, Instant};

use poundlock::acts::decisions::{Seen, Shown, decide};
use poundlock::acts::requests::{self, Asked};
use poundlock::domain::decision::Verdict;
use poundlock::domain::id::{DecisionId, RequestId};
use uuid::Uuid;

use crate::figures::{tell, tell_memory, timed};
use crate::stage::{Bundle, Node, Pair, apply, export, import, submit};

/// People who work at the same time.
const PEOPLE: u64 = 16;

/// Carries `size` requests through, on new nodes.
pub fn run(folder: &Path, size: u64) {
    let pair = Pair::open(folder);
    let (low, high) = (&pair.low, &pair.high);
    let begun = Instant::now();
    let ids: Vec<(u64, Uuid, Uuid)> = (0..size).map(|n| (n, low.new_id(), low.new_id())).collect();
    let (submitted, ()) = timed(|| {
        together(&ids, |(n, code, request)| {
            low.act(move |tx, here| submit(tx, here, code, request, n));
        });
    });
    let each = |name: &str, taken: Duration| {
        #[allow(clippy::cast_precision_loss)]
        tell(name, "ms/req", taken.as_secs_f64() * 1e3 / size as f64);
    };
    each("submit (16 people)", submitted);
    carry(low, high, ["export up", "import", "apply"], &each);
    let (decided, ()) = timed(|| together(&ids, |(_, _, request)| approve(high, RequestId(request))));
    each("look and decide (16 people)", decided);
    carry(high, low, ["export down", "import below", "apply below"], &each);
    each("all of it", begun.elapsed());
    tell_memory("memory of both nodes");
}

/// Has several people share some work, one after the other each.
fn together<T: Copy + Sync>(work: &[T], one: impl Fn(T) + Sync) {
    let share = work
        .len()
        .div_ceil(usize::try_from(PEOPLE).expect("a small number"));
    std::thread::scope(|threads| {
        for part in work.chunks(share.max(1)) {
            threads.spawn(|| part.iter().for_each(|item| one(*item)));
        }
    });
}

/// Carries all that is owed, in as many bundles as it needs.
fn carry(from: &Node, to: &Node, names: [&str; 3], each: &impl Fn(&str, Duration)) {
    let (exported, bundles) = timed(|| {
        let mut bundles: Vec<Bundle> = Vec::new();
        loop {
            let bundle = export(from, to);
            let last = bundle.left_over == 0;
            bundles.push(bundle);
            if last {
                return bundles;
            }
        }
    });
    let (imported, ()) = timed(|| bundles.iter().for_each(|bundle| import(to, bundle)));
    let (applied, ()) = timed(|| apply(to, from));
    for (name, taken) in names.iter().zip([exported, imported, applied]) {
        each(name, taken);
    }
}

/// Looks at a request and approves what was seen.
fn approve(node: &Node, request: RequestId) {
    let owner = node.owner();
    let shown = requests::view(&node.view(), &owner, &node.here(), request).expect("the request");
    let Asked::Code(code, _) = &shown.asked else {
        return;
    };
    let seen = Seen {
        revision: shown.request.object.revision,
        shown: Shown::Code(code.body.hash),
        last_decision: None,
    };
    let id = DecisionId(node.new_id());
    node.act(move |tx, here| decide(tx, &owner, here, id, request, Verdict::Approve, &seen));
}
