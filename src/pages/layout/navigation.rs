//! Where one can go from every page: what the permissions of whoever looks allow.

use maud::{Markup, html};

use crate::domain::access::Permission;
use crate::pages::visit::Shell;

/// An entry of the navigation.
struct Entry {
    label: &'static str,
    path: &'static str,
    /// Where else one is still there.
    also: &'static [&'static str],
    /// Shown to whoever has one of these; to everybody who is signed in if there are none.
    any_of: &'static [Permission],
}

/// The navigation, in order. An entry is current on its own page and on those below its path.
const ENTRIES: &[Entry] = &[Entry {
    label: "Datasets",
    path: "/datasets",
    also: &["/assets"],
    any_of: &[],
}];

/// The navigation, for whoever is signed in.
pub fn shown(shell: &Shell) -> Markup {
    if shell.actor.is_none() {
        return html! {};
    }
    let allowed = |entry: &&Entry| {
        entry.any_of.is_empty() || entry.any_of.iter().any(|permission| shell.may(*permission))
    };
    html! {
        nav.main-navigation aria-label="Main" {
            ul {
                @for entry in ENTRIES.iter().filter(allowed) {
                    @let here = [entry.path].iter().chain(entry.also).any(|path| is_current(path, shell.path()));
                    li { a href=(entry.path) aria-current=[here.then_some("page")] { (entry.label) } }
                }
            }
        }
    }
}

fn is_current(entry: &str, path: &str) -> bool {
    path.strip_prefix(entry)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
