//! People: made, found, changed, deactivated and deleted.

use std::sync::Arc;

use super::{Person, Refusal, account, administered, by_address, node, person, sessions, with_account};
use crate::acts::{groups, listing, roles, settings};
use crate::domain::access::{Actor, Facts, Permission, Viewer, may_see};
use crate::domain::account::{self as rules, Account};
use crate::domain::audit::{self, Action};
use crate::domain::id::{GroupId, RoleId, UserId};
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::role::Preset;
use crate::domain::session::Credentials;
use crate::domain::text;
use crate::domain::user::{Profile, User};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::{ACCOUNTS, CREDENTIALS, HOLDERS, MEMBERS};
use crate::store::transaction::Tx;

/// A new account.
#[derive(Debug)]
pub struct NewUser {
    /// The id of the account.
    pub id: UserId,
    /// Who it is for.
    pub profile: Profile,
    /// Argon2id hash of the password.
    pub credentials: Credentials,
    /// The id or name of the role; User if nothing is said.
    pub role: Option<String>,
}

/// Whether somebody may make an account: a signed-in person with the permission, or anybody where registration is open, who
/// gets the role User, whatever it allows.
///
/// # Errors
/// They may not; there is no such role; or it has permissions that its giver lacks.
pub fn may_create_user(
    read: &impl Read,
    actor: Option<&Actor>,
    role: Option<&str>,
) -> Result<RoleId, Refusal> {
    let Some(actor) = actor else {
        if settings::current(read)?.allow_registration {
            return Ok(Preset::User.id());
        }
        return Err(Refusal::conflict(
            "registration_closed",
            "people do not register themselves on this node; ask its owner for an account",
        ));
    };
    actor.require(Permission::CreateUsers)?;
    let (id, role) = match role {
        Some(name) => roles::named(read, name)?,
        None => (Preset::User.id(), roles::find(read, Preset::User.id())?),
    };
    actor.require_all(&role.permissions)?;
    Ok(id)
}

/// Makes an account. A person who was given back to a restored node has none: whoever may create users gives them one again, and a
/// stranger with their address does not become them.
///
/// # Errors
/// See [`may_create_user`]; or a field is wrong, or the address has an account.
pub fn create_user(
    tx: &mut Tx<'_>,
    here: &Here,
    actor: Option<&Actor>,
    wanted: &NewUser,
) -> Result<Person, Refusal> {
    let role = may_create_user(tx, actor, wanted.role.as_deref())?;
    let account = Account { role, active: true };
    let before = match actor {
        Some(_) => without_account(tx, &wanted.profile.email)?,
        None => None,
    };
    let (id, user) = match before {
        Some((id, user)) => (id, user.with_profile(&wanted.profile)?),
        None => (wanted.id, User::new(&wanted.profile)?),
    };
    let made = write_user(tx, here, id, user, &account, &wanted.credentials)?;
    let by = audit::Actor::User(actor.map_or(made.id, |actor| actor.user.0));
    let details = [("role", roles::find(tx, role)?.name)];
    records::audit(tx, here, by, Action::USER_CREATED, &[made.id], &details)?;
    records::notify(tx, here, Event::Welcome, Some(made.id), Some(id))?;
    if actor.is_none() {
        records::notify(tx, here, Event::UserRegistered, Some(made.id), None)?;
    }
    with_account(tx, made)
}

/// The person of this node who has an address, and no account.
fn without_account(read: &impl Read, email: &str) -> Result<Option<(UserId, User)>, Refusal> {
    let Some(id) = by_address(read, node(read)?.id, email)? else {
        return Ok(None);
    };
    if read.contains(&ACCOUNTS, &id.0)? {
        return Ok(None);
    }
    Ok(match records::object(read, id.0)?.map(|object| object.body) {
        Some(Body::User(user)) => Some((id, user)),
        _ => None,
    })
}

pub(super) fn write_user(
    tx: &mut Tx<'_>,
    here: &Here,
    id: UserId,
    user: User,
    account: &Account,
    credentials: &Credentials,
) -> Result<Object, Refusal> {
    let object = records::write(tx, here, id.0, Body::User(user), false)?;
    tx.put(&CREDENTIALS, &id.0, credentials)?;
    tx.put(&ACCOUNTS, &id.0, account)?;
    tx.put(&HOLDERS, &(account.role.0, id.0), &())?;
    Ok(object)
}

/// What people are looked for by; all of it must fit.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Words that stand in the name, the address or the institution.
    pub search: Option<String>,
    /// The whole name.
    pub name: Option<String>,
    /// The whole address.
    pub email: Option<String>,
    /// Id or name of a role.
    pub role: Option<String>,
    /// Id or name of a group.
    pub group: Option<String>,
}

/// The people that the actor may see, newest first.
///
/// # Errors
/// There is no such role, or no such group that the actor may know of; or the store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    wanted: &Wanted,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<(Vec<Person>, Option<listing::Place>), Refusal> {
    let role = wanted.role.as_ref().map(|name| roles::named(read, name));
    let role = role.transpose()?.map(|(id, _)| id);
    let group = wanted.group.as_ref().map(|name| groups::known(read, actor, name));
    let group = group.transpose()?.map(|(id, _)| id);
    let viewer = Viewer::Person(actor.clone());
    let keep = |object: &Object| -> Result<bool, Refusal> {
        let Body::User(user) = &object.body else {
            return Ok(false);
        };
        Ok(may_see(&viewer, object, Facts::default())
            && fits(wanted, user)
            && in_role_and_group(read, UserId(object.id), role, group)?)
    };
    if let Some(email) = &wanted.email {
        // An address is one person's: nobody else has to be looked at.
        let found = match before {
            None => by_address(read, node(read)?.id, email)?,
            Some(_) => None,
        };
        let found = found.map(|id| person(read, id)).transpose()?.flatten();
        return Ok(match found {
            Some(found) if limit > 0 && keep(&found.object)? => (vec![found], None),
            _ => (Vec::new(), None),
        });
    }
    let listed = listing::page(read, Kind::User, before, limit, keep)?;
    let people = listed
        .objects
        .into_iter()
        .map(|object| with_account(read, Arc::unwrap_or_clone(object)));
    Ok((people.collect::<Result<_, _>>()?, listed.next))
}

fn fits(wanted: &Wanted, user: &User) -> bool {
    let everything = [&user.name, user.email.as_str(), &user.institution]
        .join("\n")
        .to_lowercase();
    let search = wanted.search.as_deref().unwrap_or_default().to_lowercase();
    search.split_whitespace().all(|word| everything.contains(word))
        && wanted
            .name
            .as_ref()
            .is_none_or(|name| text::folded(name) == text::folded(&user.name))
}

fn in_role_and_group(
    read: &impl Read,
    user: UserId,
    role: Option<RoleId>,
    group: Option<GroupId>,
) -> Result<bool, Refusal> {
    let has_role = match role {
        Some(role) => read.contains(&HOLDERS, &(role.0, user.0))?,
        None => true,
    };
    Ok(has_role
        && match group {
            Some(group) => read.contains(&MEMBERS, &(group.0, user.0))?,
            None => true,
        })
}

/// One person.
///
/// # Errors
/// There is none, or the actor may not know of them.
pub fn user(read: &impl Read, actor: &Actor, id: UserId) -> Result<Person, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let found = person(read, id)?.filter(|person| may_see(&viewer, &person.object, Facts::default()));
    found.ok_or_else(|| Refusal::no(Kind::User, id))
}

/// What somebody changes of what they say of themselves; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// How they want to be called.
    pub name: Option<String>,
    /// Their address. Whoever calls has seen their password.
    pub email: Option<String>,
    /// Their institution.
    pub institution: Option<String>,
    /// Their web page.
    pub website: Option<String>,
}

/// Changes what the actor says of themselves. A token for a new password that went to the address before ends with it.
///
/// # Errors
/// A field is wrong, or the address has an account.
pub fn change_profile(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    change: &ProfileChange,
) -> Result<Person, Refusal> {
    let before = user(tx, actor, actor.user)?;
    let Body::User(old) = &before.object.body else {
        return Err(Refusal::no(Kind::User, actor.user));
    };
    let choose = |new: &Option<String>, old: &str| new.clone().unwrap_or_else(|| old.to_owned());
    let profile = Profile {
        name: choose(&change.name, &old.name),
        email: choose(&change.email, old.email.as_str()),
        institution: choose(&change.institution, &old.institution),
        website: choose(&change.website, &old.website),
    };
    let new = old.with_profile(&profile)?;
    if new.email != old.email {
        super::passwords::withdraw_offer(tx, actor.user)?;
    }
    let object = records::write(tx, here, actor.user.0, Body::User(new), false)?;
    if object.revision != before.object.revision {
        note(tx, actor, here, Action::USER_CHANGED, actor.user, &[])?;
    }
    with_account(tx, object)
}

/// What shall change of somebody's account; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Id or name of the role.
    pub role: Option<String>,
    /// Whether they may sign in.
    pub active: Option<bool>,
    /// The groups that they are in: the whole list, each by id or name.
    pub groups: Option<Vec<String>>,
}

/// Changes what somebody may do. Whoever is deactivated is signed out everywhere at once.
///
/// # Errors
/// A permission is missing, also one that the person has or would get; there is no such account, role or group; nobody would own
/// the node any more; or people deactivate themselves.
pub fn administer(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: UserId,
    change: &Change,
) -> Result<Person, Refusal> {
    if change.role.is_some() || change.active.is_some() {
        let before = administered(tx, actor, id)?;
        let mut after = before.clone();
        if let Some(name) = &change.role {
            let (role, granted) = roles::named(tx, name)?;
            actor.require_all(&granted.permissions)?;
            after.role = role;
        }
        after.active = change.active.unwrap_or(after.active);
        replace(tx, actor, here, id, &before, after)?;
    }
    if let Some(wanted) = &change.groups {
        set_groups(tx, actor, here, id, wanted)?;
    }
    person(tx, id)?.ok_or_else(|| Refusal::no(Kind::User, id))
}

fn replace(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: UserId,
    before: &Account,
    after: Account,
) -> Result<(), Refusal> {
    rules::may_become(actor, id, before, Some(&after), owners(tx)?)?;
    tx.put(&ACCOUNTS, &id.0, &after)?;
    if before.role != after.role {
        tx.delete(&HOLDERS, &(before.role.0, id.0))?;
        tx.put(&HOLDERS, &(after.role.0, id.0), &())?;
        let details = [("role", roles::find(tx, after.role)?.name)];
        note(tx, actor, here, Action::ROLE_GIVEN, id, &details)?;
    }
    match (before.active, after.active) {
        (true, false) => {
            sessions::end_all(tx, id, None)?;
            note(tx, actor, here, Action::USER_DISABLED, id, &[])
        }
        (false, true) => note(tx, actor, here, Action::USER_ENABLED, id, &[]),
        _ => Ok(()),
    }
}

pub(super) fn owners(read: &impl Read) -> Result<u64, Refusal> {
    let mut count = 0;
    read.for_each(
        &HOLDERS,
        &Preset::Owner.id().0,
        |(_, user): (uuid::Uuid, _), ()| {
            count += u64::from(account(read, UserId(user))?.active);
            Ok::<_, Refusal>(())
        },
    )?;
    Ok(count)
}

fn set_groups(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: UserId,
    wanted: &[String],
) -> Result<(), Refusal> {
    actor.require(Permission::CreateGroups)?;
    account(tx, id)?;
    let mut named = Vec::with_capacity(wanted.len());
    for name in wanted {
        named.push(groups::named(tx, name)?.0);
    }
    for (group, _) in groups::of(tx, id)? {
        if !named.contains(&group) {
            groups::remove(tx, actor, here, group, id)?;
        }
    }
    for group in named {
        groups::add(tx, actor, here, group, id)?;
    }
    Ok(())
}

/// Deletes somebody's account and hides the person by a tombstone. What they submitted stays, and so does what was decided
/// and released.
///
/// # Errors
/// A permission is missing, also one that the person has; there is no such account; or nobody would own the node any more.
pub fn delete_user(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: UserId) -> Result<(), Refusal> {
    let before = administered(tx, actor, id)?;
    rules::may_become(actor, id, &before, None, owners(tx)?)?;
    let object = person(tx, id)?.ok_or_else(|| Refusal::no(Kind::User, id))?.object;
    sessions::end_all(tx, id, None)?;
    super::passwords::withdraw_offer(tx, id)?;
    groups::leave_all(tx, id)?;
    tx.delete(&CREDENTIALS, &id.0)?;
    tx.delete(&ACCOUNTS, &id.0)?;
    tx.delete(&HOLDERS, &(before.role.0, id.0))?;
    records::write(tx, here, id.0, object.body, true)?;
    note(tx, actor, here, Action::USER_DELETED, id, &[])
}

fn note(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    action: Action,
    user: UserId,
    details: &[(&str, String)],
) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(tx, here, by, action, &[user.0], details)?)
}
