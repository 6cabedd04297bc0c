//! Roles: made, changed, deleted, and who has one. A change counts from the next call of whoever has the role, because each
//! call looks it up.

use uuid::Uuid;

use super::{Refusal, settings};
use crate::domain::access::{Actor, Permission, Permissions};
use crate::domain::audit::{self, Action};
use crate::domain::id::{RoleId, UserId};
use crate::domain::role::{self, ROLES_MAX, Role, RoleError};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, HOLDERS, ROLES};
use crate::store::transaction::Tx;

impl From<RoleError> for Refusal {
    fn from(error: RoleError) -> Self {
        let word = match error {
            RoleError::Denied(denied) => return denied.into(),
            RoleError::Owner => "owners_role",
            RoleError::InUse(_) => "role_in_use",
            RoleError::Registration(_) => "role_of_registration",
            RoleError::TooMany => "too_many_roles",
        };
        Self::conflict(word, error.to_string())
    }
}

/// One role.
///
/// # Errors
/// There is none.
pub fn find(read: &impl Read, id: RoleId) -> Result<Role, Refusal> {
    read.get(&ROLES, &id.0)?.ok_or_else(|| Refusal::NotFound {
        what: "role",
        id: id.to_string(),
    })
}

/// All roles of the node, in the order of their ids: at most [`ROLES_MAX`].
///
/// # Errors
/// The store cannot be read.
pub fn list(read: &impl Read) -> Result<Vec<(RoleId, Role)>, Refusal> {
    let found = read.range_from(&ROLES, None, ROLES_MAX)?;
    Ok(found.into_iter().map(|(id, role)| (RoleId(id), role)).collect())
}

/// The role that an id or a name names.
///
/// # Errors
/// There is none.
pub fn named(read: &impl Read, name: &str) -> Result<(RoleId, Role), Refusal> {
    if let Ok(id) = name.parse::<RoleId>() {
        return Ok((id, find(read, id)?));
    }
    let folded = Role::folded(name);
    let found = list(read)?
        .into_iter()
        .find(|(_, role)| Role::folded(&role.name) == folded);
    found.ok_or_else(|| Refusal::NotFound {
        what: "role",
        id: name.chars().take(120).collect(),
    })
}

/// How many people have a role.
///
/// # Errors
/// The store cannot be read.
pub fn in_use(read: &impl Read, id: RoleId) -> Result<u64, Refusal> {
    let mut count = 0;
    read.for_each(&HOLDERS, &id.0, |_: (Uuid, Uuid), ()| {
        count += 1;
        Ok::<_, Refusal>(())
    })?;
    Ok(count)
}

/// Everybody whose account holds and who has a permission: whom an event concerns that is told to its holders.
///
/// # Errors
/// The store cannot be read.
pub fn holders(read: &impl Read, permission: Permission) -> Result<Vec<UserId>, Refusal> {
    let mut found = Vec::new();
    for (id, role) in list(read)? {
        if !role.permissions.contains(&permission) {
            continue;
        }
        read.for_each(&HOLDERS, &id.0, |(_, user): (Uuid, Uuid), ()| {
            if read.get(&ACCOUNTS, &user)?.is_some_and(|account| account.active) {
                found.push(UserId(user));
            }
            Ok::<_, Refusal>(())
        })?;
    }
    Ok(found)
}

/// Makes a role.
///
/// # Errors
/// A permission is missing, also one that the role would give; the name is wrong or taken, or there are too many roles.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RoleId,
    (name, permissions): (&str, Permissions),
) -> Result<Role, Refusal> {
    let role = Role::new(name, permissions)?;
    role::may_edit(actor, id, None, Some(&role))?;
    if list(tx)?.len() >= ROLES_MAX {
        return Err(RoleError::TooMany.into());
    }
    write(tx, actor, here, id, &role, Action::ROLE_CREATED)?;
    Ok(role)
}

/// Changes a role's name or permissions; what is none stays.
///
/// # Errors
/// A permission is missing, also one that the role gave or would give; it is the owner's; the name is wrong or taken.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RoleId,
    name: Option<&str>,
    permissions: Option<Permissions>,
) -> Result<Role, Refusal> {
    actor.require(Permission::EditRoles)?;
    let before = find(tx, id)?;
    let after = Role::new(
        name.unwrap_or(&before.name),
        permissions.unwrap_or_else(|| before.permissions.clone()),
    )?;
    role::may_edit(actor, id, Some(&before), Some(&after))?;
    if before != after {
        write(tx, actor, here, id, &after, Action::ROLE_CHANGED)?;
    }
    Ok(after)
}

/// Deletes a role that nobody has.
///
/// # Errors
/// A permission is missing, also one that the role gave; it is the owner's, or in use.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: RoleId) -> Result<(), Refusal> {
    actor.require(Permission::EditRoles)?;
    let role = find(tx, id)?;
    role::may_edit(actor, id, Some(&role), None)?;
    let open = settings::current(tx)?.allow_registration;
    role::may_delete(id, &role, in_use(tx, id)? > 0, open)?;
    tx.delete(&ROLES, &id.0)?;
    note(tx, actor, here, id, &role, Action::ROLE_DELETED)
}

fn write(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RoleId,
    role: &Role,
    action: Action,
) -> Result<(), Refusal> {
    let folded = Role::folded(&role.name);
    let taken = list(tx)?
        .into_iter()
        .any(|(other, it)| other != id && Role::folded(&it.name) == folded);
    if taken {
        return Err(Refusal::conflict(
            "name_taken",
            format!(
                "there is a role named {:?} already; choose another name",
                role.name
            ),
        ));
    }
    tx.put(&ROLES, &id.0, role)?;
    note(tx, actor, here, id, role, action)
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: RoleId,
    role: &Role,
    action: Action,
) -> Result<(), Refusal> {
    let words: Vec<_> = role.permissions.iter().map(|it| it.word()).collect();
    let details = [("name", role.name.clone()), ("permissions", words.join(" "))];
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, action, &[id.0], &details)?)
}
