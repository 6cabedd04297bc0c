//! Accounts: the first owner, signing in and out, people, and the owner's settings.

use jiff::Timestamp;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{Refusal, listing};
use crate::domain::access::{Actor, Denied, Permission, Role};
use crate::domain::audit::{self, Action};
use crate::domain::hash::Hash;
use crate::domain::id::UserId;
use crate::domain::notification::Event;
use crate::domain::object::{Body, Kind, Object};
use crate::domain::session::{Credentials, Session};
use crate::domain::settings::{Node, Settings};
use crate::domain::text;
use crate::domain::user::{Profile, User};
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{CREDENTIALS, NODE, SESSIONS, SETTINGS};
use crate::store::transaction::Tx;

/// Sessions that signing in looks at to remove those that are over.
const SWEPT: usize = 64;

/// What the first owner decides.
#[derive(Debug)]
pub struct SetUp {
    /// The id of the owner's account.
    pub id: UserId,
    /// Hash of the one-time token that `init` printed.
    pub token: Hash,
    /// How the node shall be called.
    pub name: String,
    /// Who the owner is.
    pub owner: Profile,
    /// Argon2id hash of the owner's password.
    pub credentials: Credentials,
    /// Whether scientists may register themselves.
    pub allow_registration: bool,
}

fn node(read: &impl Read) -> Result<Node, Refusal> {
    Ok(read.get(&NODE, &())?.ok_or(RecordError::NoNode)?)
}

/// The owner's settings.
///
/// # Errors
/// The store cannot be read, or `init` did not finish.
pub fn settings(read: &impl Read) -> Result<Settings, Refusal> {
    Ok(read.get(&SETTINGS, &())?.ok_or(RecordError::NoNode)?)
}

/// Whether a one-time token is the one that `init` printed. Compared in constant time, and by hashes.
///
/// # Errors
/// It is not, or the node is set up already.
pub fn check_setup_token(read: &impl Read, token: &Hash) -> Result<(), Refusal> {
    let Some(expected) = node(read)?.setup_token else {
        return Err(Refusal::conflict(
            "set_up_already",
            "this node is set up already; sign in as its owner",
        ));
    };
    if bool::from(expected.0.ct_eq(&token.0)) {
        Ok(())
    } else {
        Err(Refusal::conflict(
            "setup_token_refused",
            "this is not the one-time token that `poundlock init` printed for this node",
        ))
    }
}

/// Sets the node up: makes the owner's account and uses the token up.
///
/// # Errors
/// The token is wrong or used, or a field is wrong.
pub fn set_up(tx: &mut Tx<'_>, here: &Here, wanted: &SetUp) -> Result<Object, Refusal> {
    check_setup_token(tx, &wanted.token)?;
    let mut settings = Settings::new(&wanted.name)?;
    settings.allow_registration = wanted.allow_registration;
    let user = User::new(&wanted.owner, Role::Owner)?;
    let mut node = node(tx)?;
    node.setup_token = None;
    tx.put(&NODE, &(), &node)?;
    tx.put(&SETTINGS, &(), &settings)?;
    let owner = write_user(tx, here, wanted.id, user, &wanted.credentials)?;
    let by = audit::Actor::User(owner.id);
    let details = [
        ("name", settings.name),
        ("allow_registration", settings.allow_registration.to_string()),
    ];
    records::audit(
        tx,
        here,
        by,
        Action::USER_CREATED,
        &[owner.id],
        &[("role", role_word(Role::Owner))],
    )?;
    records::audit(tx, here, by, Action::SETTING_CHANGED, &[], &details)?;
    Ok(owner)
}

fn write_user(
    tx: &mut Tx<'_>,
    here: &Here,
    id: UserId,
    user: User,
    credentials: &Credentials,
) -> Result<Object, Refusal> {
    let object = records::write(tx, here, id.0, Body::User(user), false)?;
    tx.put(&CREDENTIALS, &id.0, credentials)?;
    Ok(object)
}

fn role_word(role: Role) -> String {
    match role {
        Role::Owner => "owner",
        Role::Administrator => "administrator",
        Role::ComplianceOfficer => "compliance_officer",
        Role::User => "user",
    }
    .to_owned()
}

/// The account that an e-mail address names, with what proves its owner.
///
/// # Errors
/// The store cannot be read.
pub fn credentials(read: &impl Read, email: &str) -> Result<Option<(UserId, Credentials)>, Refusal> {
    let home = node(read)?.id;
    let Some(id) = records::named(read, home, Kind::User, None, &text::folded(email))? else {
        return Ok(None);
    };
    let found = read.get(&CREDENTIALS, &id)?;
    Ok(found.map(|credentials| (UserId(id), credentials)))
}

/// Begins a session for somebody whose password has been verified, under the hash of a fresh token. Sessions that are
/// over are removed on the way: those that happen to lie behind the token's hash, so that none stays for ever.
///
/// # Errors
/// The account is gone.
pub fn sign_in(
    tx: &mut Tx<'_>,
    here: &Here,
    user: UserId,
    token: &Hash,
) -> Result<(Session, Object), Refusal> {
    let account = person(tx, user)?.ok_or_else(refused_sign_in)?;
    for (key, session) in tx.range_from(&SESSIONS, Some(&token.0), SWEPT)? {
        if !session.holds(here.now) {
            tx.delete(&SESSIONS, &key)?;
        }
    }
    let session = Session::begin(user, here.now);
    tx.put(&SESSIONS, &token.0, &session)?;
    records::audit(
        tx,
        here,
        audit::Actor::User(user.0),
        Action::LOGIN,
        &[user.0],
        &[],
    )?;
    Ok((session, account))
}

/// What everybody is told whose sign-in fails, whatever the reason.
pub fn refused_sign_in() -> Refusal {
    Refusal::conflict(
        "sign_in_refused",
        "no account has this e-mail address and this password",
    )
}

/// Writes down that a sign-in was refused: for an account if the address named one.
///
/// # Errors
/// The store fails.
pub fn note_refused_sign_in(tx: &mut Tx<'_>, here: &Here, user: Option<UserId>) -> Result<(), Refusal> {
    let subjects: Vec<Uuid> = user.into_iter().map(|user| user.0).collect();
    Ok(records::audit(
        tx,
        here,
        audit::Actor::Node,
        Action::LOGIN_REFUSED,
        &subjects,
        &[],
    )?)
}

/// Ends a session.
///
/// # Errors
/// The store fails.
pub fn sign_out(tx: &mut Tx<'_>, here: &Here, actor: &Actor, token: &Hash) -> Result<(), Refusal> {
    tx.delete(&SESSIONS, &token.0)?;
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(
        tx,
        here,
        by,
        Action::LOGOUT,
        &[actor.user.0],
        &[],
    )?)
}

/// Whose session a token is, as the account is at this moment.
///
/// # Errors
/// The store cannot be read.
pub fn signed_in(read: &impl Read, token: &Hash, now: Timestamp) -> Result<Option<Actor>, Refusal> {
    let session = read.get(&SESSIONS, &token.0)?;
    let Some(session) = session.filter(|session| session.holds(now)) else {
        return Ok(None);
    };
    let account = person(read, session.user)?;
    Ok(account.and_then(|account| match account.body {
        Body::User(user) => Some(Actor {
            user: session.user,
            name: user.name,
            role: user.role,
        }),
        _ => None,
    }))
}

/// An account that is not deleted.
fn person(read: &impl Read, user: UserId) -> Result<Option<Object>, Refusal> {
    let object = records::object(read, user.0)?;
    Ok(object.filter(|object| !object.deleted && object.kind() == Kind::User))
}

/// A new account.
#[derive(Debug)]
pub struct NewUser {
    /// The id of the account.
    pub id: UserId,
    /// Who it is for.
    pub profile: Profile,
    /// Argon2id hash of the password.
    pub credentials: Credentials,
    /// What they may do; a scientist's rights if nothing is said.
    pub role: Option<Role>,
}

/// Whether somebody may make an account: a signed-in person with the permission, or anybody where registration is open.
///
/// # Errors
/// They may not; or the role has permissions that its giver lacks.
pub fn may_create_user(read: &impl Read, actor: Option<&Actor>, role: Option<Role>) -> Result<Role, Refusal> {
    let Some(actor) = actor else {
        if settings(read)?.allow_registration {
            return Ok(Role::User);
        }
        return Err(Refusal::conflict(
            "registration_closed",
            "people do not register themselves on this node; ask its owner for an account",
        ));
    };
    actor.require(Permission::CreateUsers)?;
    let role = role.unwrap_or(Role::User);
    match role
        .permissions()
        .iter()
        .find(|permission| !actor.may(**permission))
    {
        Some(lacking) => Err(Denied(*lacking).into()),
        None => Ok(role),
    }
}

/// Makes an account.
///
/// # Errors
/// See [`may_create_user`]; or a field is wrong, or the address has an account.
pub fn create_user(
    tx: &mut Tx<'_>,
    here: &Here,
    actor: Option<&Actor>,
    wanted: &NewUser,
) -> Result<Object, Refusal> {
    let role = may_create_user(tx, actor, wanted.role)?;
    let user = User::new(&wanted.profile, role)?;
    let made = write_user(tx, here, wanted.id, user, &wanted.credentials)?;
    let by = audit::Actor::User(actor.map_or(made.id, |actor| actor.user.0));
    let details = [("role", role_word(role))];
    records::audit(tx, here, by, Action::USER_CREATED, &[made.id], &details)?;
    if actor.is_none() {
        records::notify(tx, here, Event::UserRegistered, Some(made.id), None)?;
    }
    Ok(made)
}

/// The people that the actor may see, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn users(
    read: &impl Read,
    actor: &Actor,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<listing::Listed, Refusal> {
    listing::page(read, Kind::User, before, limit, |user| {
        Ok(actor.may_see(user, None))
    })
}

/// One person.
///
/// # Errors
/// There is none, or the actor may not know of them.
pub fn user(read: &impl Read, actor: &Actor, id: UserId) -> Result<Object, Refusal> {
    let found = person(read, id)?.filter(|user| actor.may_see(user, None));
    found.ok_or_else(|| Refusal::no(Kind::User, id))
}

/// What shall change in the settings; what is none stays.
#[derive(Debug, Default, Clone)]
pub struct SettingsChange {
    /// See [`Settings::name`].
    pub name: Option<String>,
    /// See [`Settings::allow_registration`].
    pub allow_registration: Option<bool>,
    /// See [`Settings::allow_mock_runs`].
    pub allow_mock_runs: Option<bool>,
}

/// Changes the settings; every setting that changes is in the audit chain.
///
/// # Errors
/// The permission is missing, or the name is no name.
pub fn change_settings(
    tx: &mut Tx<'_>,
    here: &Here,
    actor: &Actor,
    change: &SettingsChange,
) -> Result<Settings, Refusal> {
    actor.require(Permission::EditSettings)?;
    let before = settings(tx)?;
    let mut after = before.clone();
    if let Some(name) = &change.name {
        after.name = text::name("name", name)?;
    }
    after.allow_registration = change.allow_registration.unwrap_or(after.allow_registration);
    after.allow_mock_runs = change.allow_mock_runs.unwrap_or(after.allow_mock_runs);
    let mut details = Vec::new();
    if after.name != before.name {
        details.push(("name", after.name.clone()));
    }
    if after.allow_registration != before.allow_registration {
        details.push(("allow_registration", after.allow_registration.to_string()));
    }
    if after.allow_mock_runs != before.allow_mock_runs {
        details.push(("allow_mock_runs", after.allow_mock_runs.to_string()));
    }
    if !details.is_empty() {
        tx.put(&SETTINGS, &(), &after)?;
        let by = audit::Actor::User(actor.user.0);
        records::audit(tx, here, by, Action::SETTING_CHANGED, &[], &details)?;
    }
    Ok(after)
}

#[cfg(test)]
mod tests;
