//! The owner's settings, each with who last changed it.

use super::{Refusal, accounts};
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::settings::{Changed, Key, Settings, Value};
use crate::store::read::Read;
use crate::store::records::{self, Here, RecordError};
use crate::store::tables::{SETTINGS, SETTINGS_CHANGED};
use crate::store::transaction::Tx;

/// The settings as they are.
///
/// # Errors
/// The store cannot be read, or `init` did not finish.
pub fn current(read: &impl Read) -> Result<Settings, Refusal> {
    Ok(read.get(&SETTINGS, &())?.ok_or(RecordError::NoNode)?)
}

/// Who last changed a setting; none where it is as the node was made.
///
/// # Errors
/// The store cannot be read.
pub fn changed(read: &impl Read, key: Key) -> Result<Option<Changed>, Refusal> {
    Ok(read.get(&SETTINGS_CHANGED, &key.word().to_owned())?)
}

/// Changes settings; each that becomes another is in the audit chain.
///
/// # Errors
/// The permission is missing, a value does not fit, or somebody demands a second factor who has none.
pub fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    wanted: &[(Key, Value)],
) -> Result<Settings, Refusal> {
    actor.require(Permission::EditSettings)?;
    let mut settings = current(tx)?;
    let demanded = settings.require_second_factor;
    for (key, value) in wanted {
        settings.set(*key, value)?;
    }
    if settings.require_second_factor && !demanded && !accounts::has_second_factor(tx, actor.user)? {
        return Err(Refusal::conflict(
            "second_factor_first",
            "add a second factor to your own account before you demand one of everybody",
        ));
    }
    write(tx, here, (audit::Actor::User(actor.user.0), actor), settings)
}

/// Writes settings, and notes which of them have become others.
pub(super) fn write(
    tx: &mut Tx<'_>,
    here: &Here,
    (by, actor): (audit::Actor, &Actor),
    settings: Settings,
) -> Result<Settings, Refusal> {
    let before = current(tx)?;
    let mut details = Vec::new();
    for key in Key::ALL {
        let value = settings.value(key);
        if value == before.value(key) {
            continue;
        }
        let note = Changed {
            by: actor.user,
            by_name: actor.name.clone(),
            at: here.now,
        };
        tx.put(&SETTINGS_CHANGED, &key.word().to_owned(), &note)?;
        details.push((key.word(), value.to_string()));
    }
    if !details.is_empty() {
        tx.put(&SETTINGS, &(), &settings)?;
        records::audit(tx, here, by, Action::SETTING_CHANGED, &[], &details)?;
    }
    Ok(settings)
}
