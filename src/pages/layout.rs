//! The frame around every page: who speaks (the node, and on which side of the gap it stands), where one can go, what the
//! page before has done, and the page itself.

pub mod navigation;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, HttpResponseBuilder};
use data_encoding::BASE64URL_NOPAD;
use maud::{DOCTYPE, Markup, html};
use serde::{Deserialize, Serialize};

use super::form::TOKEN;
use super::piece::icon::{Icon, icon};
use super::piece::text::reveal;
use super::statics;
use super::visit::Shell;
use crate::domain::hash::Hash;
use crate::domain::notification::letter::INBOX_PATH;
use crate::domain::session::IDLE;
use crate::domain::side::Side;

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Something was done.
    Done,
    /// Something was not, or asks for attention.
    Warning,
}

/// What the page after a redirect says about what has just been done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    tone: Tone,
    text: String,
}

impl Notice {
    /// Says that something was done.
    pub fn done(text: impl Into<String>) -> Self {
        Self::new(Tone::Done, text)
    }

    /// Says that something was not done, or asks for attention.
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Tone::Warning, text)
    }

    fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into().chars().take(500).collect();
        Self { tone, text }
    }

    /// The notice as a cookie's value. It carries a mark that only this browser's secret makes, so that nobody else can
    /// put words on the node's pages.
    pub(super) fn seal(&self, secret: &str) -> String {
        // Two plain fields: writing them cannot fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{}.{}", BASE64URL_NOPAD.encode(&text), mark(&text, secret))
    }

    /// Reads what [`Self::seal`] made.
    pub(super) fn open(sealed: &str, secret: &str) -> Option<Self> {
        let (text, marked) = sealed.split_once('.')?;
        let text = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        (marked == mark(&text, secret)).then_some(())?;
        serde_json::from_slice(&text).ok()
    }

    fn shown(&self) -> Markup {
        let (class, drawing) = match self.tone {
            Tone::Done => ("notice done", Icon::Done),
            Tone::Warning => ("notice warning", Icon::Warning),
        };
        html! { div class=(class) role="status" { p { (icon(drawing)) " " (reveal(&self.text)) } } }
    }
}

fn mark(text: &[u8], secret: &str) -> String {
    let bytes = [secret.as_bytes(), b"\0", text].concat();
    Hash::derive("poundlock notice 1", &bytes).to_string()
}

/// A page that is being made.
#[derive(Debug)]
#[must_use]
pub struct Page<'a> {
    shell: &'a Shell,
    title: String,
    trail: Vec<(String, String)>,
    aside: Option<Markup>,
    status: StatusCode,
    wide: bool,
}

impl<'a> Page<'a> {
    /// A page under a title.
    pub(super) fn new(shell: &'a Shell, title: String) -> Self {
        Self {
            shell,
            title,
            trail: Vec::new(),
            aside: None,
            status: StatusCode::OK,
            wide: false,
        }
    }

    /// Where the page lies: names and addresses of the pages above it.
    pub fn trail<N: Into<String>, A: Into<String>>(
        mut self,
        above: impl IntoIterator<Item = (N, A)>,
    ) -> Self {
        let pair = |(name, address): (N, A)| (name.into(), address.into());
        self.trail = above.into_iter().map(pair).collect();
        self
    }

    /// What stands beside the title: a badge, or the page's main button.
    pub fn aside(self, aside: Markup) -> Self {
        Self {
            aside: Some(aside),
            ..self
        }
    }

    /// Answers with another status than 200.
    pub fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Takes the whole width of the window: for pages of code and of wide tables.
    pub fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    /// The page with this in it.
    pub fn body(self, content: Markup) -> HttpResponse {
        let mut answer = HttpResponseBuilder::new(self.status);
        answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8"));
        self.shell.with_cookies(&mut answer, None);
        answer.body(self.whole(&content).into_string())
    }

    fn whole(&self, content: &Markup) -> Markup {
        let shell = self.shell;
        let main = html! {
            @if !self.trail.is_empty() {
                nav.trail aria-label="Where this page lies" {
                    ol { @for (name, address) in &self.trail { li { a href=(address) { (reveal(name)) } } } }
                }
            }
            @if let Some(notice) = shell.notice() { (notice.shown()) }
            div.heading {
                h1 { (reveal(&self.title)) }
                @if let Some(aside) = &self.aside { div.aside { (aside) } }
            }
            (content)
        };
        let title = format!("{} – {} ({})", self.title, shell.node_name, shell.side.word());
        document(
            &title,
            &html! {
                a.skip href="#main" { "Skip to the page" }
                (header(shell))
                div.frame.alone[!navigation::is_shown(shell)] {
                    (navigation::shown(shell, self.trail.first().map(|(_, address)| address.as_str())))
                    main #main tabindex="-1" class=[self.wide.then_some("wide")] { (main) }
                }
                (footer(shell))
            },
            side_word(shell.side),
        )
    }

    /// A form with the token that lets it be read; see [`super::form`]. Browsers do not judge it: what is wrong is said by
    /// the node, for everybody in the same words.
    pub(super) fn form(shell: &Shell, action: &str, content: Markup) -> Markup {
        html! {
            form method="post" action=(action) novalidate {
                input type="hidden" name=(TOKEN) value=(shell.form_token());
                (content)
            }
        }
    }
}

impl Shell {
    /// A form that sends a file, with its token. What is filled in stands before the field of the file.
    pub fn upload_form(&self, action: &str, content: Markup) -> Markup {
        html! {
            form method="post" action=(action) enctype="multipart/form-data" novalidate {
                input type="hidden" name=(TOKEN) value=(self.form_token());
                (content)
            }
        }
    }

    /// A form of this page, with its token.
    pub fn form(&self, action: &str, content: Markup) -> Markup {
        Page::form(self, action, content)
    }
}

fn side_word(side: Side) -> &'static str {
    side.word()
}

/// A side as the header names it.
fn side_title(side: Side) -> &'static str {
    match side {
        Side::Low => "low side",
        Side::High => "high side",
        Side::Solo => "solo node",
    }
}

/// What a side means, for whoever looks at its page.
fn side_meaning(side: Side) -> &'static str {
    match side {
        Side::Low => "mock data only",
        Side::High => "private data",
        Side::Solo => "private data, and scientists",
    }
}

fn header(shell: &Shell) -> Markup {
    let idle = shell.actor.as_ref().map(|_| IDLE.as_secs());
    html! {
        header.top data-session-seconds=[idle] {
            a.brand href="/" {
                svg.mark viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
                    path d="M3 4v24M29 4v24M3 26h26M11 8l5 5 5-5M11 15l5 5 5-5" {}
                }
                span { "Poundlock" }
            }
            p.node { span.node-name { (reveal(&shell.node_name)) } }
            p.side { strong { (icon(Icon::Lock)) " " (side_title(shell.side)) } span { (side_meaning(shell.side)) } }
            @if let Some(actor) = &shell.actor {
                div.who {
                    a.bell href=(INBOX_PATH) { "Notifications" @if shell.unread > 0 { " " span.count { (shell.unread) span.only-heard { " unread" } } } }
                    a href="/account" { (reveal(&actor.name)) }
                    (shell.form("/sign-out", html! { button.quiet { "Sign out" } }))
                }
            } @else if shell.guests && shell.path() != "/sign-in" { div.who { a href="/sign-in" { "Sign in" } } }
        }
    }
}

fn footer(shell: &Shell) -> Markup {
    html! {
        footer.bottom {
            p { "Poundlock " (env!("CARGO_PKG_VERSION")) " · " (reveal(&shell.node_name)) ", " (side_title(shell.side)) }
            @if shell.actor.is_some() { p { a href="/docs" { "REST API" } } }
        }
    }
}

fn document(title: &str, body: &Markup, side: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-side=(side) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="stylesheet" href=(statics::style());
                link rel="icon" type="image/svg+xml" href=(statics::icon());
                script src=(statics::script()) defer {}
            }
            body { (body) }
        }
    }
}

/// A page where nothing is known of the node, since its store does not answer.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    let body = html! {
        div.frame.alone { main #main { div.heading { h1 { (title) } } (content) } }
    };
    document(title, &body, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_by_the_browser_that_it_is_for() {
        let sealed = Notice::done("the <b>run</b> waits").seal("secret");
        assert_eq!(
            Notice::open(&sealed, "secret"),
            Some(Notice::done("the <b>run</b> waits"))
        );
        assert_eq!(Notice::open(&sealed, "another"), None);
        assert_eq!(Notice::open(&sealed.replace('.', "A."), "secret"), None);
    }
}
