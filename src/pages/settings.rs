//! The owner's settings, each with what it means and who last changed it.

use maud::{Markup, html};

use super::piece::list::button;
use super::piece::text::reveal;
use super::piece::time::time;
use super::was::{State, Was, was};
use super::{Answer, Field, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::settings;
use crate::domain::access::Permission;
use crate::domain::settings::{Changed, Key, Settings, Value};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/settings", show);
    site.post("/settings", change);
}

async fn show(visit: Visit) -> Answer {
    page(&visit, None).await
}

async fn page(visit: &Visit, refused: Option<Filled>) -> Answer {
    visit.demand("GET", "/settings")?;
    let (settings, changed) = visit
        .read(|view| {
            let changed = Key::ALL.map(|key| settings::changed(view, key));
            let changed: Result<Vec<_>, _> = changed.into_iter().collect();
            Ok((settings::current(view)?, changed?))
        })
        .await?;
    let filled = refused.unwrap_or_else(|| as_filled(&settings));
    let may = visit
        .actor
        .require(Permission::EditSettings)
        .map_err(|denied| denied.to_string());
    let all = Key::ALL.into_iter().zip(&changed);
    Ok(visit.page("Settings").status(filled.status()).body(html! {
        (filled.summary())
        div.card.narrow {
            (visit.form("/settings", html! {
                (was(&filled, &state(&settings)))
                @for (key, changed) in all { (setting(&filled, key, changed.as_ref())) }
                div.actions { (button("Save", "primary", &may)) }
            }))
        }
    }))
}

fn as_filled(settings: &Settings) -> Filled {
    Filled::with(
        Key::ALL
            .into_iter()
            .map(|key| (key.word(), settings.value(key).to_string())),
    )
}

/// The settings by the names that the page gives them.
fn state(settings: &Settings) -> State {
    let word = |value: Value| match value {
        Value::Switch(true) => "on".to_owned(),
        Value::Switch(false) => "off".to_owned(),
        Value::Text(text) => text,
    };
    let part = |key: Key| (key.title(), word(settings.value(key)));
    Key::ALL.into_iter().map(part).collect()
}

fn setting(filled: &Filled, key: Key, changed: Option<&Changed>) -> Markup {
    html! {
        @match key {
            Key::Description => (filled.area(&Field::new(key.word(), key.title()).hint(key.meaning()).optional(), 4)),
            Key::Organization => (filled.input(&Field::new(key.word(), key.title()).hint(key.meaning()).optional())),
            Key::Name => (filled.input(&Field::new(key.word(), key.title()).hint(key.meaning()))),
            _ => (filled.check(key.word(), key.title(), key.meaning())),
        }
        @if let Some(changed) = changed { p.soft.changed { "Last changed by " (reveal(&changed.by_name)) ", " (time(changed.at)) "." } }
    }
}

async fn change(form: Form) -> Answer {
    let (actor, fields) = (form.actor.clone(), &form.fields);
    let wanted = Key::ALL.map(|key| {
        let value = if key.is_text() {
            Value::Text(fields.get(key.word()).to_owned())
        } else {
            Value::Switch(fields.has(key.word()))
        };
        (key, value)
    });
    let was = Was::of(fields);
    let changed = form
        .context
        .store
        .act(move |tx, here| {
            actor.require(Permission::EditSettings)?;
            was.still_is(&state(&settings::current(tx)?))?;
            settings::change(tx, &actor, here, &wanted)
        })
        .await;
    match changed.map_err(Problem::from) {
        Ok(_) => Ok(form.go_and_say("/settings", &Notice::done("The settings are saved."))),
        Err(problem) => page(&form, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}
