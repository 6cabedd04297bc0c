//! What those who may change settings say about mail and webhooks. A server is tried before it comes here.

use std::collections::BTreeMap;

use crate::acts::Refusal;
use crate::domain::access::{Actor, Permission};
use crate::domain::audit::{self, Action};
use crate::domain::notification::Event;
use crate::domain::notification::mail_settings::{Configured, Effective, MailServer, MailSettings};
use crate::domain::user::Email;
use crate::store::read::Read;
use crate::store::records::{self, Here};
use crate::store::tables::MAIL_SETTINGS;
use crate::store::transaction::Tx;

/// What was set, and what counts.
///
/// # Errors
/// The permission is missing.
pub fn show(
    read: &impl Read,
    actor: &Actor,
    configured: &Configured,
) -> Result<(Option<MailSettings>, Effective), Refusal> {
    actor.require(Permission::EditSettings)?;
    let set = read.get(&MAIL_SETTINGS, &())?;
    let effective = Effective::of(set.as_ref(), configured);
    Ok((set, effective))
}

/// Takes up a server and a sender that have been tried, and switches mail on. What is as configured stays with the
/// configuration, and follows it when that changes.
///
/// The server reads the tokens that give everybody, the owner too, a new password. So it is chosen by whoever has every
/// permission, and by no one whom it would make more than they are.
///
/// # Errors
/// A permission is missing.
pub fn enable(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    configured: &Configured,
    server: MailServer,
    sender: Email,
) -> Result<(), Refusal> {
    actor.require_everything()?;
    let details = [
        ("mail", "enabled".to_owned()),
        ("server", format!("{}:{}", server.host, server.port)),
        ("security", server.security.word().to_owned()),
        ("sender", sender.to_string()),
    ];
    change(tx, actor, here, &details, move |set| {
        set.active = Some(true);
        set.server = Some(server).filter(|server| Some(server) != configured.server.as_ref());
        set.sender = Some(sender).filter(|sender| Some(sender) != configured.sender.as_ref());
    })
}

/// Switches everything off that leaves the node. What waits goes on waiting.
///
/// # Errors
/// The permission is missing.
pub fn disable(tx: &mut Tx<'_>, actor: &Actor, here: &Here) -> Result<(), Refusal> {
    let details = [("notifications", "disabled".to_owned())];
    change(tx, actor, here, &details, |set| set.active = Some(false))
}

/// Forgets what was set: the configuration counts again, and with it its server.
///
/// # Errors
/// A permission is missing, see [`enable`].
pub fn forget(tx: &mut Tx<'_>, actor: &Actor, here: &Here) -> Result<(), Refusal> {
    actor.require_everything()?;
    let details = [("notifications", "as configured".to_owned())];
    change(tx, actor, here, &details, |set| *set = MailSettings::default())
}

/// What shall change beside the server; what is none stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// See [`MailSettings::base_url`]; a none inside takes it away.
    pub base_url: Option<Option<String>>,
    /// See [`MailSettings::webhook_origins`].
    pub webhook_origins: Option<Vec<String>>,
    /// See [`MailSettings::rate_limit`].
    pub rate_limit: Option<u32>,
    /// See [`MailSettings::rate_limits`]; a none inside takes a limit away.
    pub rate_limits: BTreeMap<Event, Option<u32>>,
}

/// Changes settings beside the server. Where the links in messages lead is said by whoever may choose the server: what is
/// typed there, a token too, is read by whoever runs it.
///
/// # Errors
/// A permission is missing.
pub fn adjust(tx: &mut Tx<'_>, actor: &Actor, here: &Here, wanted: Change) -> Result<(), Refusal> {
    let mut details = Vec::new();
    if let Some(url) = &wanted.base_url {
        actor.require_everything()?;
        details.push(("base_url", url.clone().unwrap_or_default()));
    }
    if let Some(origins) = &wanted.webhook_origins {
        details.push(("webhook_origins", origins.join(" ")));
    }
    if let Some(limit) = wanted.rate_limit {
        details.push(("rate_limit", limit.to_string()));
    }
    for (event, limit) in &wanted.rate_limits {
        details.push((
            event.word(),
            limit.map_or("as others".to_owned(), |it| it.to_string()),
        ));
    }
    if details.is_empty() {
        return Ok(actor.require(Permission::EditSettings)?);
    }
    change(tx, actor, here, &details, |set| {
        if let Some(url) = wanted.base_url {
            set.base_url = url;
        }
        if let Some(origins) = wanted.webhook_origins {
            set.webhook_origins = Some(origins);
        }
        set.rate_limit = wanted.rate_limit.or(set.rate_limit);
        for (event, limit) in wanted.rate_limits {
            match limit {
                Some(limit) => set.rate_limits.insert(event, limit),
                None => set.rate_limits.remove(&event),
            };
        }
    })
}

fn change(
    tx: &mut Tx<'_>,
    actor: &Actor,
    here: &Here,
    details: &[(&str, String)],
    how: impl FnOnce(&mut MailSettings),
) -> Result<(), Refusal> {
    actor.require(Permission::EditSettings)?;
    let mut set: MailSettings = tx.get(&MAIL_SETTINGS, &())?.unwrap_or_default();
    how(&mut set);
    tx.put(&MAIL_SETTINGS, &(), &set)?;
    let by = audit::Actor::User(actor.user.0);
    Ok(records::audit(
        tx,
        here,
        by,
        Action::SETTING_CHANGED,
        &[],
        details,
    )?)
}
