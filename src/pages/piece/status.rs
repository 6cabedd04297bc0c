//! How things stand: a word, a drawing and a colour, so that nobody depends on the colour.

use maud::{Markup, html};

use super::icon::{Icon, icon};
use crate::domain::job::State;
use crate::domain::request::Status;

/// What a badge says about its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// It waits for somebody.
    Waiting,
    /// It is well.
    Good,
    /// It is not, or was refused.
    Bad,
    /// It asks for attention.
    Warning,
}

impl Tone {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Waiting => "waiting",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
        }
    }
}

/// A word with its drawing.
pub fn badge(tone: Tone, drawing: Icon, word: &str) -> Markup {
    html! { span.badge data-tone=(tone.word()) { (icon(drawing)) " " (word) } }
}

/// The status of a request.
pub fn request(status: &Status) -> Markup {
    let (tone, drawing) = match status {
        Status::Pending => (Tone::Waiting, Icon::Waiting),
        Status::Approved => (Tone::Good, Icon::Done),
        Status::Denied { .. } => (Tone::Bad, Icon::No),
        Status::Expired | Status::Withdrawn => (Tone::Plain, Icon::Back),
    };
    badge(tone, drawing, status.word())
}

/// The state of a run.
pub fn run(state: State) -> Markup {
    let (tone, drawing) = match state {
        State::Queued => (Tone::Waiting, Icon::Waiting),
        State::Running => (Tone::Waiting, Icon::Running),
        State::Succeeded => (Tone::Good, Icon::Done),
        State::Failed | State::TimedOut | State::Interrupted => (Tone::Bad, Icon::No),
        State::Cancelled | State::SetAside => (Tone::Plain, Icon::Back),
    };
    badge(tone, drawing, state.word())
}
