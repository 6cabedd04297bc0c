//! Small drawings beside words. Never in place of them: they are hidden from whoever listens to the page.

use maud::{Markup, html};

/// What is drawn, each on a grid of 16 by 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A tick.
    Done,
    /// A cross.
    No,
    /// A triangle with a mark of exclamation.
    Warning,
    /// A clock.
    Waiting,
    /// An arrow that turns.
    Running,
    /// An arrow that goes back.
    Back,
    /// A padlock.
    Lock,
    /// An arrow that leaves a box.
    Out,
    /// An arrow that enters a box.
    In,
    /// A circle with an i.
    Note,
}

/// A drawing in the colour of the text around it.
pub fn icon(icon: Icon) -> Markup {
    let path = match icon {
        Icon::Done => "M2.5 8.5l3.5 3.5 7.5-8",
        Icon::No => "M3.5 3.5l9 9M12.5 3.5l-9 9",
        Icon::Warning => "M8 1.8L1.2 13.8h13.6zM8 6.2v3.6M8 11.6v.6",
        Icon::Waiting => "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM8 4.5V8l2.5 1.8",
        Icon::Running => "M13.5 8A5.5 5.5 0 118 2.5c2 0 3.6 1 4.6 2.5M13 1.8v3.4H9.6",
        Icon::Back => "M6.5 3.5L2 8l4.5 4.5M2.5 8H14",
        Icon::Lock => "M3 7.2h10v7H3zM5 7V5a3 3 0 016 0v2",
        Icon::Out => "M6.5 3H2.5v10.5H13V9.5M9 2h5v5M14 2L7.5 8.5",
        Icon::In => "M9 3h4.5v10.5H3V9.5M8.5 3.5v5h-5M2 2l6.2 6.2",
        Icon::Note => "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM8 7.2V11.5M8 4.4v.6",
    };
    html! {
        svg.icon viewBox="0 0 16 16" aria-hidden="true" focusable="false" { path d=(path) {} }
    }
}
