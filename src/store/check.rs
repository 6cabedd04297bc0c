//! Whether all that a node keeps is whole and fits together: every record readable, every reference and index true, the audit
//! chain unbroken, every file the one that its record names.
//!
//! A store is always the state after some commit, and every commit leaves these rules true; so what is found here is damage,
//! or a bug. Nothing is changed by looking.

mod files;
mod indexes;
mod objects;
mod people;

pub(super) use files::measured;

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use super::attachments::Attachments;
use super::audit::{self, VerifyError};
use super::blobs::Blobs;
use super::engine::{Direction, KeyRange};
use super::key::Key;
use super::read::{Read, Record};
use super::table::{Table, TableError};
use super::tables::{self, NODE, Visitor};

/// The most findings that are told one by one.
const TOLD_MAX: usize = 100;

/// Tables that are not in [`tables`]: the audit chain's three, and the store's version.
const FURTHER_PREFIXES: [u8; 4] = [250, 251, 252, 255];

/// What was looked at and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// How many of each kind were looked at.
    pub looked_at: BTreeMap<&'static str, u64>,
    /// What is wrong, in words, at most the first hundred. Names no content.
    pub wrong: Vec<String>,
    /// How many things are wrong.
    pub count: u64,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.count == 0
    }

    /// Notes that something is wrong.
    pub fn wrong(&mut self, what: impl Display) {
        self.count += 1;
        if self.wrong.len() < TOLD_MAX {
            self.wrong.push(what.to_string());
        }
    }

    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(what());
        }
    }

    /// Notes that one more thing of a kind was looked at.
    pub fn count(&mut self, kind: &'static str) {
        *self.looked_at.entry(kind).or_default() += 1;
    }
}

/// The files beside a store.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Open bytes.
    pub blobs: &'a Blobs,
    /// Private bytes, on a node that may hold them.
    pub attachments: Option<&'a Attachments>,
}

/// Looks at everything. `files` may be left out where only the store is at hand.
pub fn check(read: &impl Read, files: Option<Files<'_>>) -> Findings {
    let mut findings = Findings::default();
    records(read, &mut findings);
    chain(read, &mut findings);
    // What refers to what can be asked only of records that can be read.
    if findings.is_sound() {
        let related = relations(read, &mut findings);
        if let Err(error) = related {
            findings.wrong(error);
        }
    }
    if let Some(files) = files
        && let Err(error) = files::check(read, files, &mut findings)
    {
        findings.wrong(error);
    }
    findings
}

fn relations(read: &impl Read, findings: &mut Findings) -> Result<(), TableError> {
    let Some(node) = read.get(&NODE, &())? else {
        findings.wrong("the store holds no node");
        return Ok(());
    };
    objects::check(read, &node, findings)?;
    indexes::runs(read, findings)?;
    indexes::open(read, findings)?;
    indexes::bundles(read, &node, findings)?;
    indexes::notices(read, findings)?;
    people::check(read, findings)
}

/// Every record of every table can be read, and no key belongs to none.
fn records(read: &impl Read, findings: &mut Findings) {
    struct Each<'a, R> {
        read: &'a R,
        findings: &'a mut Findings,
        prefixes: Vec<u8>,
    }
    impl<R: Read> Visitor for Each<'_, R> {
        fn visit<K: Key, V: Record>(&mut self, table: &Table<K, V>) {
            self.prefixes.push(table.prefix());
            let mut count = 0_u64;
            let walked = self.read.for_each(table, &(), |_: K, _: V| {
                count += 1;
                Ok::<_, TableError>(())
            });
            *self.findings.looked_at.entry("records").or_default() += count;
            if let Err(error) = walked {
                self.findings.wrong(format!(
                    "after {count} records of table {}: {error}",
                    table.name()
                ));
            }
        }
    }
    let mut each = Each {
        read,
        findings,
        prefixes: FURTHER_PREFIXES.to_vec(),
    };
    tables::visit_all(&mut each);
    let known = each.prefixes;
    for prefix in (1..=u8::MAX).filter(|prefix| !known.contains(prefix)) {
        match read.scan(&KeyRange::prefix(&[prefix]), Direction::Ascending, 1) {
            Ok(found) if found.is_empty() => {}
            Ok(_) => findings.wrong(format!("there are keys of a table {prefix}, which is not known")),
            Err(error) => findings.wrong(error),
        }
    }
}

fn chain(read: &impl Read, findings: &mut Findings) {
    match audit::verify(read) {
        Ok(verified) => {
            findings.looked_at.insert("audit_entries", verified.entries);
        }
        Err(error @ (VerifyError::Broken { .. } | VerifyError::Table(_))) => findings.wrong(error),
    }
}

#[cfg(test)]
mod tests;
