//! What somebody was told, and what they want to be told of, over which channel and when.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::piece::icon::Icon;
use super::piece::list::{empty, pager};
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use super::piece::time::age;
use super::{Answer, Field, Fields, Filled, Form, Notice, Problem, Site, Visit};
use crate::acts::notices::choices::{self, Choice};
use crate::acts::notices::{effective, inbox};
use crate::api::page;
use crate::domain::notification::digest::{Frequency, Schedule, Weekday};
use crate::domain::notification::letter::{INBOX_PATH, sentence};
use crate::domain::notification::mail_settings::Effective;
use crate::domain::notification::preferences::Preferences;
use crate::domain::notification::{ChannelKind, Event};

/// Lines on a page.
const PAGE: usize = 50;
/// Where the switches are.
const SWITCHES: &str = "/notifications/settings";

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "Monday"),
    (Weekday::Tuesday, "Tuesday"),
    (Weekday::Wednesday, "Wednesday"),
    (Weekday::Thursday, "Thursday"),
    (Weekday::Friday, "Friday"),
    (Weekday::Saturday, "Saturday"),
    (Weekday::Sunday, "Sunday"),
];

pub(super) fn routes(site: &mut Site<'_>) {
    site.get(INBOX_PATH, list);
    site.post("/notifications/marks", mark);
    site.get(SWITCHES, show_switches);
    site.post(SWITCHES, switch);
}

async fn list(visit: Visit, query: Fields) -> Answer {
    let before = page::Page::new(None, query.given("cursor").map(str::to_owned)).after()?;
    let (actor, only_unread) = (visit.actor.clone(), query.has("unread"));
    let (found, newest) = visit
        .read(move |view| {
            let found = inbox::list(view, &actor, only_unread, before, PAGE)?;
            Ok((found, inbox::newest(view, &actor)?))
        })
        .await?;
    let now = visit.context.store.now();
    let next = found.next.as_ref().and_then(page::cursor);
    let tab = |label: &str, unread: bool| {
        let address = query.address(INBOX_PATH, "unread", unread.then_some("yes"));
        html! { li { a href=(address) aria-current=[(unread == only_unread).then_some("page")] { (label) } } }
    };
    Ok(visit
        .page("Notifications")
        .aside(html! { a.button href=(SWITCHES) { "What you are told of" } })
        .body(html! {
            nav aria-label="Which" { ul.tabs { (tab("All", false)) (tab("Unread", true)) } }
            @if found.lines.is_empty() { (nothing(only_unread)) }
            @else {
                (visit.form("/notifications/marks", html! {
                    input type="hidden" name="back" value=(visit.address);
                    ul.notices { @for line in &found.lines { li.unread[!line.notice.read] { (told(line, now)) } } }
                    @if visit.unread > 0 { div.actions { button name="up_to" value=(newest) { "Mark all as read" } } }
                }))
            }
            (pager(INBOX_PATH, &query, next.as_deref()))
        }))
}

fn nothing(only_unread: bool) -> Markup {
    if only_unread {
        return empty(
            "You have read everything.",
            html! { a href=(INBOX_PATH) { "Show all notifications" } },
        );
    }
    empty(
        "Nothing has happened that you are told of.",
        html! { "You can choose " a href=(SWITCHES) { "what else reaches you, and how" } "." },
    )
}

fn told(line: &inbox::Line, now: jiff::Timestamp) -> Markup {
    let said = sentence(line.notice.event, &line.told);
    let (name, label) = if line.notice.read {
        ("unread", "Mark as unread")
    } else {
        ("read", "Mark as read")
    };
    html! {
        div {
            p {
                @if !line.notice.read { (badge(Tone::Waiting, Icon::Note, "new")) " " }
                @match line.told.target { Some(target) => a href=(target.path()) { (reveal(&said)) }, None => (reveal(&said)) }
            }
            @if let Some(title) = &line.title { p { (reveal(title)) } }
            @if let Some(reason) = &line.told.reason { p.soft { "The reason: " (reveal(reason)) } }
            p.soft { (age(line.notice.at, now)) }
        }
        button.small name=(name) value=(line.number) { (label) span.only-heard { ": " (reveal(&said)) } }
    }
}

async fn mark(form: Form) -> Answer {
    let actor = form.actor.clone();
    let number = |name: &str| form.fields.parsed::<u64>(name, "the number of a notification");
    if form.fields.has("up_to") {
        let up_to = number("up_to")?;
        loop {
            let who = actor.clone();
            let more = form
                .context
                .store
                .act(move |tx, _| inbox::mark_all(tx, &who, up_to))
                .await?;
            if !more {
                return Ok(back(&form, "All of them are marked as read."));
            }
        }
    }
    let is_read = form.fields.has("read");
    let number = number(if is_read { "read" } else { "unread" })?;
    form.context
        .store
        .act(move |tx, _| inbox::mark(tx, &actor, number, is_read))
        .await?;
    Ok(back(
        &form,
        if is_read {
            "It is marked as read."
        } else {
            "It is marked as unread."
        },
    ))
}

/// To the page of the list from which it was marked.
fn back(form: &Form, said: &str) -> HttpResponse {
    let wanted = form.fields.get("back");
    let stays = wanted.starts_with(INBOX_PATH) && wanted.bytes().all(|byte| byte.is_ascii_graphic());
    form.go_and_say(if stays { wanted } else { INBOX_PATH }, &Notice::done(said))
}

async fn show_switches(visit: Visit) -> Answer {
    switches(&visit, None).await
}

fn frequency_label(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Instant => "At once",
        Frequency::SixHourly => "Every six hours",
        Frequency::TwelveHourly => "Every twelve hours",
        Frequency::Daily => "Once a day",
        Frequency::Weekly => "Once a week",
    }
}

async fn read(visit: &Visit) -> Result<(Preferences, Effective), Problem> {
    let (user, configured) = (visit.actor.user, visit.context.configured.clone());
    visit
        .read(move |view| Ok((choices::of(view, user)?, effective(view, &configured)?)))
        .await
}

async fn switches(visit: &Visit, refused: Option<Filled>) -> Answer {
    let (mine, effective) = read(visit).await?;
    let typed = refused.as_ref().map(|refused| refused.fields().clone());
    let weekday = WEEKDAYS.iter().find(|(day, _)| *day == mine.schedule.weekday);
    let filled = refused.unwrap_or_else(|| {
        Filled::with([
            ("digest_time", mine.schedule.time()),
            (
                "digest_weekday",
                weekday.map_or("Monday", |(_, name)| name).to_owned(),
            ),
            ("utc_offset", mine.schedule.offset()),
        ])
    });
    let days = WEEKDAYS.map(|(_, name)| (name, name));
    Ok(visit
        .page("What you are told of")
        .trail([("Notifications", INBOX_PATH)])
        .status(filled.status())
        .body(html! {
            (filled.summary())
            (available(&mine, &effective))
            (visit.form(SWITCHES, html! {
                (table(visit, &mine, typed.as_ref()))
                fieldset.card.narrow {
                    legend { "What does not come at once" }
                    p.hint { "It is gathered into one message, at these times." }
                    (filled.input(&Field::new("digest_time", "Time of day").hint("Such as 07:30.")))
                    (filled.choice(&Field::new("digest_weekday", "Day of the week"), days))
                    (filled.input(&Field::new("utc_offset", "Your time zone, from UTC").hint("Such as +01:00.")))
                }
                div.actions { button.primary { "Save" } }
            }))
        }))
}

/// Which channels carry anything on this node.
fn available(mine: &Preferences, effective: &Effective) -> Markup {
    html! {
        p { "Whatever happens stands on the page " a href=(INBOX_PATH) { "Notifications" } ". What else reaches you, you choose here." }
        @if !effective.carries(ChannelKind::Email) { div.notice.warning { p { "This node sends no mail. What you choose counts once its administrator sets mail up." } } }
        @if mine.webhook.is_none() {
            p.soft {
                @if effective.webhook_origins.is_empty() { "Messages to a chat are not available on this node; its administrator can allow them." }
                @else { "To get messages in a chat, set its incoming webhook first: " code { "poundlock notifications --help" } " says how." }
            }
        }
    }
}

/// The events that can happen on this node.
fn events(visit: &Visit) -> impl Iterator<Item = Event> {
    let all = Event::ALL.iter().copied();
    all.filter(|event| visit.exchanges_bundles() || !event.is_between_nodes())
}

fn table(visit: &Visit, mine: &Preferences, typed: Option<&Fields>) -> Markup {
    let has_webhook = mine.webhook.is_some();
    html! {
        div.scroll role="region" aria-label="What you are told of" tabindex="0" {
            table.switches {
                thead { tr { th scope="col" { "When" } th scope="col" { "Mail" } @if has_webhook { th scope="col" { "Chat" } } th scope="col" { "How soon" } } }
                tbody { @for event in events(visit) { (row(mine, typed, event, has_webhook)) } }
            }
        }
    }
}

/// What is wanted of one event: as it is stored, or as it was `typed` in a form that was refused.
fn row(mine: &Preferences, typed: Option<&Fields>, event: Event, has_webhook: bool) -> Markup {
    let about = event.subject();
    let channel = |channel: ChannelKind, label: &str| {
        let name = format!("{}-{}", channel.word(), event.word());
        let wanted = typed.map_or_else(|| mine.wants(event, channel), |typed| typed.has(&name));
        html! {
            td {
                @if event.is_optional() {
                    input id=(name) type="checkbox" name=(name) value="on" checked[wanted];
                    label.only-heard for=(name) { (label) ": " (about) }
                } @else if mine.wants(event, channel) { "always" } @else { "never" }
            }
        }
    };
    let how_soon = format!("frequency-{}", event.word());
    let is_chosen = |frequency: Frequency, word: &str| match typed {
        Some(typed) => typed.has_value(&how_soon, word),
        None => mine.frequency(event) == frequency,
    };
    html! {
        tr {
            th scope="row" { (about) }
            (channel(ChannelKind::Email, "By mail"))
            @if has_webhook { (channel(ChannelKind::Slack, "In the chat")) }
            td {
                @if event.may_wait() {
                    select name=(how_soon) aria-label=(format!("How soon: {about}")) {
                        @for (frequency, word) in Frequency::ALL {
                            option value=(word) selected[is_chosen(*frequency, word)] { (frequency_label(*frequency)) }
                        }
                    }
                } @else { "At once" }
            }
        }
    }
}

async fn switch(form: Form) -> Answer {
    match save(&form).await {
        Ok(()) => Ok(form.go_and_say(SWITCHES, &Notice::done("Your choice is saved."))),
        Err(problem) => switches(&form, Some(Filled::refused(&form.fields, problem)?)).await,
    }
}

async fn save(form: &Form) -> Result<(), Problem> {
    let (mine, _) = read(form).await?;
    let choices = chosen(form, &mine)?;
    let (actor, configured) = (form.actor.clone(), form.context.configured.clone());
    form.context
        .store
        .act(move |tx, _| choices::choose(tx, &actor, &configured, choices))
        .await?;
    Ok(())
}

/// What a form says, as choices. A box that is not checked is not sent.
fn chosen(form: &Form, mine: &Preferences) -> Result<Vec<Choice>, Problem> {
    let fields = &form.fields;
    let mut choices = Vec::new();
    for event in events(form) {
        if event.is_optional() {
            for channel in [ChannelKind::Email, ChannelKind::Slack] {
                if channel == ChannelKind::Slack && mine.webhook.is_none() {
                    continue;
                }
                choices.push(Choice::Switch {
                    on: fields.has(&format!("{}-{}", channel.word(), event.word())),
                    channel: Some(channel),
                    event: Some(event),
                });
            }
        }
        let wanted = fields.get(&format!("frequency-{}", event.word()));
        let frequency = Frequency::ALL.iter().find(|(_, word)| *word == wanted);
        if let Some((frequency, _)) = frequency.filter(|_| event.may_wait()) {
            choices.push(Choice::Frequency {
                frequency: *frequency,
                event: Some(event),
            });
        }
    }
    let weekday = WEEKDAYS
        .iter()
        .find(|(_, name)| *name == fields.get("digest_weekday"));
    choices.push(Choice::Schedule(Schedule {
        minute: Schedule::minute_of(fields.get("digest_time").trim())?,
        ahead_of_utc: Schedule::offset_of(fields.get("utc_offset").trim())?,
        weekday: weekday.map_or(mine.schedule.weekday, |(day, _)| *day),
    }));
    Ok(choices)
}
