//! Accounts, sessions and groups, each kept in two tables that must say the same.

use super::Findings;
use crate::store::key::Key;
use crate::store::read::{Read, Record};
use crate::store::table::{Table, TableError};
use crate::store::tables::{
    ACCOUNTS, GROUPS, HOLDERS, MEMBER_OF, MEMBERS, OBJECTS, ROLES, SESSIONS, SESSIONS_OF,
};

pub(super) fn check(read: &impl Read, findings: &mut Findings) -> Result<(), TableError> {
    let mut accounts = 0;
    read.for_each(&ACCOUNTS, &(), |user, account| {
        accounts += 1;
        let holds = read.contains(&HOLDERS, &(account.role.0, user))?
            && read.contains(&ROLES, &account.role.0)?
            && read.contains(&OBJECTS, &user)?;
        findings.require(holds, || {
            format!("the account of {user} does not fit its role and person")
        });
        Ok::<_, TableError>(())
    })?;
    findings.looked_at.insert("accounts", accounts);
    same(findings, "holders of roles", accounts, size(read, &HOLDERS)?);
    let mut sessions = 0;
    read.for_each(&SESSIONS, &(), |token, session| {
        sessions += 1;
        let listed = read.get(&SESSIONS_OF, &(session.user.0, session.id.0))? == Some(token);
        findings.require(listed, || format!("a session of {} is not listed", session.user));
        Ok::<_, TableError>(())
    })?;
    same(findings, "listed sessions", sessions, size(read, &SESSIONS_OF)?);
    let mut members = 0;
    read.for_each(&MEMBERS, &(), |(group, user), ()| {
        members += 1;
        let both = read.contains(&MEMBER_OF, &(user, group))? && read.contains(&GROUPS, &group)?;
        findings.require(both, || format!("{user} is only half in group {group}"));
        Ok::<_, TableError>(())
    })?;
    same(findings, "memberships", members, size(read, &MEMBER_OF)?);
    Ok(())
}

fn same(findings: &mut Findings, what: &str, expected: u64, found: u64) {
    findings.require(expected == found, || {
        format!("there are {found} {what}, not {expected}")
    });
}

fn size<K: Key, V: Record>(read: &impl Read, table: &Table<K, V>) -> Result<u64, TableError> {
    let mut count = 0;
    read.for_each(table, &(), |_: K, _: V| {
        count += 1;
        Ok::<_, TableError>(())
    })?;
    Ok(count)
}
