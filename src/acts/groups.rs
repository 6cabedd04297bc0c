//! Groups and who is in them.

use uuid::Uuid;

use super::{Refusal, accounts};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::group::{GROUPS_MAX, GROUPS_OF_ONE_MAX, Group};
use crate::domain::id::{GroupId, UserId};
use crate::domain::text;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{GROUPS, MEMBER_OF, MEMBERS};
use crate::store::transaction::Tx;

/// One group.
///
/// # Errors
/// There is none.
pub fn find(read: &impl Read, id: GroupId) -> Result<Group, Refusal> {
    read.get(&GROUPS, &id.0)?.ok_or_else(|| Refusal::NotFound {
        what: "group",
        id: id.to_string(),
    })
}

/// The group that an id or a name names.
///
/// # Errors
/// There is none.
pub fn named(read: &impl Read, name: &str) -> Result<(GroupId, Group), Refusal> {
    if let Ok(id) = name.parse::<GroupId>() {
        return Ok((id, find(read, id)?));
    }
    let folded = text::folded(name);
    let mut found = None;
    read.for_each(&GROUPS, &(), |id, group: Group| {
        if group.folded() == folded {
            found = Some((GroupId(id), group));
        }
        Ok::<_, Refusal>(())
    })?;
    found.ok_or_else(|| Refusal::NotFound {
        what: "group",
        id: name.chars().take(120).collect(),
    })
}

/// The group that an id or a name names, where the actor may know of it.
///
/// # Errors
/// There is none such: whether there is one is not told by it.
pub fn known(read: &impl Read, actor: &Actor, name: &str) -> Result<(GroupId, Group), Refusal> {
    let missing = || Refusal::NotFound {
        what: "group",
        id: name.chars().take(120).collect(),
    };
    match named(read, name) {
        Ok(found) if found.1.is_known_to(actor) => Ok(found),
        Ok(_) | Err(Refusal::NotFound { .. }) => Err(missing()),
        Err(other) => Err(other),
    }
}

/// A page of the groups that the actor may see, after the one with the id `after`: all for those who make groups, their own for others.
///
/// # Errors
/// The store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<(GroupId, Group)>, Refusal> {
    if actor.may(Permission::CreateGroups) {
        let found = read.range_from(&GROUPS, after.as_ref(), limit)?;
        return Ok(found
            .into_iter()
            .map(|(id, group)| (GroupId(id), group))
            .collect());
    }
    let mut own = of(read, actor.user)?;
    own.retain(|(id, _)| after.is_none_or(|after| id.0 > after));
    own.truncate(limit);
    Ok(own)
}

/// The groups that somebody is in, in the order of their ids.
///
/// # Errors
/// The store cannot be read.
pub fn of(read: &impl Read, user: UserId) -> Result<Vec<(GroupId, Group)>, Refusal> {
    let listed = read.range_prefix(&MEMBER_OF, &user.0, None, GROUPS_OF_ONE_MAX)?;
    let mut found = Vec::with_capacity(listed.len());
    for ((_, id), ()) in listed {
        if let Some(group) = read.get(&GROUPS, &id)? {
            found.push((GroupId(id), group));
        }
    }
    Ok(found)
}

/// A page of a group's members, after the one with the id `after`.
///
/// # Errors
/// The permission is missing, or there is no such group.
pub fn members(
    read: &impl Read,
    actor: &Actor,
    id: GroupId,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<accounts::Person>, Refusal> {
    actor.require(Permission::CreateGroups)?;
    find(read, id)?;
    let after = after.map(|user| (id.0, user));
    let mut found = Vec::new();
    for ((_, user), ()) in read.range_prefix(&MEMBERS, &id.0, after.as_ref(), limit)? {
        found.extend(accounts::person(read, UserId(user))?);
    }
    Ok(found)
}

/// Makes a group.
///
/// # Errors
/// The permission is missing, a field is wrong, the name is taken, or there are too many groups.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: GroupId,
    (name, description): (&str, &str),
) -> Result<Group, Refusal> {
    actor.require(Permission::CreateGroups)?;
    let group = Group::new(name, description)?;
    if tx.range_from(&GROUPS, None, GROUPS_MAX)?.len() >= GROUPS_MAX {
        return Err(Refusal::conflict(
            "too_many_groups",
            format!("a node has at most {GROUPS_MAX} groups; delete one that nobody needs"),
        ));
    }
    write(tx, id, &group)?;
    note(tx, actor, here, Action::GROUP_CREATED, (id, &group), None)?;
    Ok(group)
}

/// Changes a group's name or description; what is none stays. Datasets name groups, so a new name opens and closes them.
///
/// # Errors
/// The permission is missing, there is no such group, a field is wrong, or the name is taken.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: GroupId,
    name: Option<&str>,
    description: Option<&str>,
) -> Result<Group, Refusal> {
    actor.require(Permission::CreateGroups)?;
    let before = find(tx, id)?;
    let after = Group::new(
        name.unwrap_or(&before.name),
        description.unwrap_or(&before.description),
    )?;
    if before != after {
        write(tx, id, &after)?;
        note(tx, actor, here, Action::GROUP_CHANGED, (id, &after), None)?;
    }
    Ok(after)
}

/// Deletes a group. Datasets that name it are visible to one group less.
///
/// # Errors
/// The permission is missing, or there is no such group.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: GroupId) -> Result<(), Refusal> {
    actor.require(Permission::CreateGroups)?;
    let group = find(tx, id)?;
    let mut members = Vec::new();
    tx.for_each(&MEMBERS, &id.0, |key: (Uuid, Uuid), ()| {
        members.push(key);
        Ok::<_, Refusal>(())
    })?;
    for (group, user) in members {
        tx.delete(&MEMBERS, &(group, user))?;
        tx.delete(&MEMBER_OF, &(user, group))?;
    }
    tx.delete(&GROUPS, &id.0)?;
    note(tx, actor, here, Action::GROUP_DELETED, (id, &group), None)
}

/// Puts somebody into a group. Somebody who is in it already stays in it.
///
/// # Errors
/// The permission is missing, there is no such group or account, or they are in too many groups.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: GroupId, user: UserId) -> Result<(), Refusal> {
    actor.require(Permission::CreateGroups)?;
    let group = find(tx, id)?;
    accounts::account(tx, user)?;
    if tx.contains(&MEMBERS, &(id.0, user.0))? {
        return Ok(());
    }
    if of(tx, user)?.len() >= GROUPS_OF_ONE_MAX {
        return Err(Refusal::conflict(
            "too_many_groups",
            format!("nobody is in more than {GROUPS_OF_ONE_MAX} groups; take them out of one first"),
        ));
    }
    tx.put(&MEMBERS, &(id.0, user.0), &())?;
    tx.put(&MEMBER_OF, &(user.0, id.0), &())?;
    note(tx, actor, here, Action::GROUP_JOINED, (id, &group), Some(user))
}

/// Takes somebody out of a group.
///
/// # Errors
/// The permission is missing, there is no such group, or they are not in it.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: GroupId, user: UserId) -> Result<(), Refusal> {
    actor.require(Permission::CreateGroups)?;
    let group = find(tx, id)?;
    if !tx.contains(&MEMBERS, &(id.0, user.0))? {
        return Err(Refusal::NotFound {
            what: "member of the group",
            id: user.to_string(),
        });
    }
    tx.delete(&MEMBERS, &(id.0, user.0))?;
    tx.delete(&MEMBER_OF, &(user.0, id.0))?;
    note(tx, actor, here, Action::GROUP_LEFT, (id, &group), Some(user))
}

/// Takes somebody who is deleted out of all groups.
pub(super) fn leave_all(tx: &mut Tx<'_>, user: UserId) -> Result<(), Refusal> {
    for ((_, group), ()) in tx.range_prefix(&MEMBER_OF, &user.0, None, usize::MAX)? {
        tx.delete(&MEMBERS, &(group, user.0))?;
        tx.delete(&MEMBER_OF, &(user.0, group))?;
    }
    Ok(())
}

fn write(tx: &mut Tx<'_>, id: GroupId, group: &Group) -> Result<(), Refusal> {
    match named(tx, &group.name) {
        Ok((other, _)) if other != id => {
            return Err(Refusal::conflict(
                "name_taken",
                format!(
                    "there is a group named {:?} already; choose another name",
                    group.name
                ),
            ));
        }
        Ok(_) | Err(Refusal::NotFound { .. }) => {}
        Err(other) => return Err(other),
    }
    Ok(tx.put(&GROUPS, &id.0, group)?)
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    action: Action,
    (id, group): (GroupId, &Group),
    user: Option<UserId>,
) -> Result<(), Refusal> {
    let subjects: Vec<Uuid> = [id.0].into_iter().chain(user.map(|user| user.0)).collect();
    let by = audit::Actor::User(actor.user.0);
    let details = [("name", group.name.clone())];
    Ok(records::audit(tx, here, by, action, &subjects, &details)?)
}
