//! What an inbox takes in, refuses and lets a person do with it, one behaviour each. Whole histories are in
//! `acts::histories`.

mod arriving;
mod fitting;
mod honesty;
mod owing;
mod pairing_anew;
mod reviewing;
mod telling;

use uuid::Uuid;

use super::{ImportRefused, Receipt};
use crate::acts::Refusal;
use crate::acts::histories::courier::{Bundle, ByHand, Courier, carry, export, receive};
use crate::acts::histories::node::{Node, confirm_epoch, introduce, pair};
use crate::acts::histories::people::rename;
use crate::domain::object::Body;
use crate::domain::side::Level;
use crate::store::tables::OWED;
use crate::sync::ledger::{Place, Refused};
use crate::sync::select::Filters;

/// A low and a high node, paired.
fn two() -> (Node, Node) {
    let (low, high) = (Node::new(1, Level::Low), Node::new(3, Level::High));
    pair(&low, &high);
    (low, high)
}

/// Two low nodes and their high one.
fn three() -> (Node, Node, Node) {
    let (low, high) = two();
    let other = Node::new(2, Level::Low);
    pair(&other, &high);
    (low, other, high)
}

/// What a node owes a peer.
fn owed(node: &Node, peer: &Node) -> Vec<Uuid> {
    let owed = node.rows(&OWED).into_iter();
    owed.filter(|((to, _), _)| *to == peer.id.0)
        .map(|((_, id), _)| id)
        .collect()
}

/// Why a bundle is refused; the refusal must change nothing.
fn refused(to: &Node, bundle: &Bundle) -> ImportRefused {
    let before = to.dump();
    let refused = receive(to, bundle).unwrap_err();
    assert!(to.dump() == before, "a refused bundle changed something");
    refused
}

/// The stable word of a conflict.
fn word<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    match result {
        Err(Refusal::Conflict { word, .. }) => word,
        other => panic!("no conflict: {other:?}"),
    }
}

/// Has the other side receive and acknowledge all that was sent so far, applying nothing.
fn acknowledge(receiver: &Node, sender: &Node) -> Receipt {
    ByHand.import(sender, &export(receiver, sender)).unwrap()
}
