//! Projects: the frame in which scientists make requests.

use uuid::Uuid;

use super::visible::{self, Found};
use super::{Refusal, listing};
use crate::domain::access::{Actor, Denied, Permission, Viewer};
use crate::domain::audit::{self, Action};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::object::{Body, Kind, Object};
use crate::domain::project::{MEMBERS_MAX, Project};
use crate::domain::text::{self, Invalid};
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::transaction::Tx;

/// A new project.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// E-mail addresses of its members, beside its creator; or ids, of people whom the creator may see.
    pub members: Vec<String>,
}

/// Makes a project, whose creator is its first member.
///
/// # Errors
/// The permission is missing, this node takes no scientists, a field is wrong, a member has no account, or the name is taken.
pub fn create(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: ProjectId,
    draft: &Draft,
) -> Result<Object, Refusal> {
    actor.require(Permission::SubmitRequests)?;
    where_scientists_are(here)?;
    let members = members(tx, actor, here, &draft.members, &[])?;
    let project = Project::new(&draft.name, &draft.description, actor.user, &members)?;
    write(tx, actor, here, id, project, Action::PROJECT_CREATED)
}

/// Changes the description or the members.
///
/// # Errors
/// There is no such project, the actor did not create it, a field is wrong, or a member has no account.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: ProjectId,
    description: Option<&str>,
    new_members: Option<&[String]>,
) -> Result<Object, Refusal> {
    let mut project = own(tx, actor, id)?.body;
    if let Some(description) = description {
        project.description = text::prose("description", description)?;
    }
    if let Some(listed) = new_members {
        let listed = members(tx, actor, here, listed, &project.members)?;
        project.set_members(&listed)?;
    }
    write(tx, actor, here, id, project, Action::PROJECT_CHANGED)
}

/// Starts a project: requests can be made in it from now on. Starting it again changes nothing.
///
/// # Errors
/// There is no such project, or the actor did not create it.
pub fn start(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: ProjectId) -> Result<Object, Refusal> {
    let found = own(tx, actor, id)?;
    if found.body.started {
        return Ok(found.object);
    }
    let project = Project {
        started: true,
        ..found.body
    };
    write(tx, actor, here, id, project, Action::PROJECT_STARTED)
}

/// Hides a project by a tombstone. Its requests stay.
///
/// # Errors
/// There is no such project, or the actor did not create it.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, here: &Here, id: ProjectId) -> Result<(), Refusal> {
    let found = own(tx, actor, id)?;
    let object = records::write(tx, here, id.0, found.object.body, true)?;
    note(tx, actor, here, Action::PROJECT_DELETED, &object)
}

/// The projects that the actor may see, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn list(
    read: &impl Read,
    actor: &Actor,
    before: Option<listing::Place>,
    limit: usize,
) -> Result<listing::Listed, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    listing::page(read, Kind::Project, before, limit, |project| {
        Ok(visible::may_see(read, &viewer, project)?)
    })
}

/// The most projects that somebody chooses from.
const CHOICES_MAX: usize = 200;

/// The projects in which the actor can make requests: those that are started and have them as a member. The newest 200, each with its
/// name.
///
/// # Errors
/// The store cannot be read.
pub fn open_to(read: &impl Read, actor: &Actor) -> Result<Vec<(Uuid, String)>, Refusal> {
    let seen = list(read, actor, None, CHOICES_MAX)?.objects;
    let open = seen.into_iter().filter_map(|object| match &object.body {
        Body::Project(project) if project.started && project.members.contains(&actor.user) => {
            Some((object.id, project.name.clone()))
        }
        _ => None,
    });
    Ok(open.collect())
}

/// A project that the actor may change: its creator may, and whoever triages requests.
fn own(read: &impl Read, actor: &Actor, id: ProjectId) -> Result<Found<Project>, Refusal> {
    let found = visible::project(read, actor, id)?;
    if found.body.creator == actor.user || actor.may(Permission::TriageRequests) {
        Ok(found)
    } else {
        Err(Denied(Permission::TriageRequests).into())
    }
}

fn where_scientists_are(here: &Here) -> Result<(), Refusal> {
    if here.side.takes_scientists() {
        return Ok(());
    }
    Err(Refusal::conflict(
        "wrong_side",
        "projects begin on the low side, where the scientists are",
    ))
}

/// The most unknown members that a refusal names: more would tell a guesser of many addresses at once who has an account.
const UNKNOWN_MAX: usize = 10;

/// The accounts that ids or addresses name, of which nothing is looked up where there are too many. An address is known to whoever writes it; an id names somebody only to those who may
/// see them, or where they are one of the members before: else a project would tell of whom nothing may be known.
fn members(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    listed: &[String],
    before: &[UserId],
) -> Result<Vec<UserId>, Refusal> {
    if listed.len() > MEMBERS_MAX {
        let problem = format!("a project has at most {MEMBERS_MAX} members");
        return Err(Invalid::new("members", problem).into());
    }
    let viewer = Viewer::Person(actor.clone());
    let mut members = Vec::with_capacity(listed.len());
    let mut wrong = Vec::new();
    for (at, one) in listed.iter().enumerate() {
        match member(read, &viewer, here, one, before)? {
            Some(member) => members.push(member),
            None => wrong.push(Invalid::new(
                format!("members[{at}]"),
                format!("nobody has an account on this node under {one:?}"),
            )),
        }
        if wrong.len() >= UNKNOWN_MAX {
            break;
        }
    }
    if wrong.is_empty() {
        Ok(members)
    } else {
        Err(Refusal::Invalid(wrong))
    }
}

fn member(
    read: &impl Read,
    viewer: &Viewer,
    here: &Here,
    one: &str,
    before: &[UserId],
) -> Result<Option<UserId>, Refusal> {
    let by_id = one.parse::<UserId>().ok();
    // Who is a member already may have left the node since.
    if let Some(id) = by_id.filter(|id| before.contains(id)) {
        return Ok(Some(id));
    }
    let id = match by_id {
        Some(id) => Some(id.0),
        None => records::named(read, here.node, Kind::User, None, &text::folded(one))?,
    };
    let account = id.map(|id| records::object(read, id)).transpose()?.flatten();
    let lives_here =
        |object: &Object| object.kind() == Kind::User && !object.deleted && object.home == here.node;
    let Some(account) = account.filter(lives_here) else {
        return Ok(None);
    };
    let id = UserId(account.id);
    let may_be_named = by_id.is_none() || visible::may_see(read, viewer, &account)?;
    Ok(may_be_named.then_some(id))
}

/// A member of a project, as its page shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// How they are called: those who work on one project know each other.
    pub name: String,
    /// Their address, for those alone who may see the person.
    pub email: Option<String>,
}

/// The members of a project that the actor may see.
///
/// # Errors
/// The store cannot be read.
pub fn members_of(read: &impl Read, actor: &Actor, project: &Project) -> Result<Vec<Member>, Refusal> {
    let viewer = Viewer::Person(actor.clone());
    let mut members = Vec::with_capacity(project.members.len());
    for id in &project.members {
        let object = records::object(read, id.0)?;
        let seen = match &object {
            Some(object) => visible::may_see(read, &viewer, object)?,
            None => false,
        };
        members.push(match object.map(|object| object.body) {
            Some(Body::User(user)) => Member {
                id: *id,
                name: user.name,
                email: seen.then(|| user.email.to_string()),
            },
            _ => Member {
                id: *id,
                name: id.to_string(),
                email: None,
            },
        });
    }
    Ok(members)
}

fn write(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    id: ProjectId,
    project: Project,
    action: Action,
) -> Result<Object, Refusal> {
    let object = records::write(tx, here, id.0, Body::Project(project), false)?;
    note(tx, actor, here, action, &object)?;
    Ok(object)
}

fn note(tx: &mut Tx<'_>, actor: &Actor, here: &Here, action: Action, object: &Object) -> Result<(), Refusal> {
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(
        tx,
        here,
        by,
        action,
        &[object.id],
        &[("name", object.body.title())],
    )?)
}

#[cfg(test)]
mod tests;
