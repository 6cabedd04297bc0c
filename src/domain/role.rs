//! Roles: named sets of permissions. They are data, of one node, and do not travel.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::access::{Actor, Denied, Permission, Permissions};
use super::id::RoleId;
use super::text::{self, Invalid};

/// The most roles of a node.
pub const ROLES_MAX: usize = 100;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// What it is called; unique on its node.
    pub name: String,
    /// What whoever has it may do.
    pub permissions: Permissions,
}

impl Role {
    /// Makes a role.
    ///
    /// # Errors
    /// The name is no name.
    pub fn new(name: &str, permissions: Permissions) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", name)?,
            permissions,
        })
    }

    /// The form under which two names count as the same: `compliance_officer` names the Compliance Officer.
    pub fn folded(name: &str) -> String {
        text::folded(&name.replace(['_', '-'], " "))
    }
}

/// The roles that every node begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Owns the node. Never changed and never deleted: somebody must be able to mend what others broke.
    Owner,
    /// Administers it for the owner.
    Administrator,
    /// Decides on requests and releases.
    ComplianceOfficer,
    /// A data scientist.
    User,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] = [
        Self::Owner,
        Self::Administrator,
        Self::ComplianceOfficer,
        Self::User,
    ];

    /// Its id, the same on every node (a UUID of version 8, which leaves its bits to the program).
    pub const fn id(self) -> RoleId {
        let number = match self {
            Self::Owner => 1,
            Self::Administrator => 2,
            Self::ComplianceOfficer => 3,
            Self::User => 4,
        };
        RoleId(Uuid::from_u128(
            0x706f_756e_646c_8000_8000_0000_0000_0000 | number,
        ))
    }

    /// The role as a new node has it.
    pub fn role(self) -> Role {
        use Permission::{
            CreateGroups, CreateUsers, EditSettings, ReadAudit, Release, SubmitRequests, Sync,
            TriageRequests, UploadData,
        };
        let (name, permissions) = match self {
            Self::Owner => ("Owner", Permissions::from(Permission::ALL)),
            Self::Administrator => (
                "Administrator",
                Permissions::from([
                    SubmitRequests,
                    TriageRequests,
                    EditSettings,
                    CreateUsers,
                    CreateGroups,
                    UploadData,
                    Release,
                    Sync,
                    ReadAudit,
                ]),
            ),
            Self::ComplianceOfficer => (
                "Compliance Officer",
                Permissions::from([SubmitRequests, TriageRequests, UploadData, Release, ReadAudit]),
            ),
            Self::User => ("User", Permissions::from([SubmitRequests])),
        };
        Role {
            name: name.to_owned(),
            permissions,
        }
    }
}

/// A role cannot be made, changed or deleted in the way that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// The actor lacks a permission.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The role is the owner's.
    #[error("the role Owner is never changed or deleted; make a role of your own instead")]
    Owner,
    /// Somebody has it.
    #[error("the role {0:?} is in use; give the people who have it another one first")]
    InUse(String),
    /// People who register themselves get it.
    #[error("people who register themselves get the role {0:?}; close registration before you delete it")]
    Registration(String),
    /// There are as many as a node keeps.
    #[error("a node has at most {ROLES_MAX} roles; delete one that nobody has")]
    TooMany,
}

/// Whether an actor may give a role its permissions: they may edit roles, have every permission that the role had, and
/// every one that it gets. So nobody gives what they do not have, and nobody takes a role from those above them.
///
/// # Errors
/// Says what they lack, or that the role is the owner's.
pub fn may_edit(
    actor: &Actor,
    id: RoleId,
    before: Option<&Role>,
    after: Option<&Role>,
) -> Result<(), RoleError> {
    actor.require(Permission::EditRoles)?;
    if id == Preset::Owner.id() {
        return Err(RoleError::Owner);
    }
    for role in before.into_iter().chain(after) {
        actor.require_all(&role.permissions)?;
    }
    Ok(())
}

/// Whether a role can be deleted.
///
/// # Errors
/// Somebody has it, or people who register themselves get it.
pub fn may_delete(id: RoleId, role: &Role, in_use: bool, registration_open: bool) -> Result<(), RoleError> {
    if in_use {
        return Err(RoleError::InUse(role.name.clone()));
    }
    if registration_open && id == Preset::User.id() {
        return Err(RoleError::Registration(role.name.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::id::UserId;
    use super::*;

    fn actor(preset: Preset) -> Actor {
        Actor {
            user: UserId(Uuid::from_u128(9)),
            name: "Olga".into(),
            permissions: preset.role().permissions,
            groups: BTreeSet::new(),
        }
    }

    #[test]
    fn the_presets_are_those_of_the_manual() {
        let has = |preset: Preset, permission| preset.role().permissions.contains(&permission);
        use Permission::*;
        let table = [
            (SubmitRequests, [true, true, true, true]),
            (TriageRequests, [true, true, true, false]),
            (EditSettings, [true, true, false, false]),
            (CreateUsers, [true, true, false, false]),
            (CreateGroups, [true, true, false, false]),
            (EditRoles, [true, false, false, false]),
            (ManageInfrastructure, [true, false, false, false]),
            (UploadData, [true, true, true, false]),
            (Release, [true, true, true, false]),
            (Sync, [true, true, false, false]),
            (ReadAudit, [true, true, true, false]),
        ];
        assert_eq!(table.len(), Permission::ALL.len());
        for (permission, expected) in table {
            let found = Preset::ALL.map(|preset| has(preset, permission));
            assert_eq!(found, expected, "{permission:?}");
        }
    }

    #[test]
    fn nobody_edits_beyond_themselves() {
        let mut editor = actor(Preset::ComplianceOfficer);
        let clerk = Role::new("Clerk", [Permission::TriageRequests].into()).unwrap();
        let id = RoleId(Uuid::from_u128(77));
        assert_eq!(
            may_edit(&editor, id, None, Some(&clerk)),
            Err(Denied(Permission::EditRoles).into())
        );
        editor.permissions.insert(Permission::EditRoles);
        assert_eq!(may_edit(&editor, id, None, Some(&clerk)), Ok(()));
        let clerk_who_syncs = Role {
            permissions: [Permission::TriageRequests, Permission::Sync].into(),
            ..clerk.clone()
        };
        let lacks_sync = Err(Denied(Permission::Sync).into());
        assert_eq!(
            may_edit(&editor, id, Some(&clerk), Some(&clerk_who_syncs)),
            lacks_sync
        );
        assert_eq!(
            may_edit(&editor, id, Some(&clerk_who_syncs), Some(&clerk)),
            lacks_sync
        );
        assert_eq!(may_edit(&editor, id, Some(&clerk_who_syncs), None), lacks_sync);
    }

    #[test]
    fn the_owners_role_stays_as_it_is() {
        let owner = actor(Preset::Owner);
        let role = Preset::Owner.role();
        assert_eq!(
            may_edit(&owner, Preset::Owner.id(), Some(&role), None),
            Err(RoleError::Owner)
        );
    }

    #[test]
    fn a_role_in_use_stays() {
        let role = Preset::User.role();
        let id = Preset::User.id();
        assert!(matches!(
            may_delete(id, &role, true, false),
            Err(RoleError::InUse(_))
        ));
        assert!(matches!(
            may_delete(id, &role, false, true),
            Err(RoleError::Registration(_))
        ));
        assert_eq!(may_delete(id, &role, false, false), Ok(()));
    }

    #[test]
    fn a_roles_name_is_found_in_every_writing() {
        assert_eq!(
            Role::folded("compliance_officer"),
            Role::folded("Compliance Officer")
        );
    }
}
