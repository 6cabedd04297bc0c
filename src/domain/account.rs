//! Accounts: what a person may do on this node. Kept apart from the person, whose public part travels.

use serde::{Deserialize, Serialize};

use super::access::{Actor, Denied, Permission, Permissions};
use super::id::{RoleId, UserId};
use super::role::Preset;

/// An account. A person without one is known here and cannot sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What they may do.
    pub role: RoleId,
    /// Whether they may sign in. Somebody who is deactivated is signed out everywhere and keeps all that is theirs.
    pub active: bool,
}

impl Account {
    /// Whether it is an owner's that holds.
    pub fn is_active_owner(&self) -> bool {
        self.active && self.role == Preset::Owner.id()
    }
}

/// Somebody's account cannot be changed in the way that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The actor lacks a permission.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Nobody would own the node any more.
    #[error("this is the last owner of the node; make another owner first")]
    LastOwner,
    /// People do not deactivate themselves: they would be locked out in the middle of it.
    #[error("nobody deactivates themselves; ask another person who may")]
    Oneself,
    /// A session alone, left open or stolen, must not be enough to take an account over.
    #[error(
        "nobody makes a token for their own password; change it in your own account, which asks for the present one"
    )]
    OwnPassword,
    /// The account was deactivated by people who can activate it again.
    #[error(
        "this account is deactivated, which an owner of the node decides: `poundlock user set EMAIL --active true`"
    )]
    Deactivated,
}

/// Whether somebody with the permissions `has` may act on the account of somebody with the permissions `theirs`: give them a role,
/// deactivate them, hand them a new password. They must have every permission that the other has, or they could raise themselves
/// through the other's account.
///
/// # Errors
/// Says what they lack.
pub fn may_administer(has: &Permissions, theirs: &Permissions) -> Result<(), Denied> {
    let mut needed = std::iter::once(&Permission::CreateUsers).chain(theirs);
    match needed.find(|permission| !has.contains(permission)) {
        Some(missing) => Err(Denied(*missing)),
        None => Ok(()),
    }
}

/// Whether an actor may hand a token for a new password over to somebody: only to somebody else. Whoever changes their own
/// password shows the one before.
///
/// # Errors
/// It is the actor's own account.
pub fn may_offer_reset(actor: &Actor, user: UserId) -> Result<(), AccountError> {
    if actor.user == user {
        return Err(AccountError::OwnPassword);
    }
    Ok(())
}

/// Whether an account may become another. `owners` counts the active owners of the node, and `after` is none where the
/// account is deleted.
///
/// # Errors
/// Nobody would own the node any more, or the actor would deactivate themselves.
pub fn may_become(
    actor: &Actor,
    user: UserId,
    before: &Account,
    after: Option<&Account>,
    owners: u64,
) -> Result<(), AccountError> {
    let stays_owner = after.is_some_and(Account::is_active_owner);
    if before.is_active_owner() && !stays_owner && owners <= 1 {
        return Err(AccountError::LastOwner);
    }
    if actor.user == user && after.is_some_and(|after| !after.active) {
        return Err(AccountError::Oneself);
    }
    Ok(())
}

/// Whether whoever runs the machine may open an account again that its person cannot get into. One that was deactivated stays
/// so as long as an owner is there to decide on it; the owner that a node has none beside is activated, too.
///
/// # Errors
/// An owner has to activate it first.
pub fn may_be_recovered(theirs: &Account, owners: u64) -> Result<(), AccountError> {
    let alone = theirs.role == Preset::Owner.id() && owners == 0;
    if theirs.active || alone {
        Ok(())
    } else {
        Err(AccountError::Deactivated)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    fn actor(preset: Preset) -> Actor {
        Actor {
            user: UserId(Uuid::from_u128(1)),
            name: "Olga".into(),
            permissions: preset.role().permissions,
            groups: BTreeSet::new(),
        }
    }

    fn account(preset: Preset, active: bool) -> Account {
        Account {
            role: preset.id(),
            active,
        }
    }

    #[test]
    fn nobody_administers_those_above_them() {
        let may = |one: Preset, other: Preset| {
            may_administer(&one.role().permissions, &other.role().permissions).is_ok()
        };
        assert!(may(Preset::Administrator, Preset::User));
        assert!(may(Preset::Administrator, Preset::Administrator));
        assert!(!may(Preset::Administrator, Preset::Owner));
        assert!(!may(Preset::ComplianceOfficer, Preset::User));
        assert!(
            !may(Preset::User, Preset::User),
            "to have what the other has is not enough"
        );
    }

    #[test]
    fn the_last_owner_stays() {
        let owner = actor(Preset::Owner);
        let other = UserId(Uuid::from_u128(2));
        let before = account(Preset::Owner, true);
        let demoted = account(Preset::User, true);
        let inactive = account(Preset::Owner, false);
        for after in [Some(&demoted), Some(&inactive), None] {
            let becomes = |owners| may_become(&owner, other, &before, after, owners);
            assert_eq!(becomes(1), Err(AccountError::LastOwner));
            assert_eq!(becomes(2), Ok(()));
        }
        // An owner who is deactivated already is none that the node depends on.
        assert_eq!(may_become(&owner, other, &inactive, None, 1), Ok(()));
    }

    #[test]
    fn the_machine_activates_nobody_whom_an_owner_could() {
        for (preset, active, owners, expected) in [
            (Preset::Owner, true, 1, true),
            (Preset::User, true, 1, true),
            (Preset::Owner, false, 0, true),
            (Preset::Owner, false, 1, false),
            (Preset::User, false, 1, false),
            (Preset::User, false, 0, false),
        ] {
            let may = may_be_recovered(&account(preset, active), owners);
            assert_eq!(may.is_ok(), expected, "{preset:?} {active} {owners}");
        }
    }

    #[test]
    fn nobody_hands_themselves_a_new_password() {
        let owner = actor(Preset::Owner);
        assert_eq!(
            may_offer_reset(&owner, owner.user),
            Err(AccountError::OwnPassword)
        );
        assert_eq!(may_offer_reset(&owner, UserId(Uuid::from_u128(2))), Ok(()));
    }

    #[test]
    fn nobody_deactivates_themselves() {
        let owner = actor(Preset::Owner);
        let (before, after) = (account(Preset::Owner, true), account(Preset::Owner, false));
        assert_eq!(
            may_become(&owner, owner.user, &before, Some(&after), 5),
            Err(AccountError::Oneself)
        );
    }
}
