//! What finding people costs on nodes with different numbers of them.

use std::path::Path;

use poundlock::acts::accounts::{self, Presented, Wanted};
use poundlock::domain::id::{SessionId, UserId};
use poundlock::domain::role::Preset;
use poundlock::domain::session::token_hash;
use poundlock::domain::side::Level;
use uuid::Uuid;

use crate::figures::{median, tell_memory, tell_time, timed};
use crate::stage::{Node, person};

const ROUNDS: u64 = 21;
const AT_ONCE: u64 = 500;

/// Makes so many accounts.
pub fn build(folder: &Path, size: u64) {
    let node = Node::open(folder, Level::Low);
    for start in (0..size).step_by(usize::try_from(AT_ONCE).expect("a small number")) {
        let owner = node.owner();
        let ids: Vec<(u64, Uuid)> = (start..size.min(start + AT_ONCE))
            .map(|n| (n, node.new_id()))
            .collect();
        node.act(move |tx, here| {
            ids.iter().try_for_each(|(n, id)| {
                let account = person(UserId(*id), &format!("Person {n}"), &address(*n), Preset::User);
                accounts::create_user(tx, here, Some(&owner), &account).map(drop)
            })
        });
        node.fan_out();
    }
}

fn address(n: u64) -> String {
    format!("person{n}@example.org")
}

/// Signs people in, and looks for them.
pub fn find(folder: &Path, size: u64) {
    let node = Node::open(folder, Level::Low);
    let owner = node.owner();
    let somebody = |round: u64| round * (size / ROUNDS) % size;
    let mut times: [Vec<_>; 6] = Default::default();
    for round in 0..ROUNDS {
        let n = somebody(round);
        let view = node.view();
        let (looked_up, found) = timed(|| accounts::credentials(&view, &address(n)).expect("it can be read"));
        let (user, verified) = found.expect("an account");
        let token = token_hash(&format!("token {round}"));
        let presented = Presented {
            user,
            verified,
            code: None,
            session: SessionId(Uuid::new_v4()),
            token,
            agent: "growth".to_owned(),
            from: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let (signed_in, _) = timed(|| node.act(move |tx, here| accounts::sign_in(tx, here, &presented)));
        let view = node.view();
        let now = node.here().now;
        let (known, caller) = timed(|| accounts::caller(&view, &token, now).expect("it can be read"));
        assert!(caller.is_some(), "the session holds");
        let list =
            |wanted: &Wanted| timed(|| accounts::list(&view, &owner, wanted, None, 50).expect("a page"));
        let (listed, (page, _)) = list(&Wanted::default());
        assert_eq!(page.len(), 50, "a full page");
        let search = Wanted {
            search: Some("nobody has this name".to_owned()),
            ..Wanted::default()
        };
        let (searched, _) = list(&search);
        let by_address = Wanted {
            email: Some(address(n)),
            ..Wanted::default()
        };
        let (found, ()) = timed(|| find_one(&node, &by_address));
        for (times, taken) in times
            .iter_mut()
            .zip([looked_up, signed_in, known, listed, searched, found])
        {
            times.push(taken);
        }
    }
    let names = [
        "look up who signs in",
        "sign in",
        "look up a session",
        "list the first page of 50",
        "a page of a search",
        "find somebody by their address",
    ];
    for (name, times) in names.iter().zip(times) {
        tell_time(name, median(times));
    }
    tell_memory("memory");
}

/// Goes through the pages of a list until somebody is on one.
fn find_one(node: &Node, wanted: &Wanted) {
    let (view, owner) = (node.view(), node.owner());
    let mut place = None;
    loop {
        let (found, next) = accounts::list(&view, &owner, wanted, place, 50).expect("a page");
        if !found.is_empty() {
            return;
        }
        place = Some(next.expect("they are on some page"));
    }
}
