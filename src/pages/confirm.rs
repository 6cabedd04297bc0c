//! What is asked before something happens that cannot be taken back, or that lets something leave.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::Visit;

/// A page that names what will happen and asks once more.
#[derive(Debug)]
pub struct Confirm<'a> {
    /// The question, as the title of the page.
    pub title: &'a str,
    /// What happens, and to what.
    pub explained: Markup,
    /// Where the form is sent.
    pub action: &'a str,
    /// What the form carries.
    pub hidden: &'a [(&'a str, String)],
    /// What the button says: the act, not "OK".
    pub button: &'a str,
    /// Whether something is lost or let out.
    pub dangerous: bool,
    /// Where to go instead.
    pub back: &'a str,
}

impl Confirm<'_> {
    /// The page.
    pub fn page(self, visit: &Visit) -> HttpResponse {
        let class = if self.dangerous { "danger" } else { "primary" };
        visit.page(self.title).body(html! {
            div.card.narrow {
                (self.explained)
                (visit.form(self.action, html! {
                    @for (name, value) in self.hidden { input type="hidden" name=(name) value=(value); }
                    div.actions {
                        button class=(class) { (self.button) }
                        a.button href=(self.back) { "Cancel" }
                    }
                }))
            }
        })
    }
}
