//! How stores of older versions become those of today. A migration that was once released never changes.

use serde::Deserialize;
use uuid::Uuid;

use super::engine::{Direction, KeyRange};
use super::migration::{Migration, Step};
use super::open;
use super::read::{Read, ReadBytes};
use super::records;
use super::table::{TableError, decode_body};
use super::tables::{ACCOUNTS, BY_KIND, CREDENTIALS, HOLDERS, OBJECTS, RUNS, RUNS_APART, SESSIONS};
use super::transaction::Tx;
use crate::domain::account::Account;
use crate::domain::object::Kind;
use crate::domain::role::Preset;

/// Every migration, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        to: 2,
        name: "what people may do moves from the people to accounts, and roles become data",
        step: roles_become_data,
    },
    Migration {
        to: 3,
        name: "runs are listed apart by whose they are and which data they receive, and what may wait for a person is listed",
        step: list_what_waits,
    },
];

/// Runs or requests that one step lists.
const LISTED_PER_STEP: usize = 256;

/// People that one step looks at.
const PEOPLE_PER_STEP: usize = 256;

/// The role as version 1 kept it, in a person's body; of everything else nothing is looked at.
#[derive(Deserialize)]
struct ObjectV1 {
    body: BodyV1,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum BodyV1 {
    User(UserV1),
}

#[derive(Deserialize)]
struct UserV1 {
    role: RoleV1,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoleV1 {
    Owner,
    Administrator,
    ComplianceOfficer,
    User,
}

impl From<RoleV1> for Preset {
    fn from(role: RoleV1) -> Self {
        match role {
            RoleV1::Owner => Self::Owner,
            RoleV1::Administrator => Self::Administrator,
            RoleV1::ComplianceOfficer => Self::ComplianceOfficer,
            RoleV1::User => Self::User,
        }
    }
}

/// Gives an account to everybody who has a password here, with the role that their body held. Sessions have no ids in version 1,
/// so they end: people sign in once more.
fn roles_become_data(tx: &mut Tx<'_>, cursor: Option<&[u8]>) -> Result<Step, TableError> {
    if cursor.is_none() {
        records::write_preset_roles(tx)?;
    }
    for key in keys(tx, SESSIONS.prefix(), PEOPLE_PER_STEP)? {
        tx.delete_bytes(key)?;
    }
    let after = cursor.and_then(|cursor| Uuid::from_slice(cursor).ok());
    let people = tx.range_from(&CREDENTIALS, after.as_ref(), PEOPLE_PER_STEP)?;
    let full = people.len() == PEOPLE_PER_STEP;
    let last = people.last().map(|(user, _)| *user);
    for (user, _) in people {
        let Some(role) = role_of(tx, user)? else { continue };
        let account = Account {
            role: role.id(),
            active: true,
        };
        tx.put(&ACCOUNTS, &user, &account)?;
        tx.put(&HOLDERS, &(account.role.0, user), &())?;
    }
    let sessions_left = !keys(tx, SESSIONS.prefix(), 1)?.is_empty();
    Ok(match last {
        Some(last) if full || sessions_left => Step::More(last.as_bytes().to_vec()),
        None if sessions_left => Step::More(cursor.unwrap_or_default().to_vec()),
        _ => Step::Done,
    })
}

fn keys(tx: &Tx<'_>, prefix: u8, limit: usize) -> Result<Vec<Vec<u8>>, TableError> {
    let found = tx.scan(&KeyRange::prefix(&[prefix]), Direction::Ascending, limit)?;
    Ok(found.into_iter().map(|(key, _)| key).collect())
}

fn role_of(tx: &Tx<'_>, user: Uuid) -> Result<Option<Preset>, TableError> {
    let Some(stored) = tx.bytes(&OBJECTS.engine_key(&user)?)? else {
        return Ok(None);
    };
    let object: ObjectV1 = decode_body(OBJECTS.name(), 1, &stored)?;
    let BodyV1::User(user) = object.body;
    Ok(Some(user.role.into()))
}

/// Makes the lists that version 2 did not have: first those of runs, by which requests are then told to rest. The cursor
/// says which, and after what.
fn list_what_waits(tx: &mut Tx<'_>, cursor: Option<&[u8]>) -> Result<Step, TableError> {
    match cursor.and_then(<[u8]>::split_first) {
        Some((&LISTING_REQUESTS, after)) => list_requests(tx, after),
        Some((_, after)) => list_runs(tx, after),
        None => list_runs(tx, &[]),
    }
}

/// The first byte of a cursor, for what is listed.
const LISTING_RUNS: u8 = 0;
const LISTING_REQUESTS: u8 = 1;

fn list_runs(tx: &mut Tx<'_>, after: &[u8]) -> Result<Step, TableError> {
    let after = Uuid::from_slice(after).ok();
    let runs = tx.range_from(&RUNS, after.as_ref(), LISTED_PER_STEP)?;
    let last = runs.last().filter(|_| runs.len() == LISTED_PER_STEP);
    let next = match last {
        Some((id, _)) => [&[LISTING_RUNS][..], id.as_bytes()].concat(),
        None => vec![LISTING_REQUESTS],
    };
    for (id, run) in runs {
        for under in run.listed_apart() {
            let at = records::milliseconds(run.queued_at);
            tx.put(&RUNS_APART, &(under, at, id), &())?;
        }
        open::place_result(tx, id, &run)?;
    }
    Ok(Step::More(next))
}

fn list_requests(tx: &mut Tx<'_>, after: &[u8]) -> Result<Step, TableError> {
    let kind = Kind::Request as u8;
    let after = after.split_first_chunk().and_then(|(position, id)| {
        let id = Uuid::from_slice(id).ok()?;
        Some((kind, u64::from_be_bytes(*position), id))
    });
    let requests = tx.range_prefix(&BY_KIND, &kind, after.as_ref(), LISTED_PER_STEP)?;
    let last = requests.last().filter(|_| requests.len() == LISTED_PER_STEP);
    let next = last.map(|((_, position, id), ())| {
        [&[LISTING_REQUESTS][..], &position.to_be_bytes(), id.as_bytes()].concat()
    });
    for ((_, _, id), ()) in requests {
        open::place_request(tx, id)?;
    }
    Ok(next.map_or(Step::Done, Step::More))
}

#[cfg(test)]
mod tests;
