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
const ENTRIES: &[Entry] = &[
    Entry {
        label: "Inbox",
        path: "/inbox",
        also: &[],
        any_of: &[Permission::TriageRequests, Permission::Sync],
    },
    Entry {
        label: "Datasets",
        path: "/datasets",
        also: &["/assets"],
        any_of: &[],
    },
    Entry {
        label: "Projects",
        path: "/projects",
        also: &["/codes"],
        any_of: &[Permission::SubmitRequests, Permission::TriageRequests],
    },
    Entry {
        label: "Import",
        path: "/import",
        also: &[],
        any_of: &[Permission::Sync],
    },
    Entry {
        label: "Export",
        path: "/export",
        also: &[],
        any_of: &[Permission::Sync],
    },
    Entry {
        label: "Requests",
        path: "/requests",
        also: &["/runs", "/releases"],
        any_of: &[Permission::SubmitRequests, Permission::TriageRequests],
    },
];

/// Where the node itself is looked after.
const NODE: &[Entry] = &[
    Entry {
        label: "People",
        path: "/users",
        also: &[],
        any_of: &[Permission::CreateUsers],
    },
    Entry {
        label: "Roles",
        path: "/roles",
        also: &[],
        any_of: &[Permission::EditRoles, Permission::CreateUsers],
    },
    Entry {
        label: "Groups",
        path: "/groups",
        also: &[],
        any_of: &[Permission::CreateGroups],
    },
    Entry {
        label: "Peers",
        path: "/peers",
        also: &[],
        any_of: &[Permission::ManageInfrastructure, Permission::Sync],
    },
    Entry {
        label: "Settings",
        path: "/settings",
        also: &[],
        any_of: &[Permission::EditSettings],
    },
    Entry {
        label: "Audit",
        path: "/audit",
        also: &[],
        any_of: &[Permission::ReadAudit],
    },
];

/// Whether there is anywhere to go: not for a stranger, unless guests browse here.
pub fn is_shown(shell: &Shell) -> bool {
    shell.actor.is_some() || (shell.guests && shell.path() != "/sign-in")
}

/// The navigation, for whoever is signed in, and for guests what there is for them. `top` is the address of the uppermost page above this one, if there is one.
pub fn shown(shell: &Shell, top: Option<&str>) -> Markup {
    if !is_shown(shell) {
        return html! {};
    }
    let allowed = |entry: &&Entry| {
        let may = entry.any_of.is_empty() || entry.any_of.iter().any(|permission| shell.may(*permission));
        // What is between two nodes is not there on one that stands alone.
        may && (shell.side.level().is_ok() || !matches!(entry.path, "/import" | "/export" | "/peers"))
    };
    let place = top.unwrap_or(shell.path());
    let current = |entry: &Entry| {
        [entry.path]
            .iter()
            .chain(entry.also)
            .any(|path| is_current(path, place))
    };
    let listed = |entries: &'static [Entry]| {
        html! {
            @for entry in entries.iter().filter(allowed) {
                li { a href=(entry.path) aria-current=[current(entry).then_some("page")] { (entry.label) } }
            }
        }
    };
    let node = listed(NODE);
    html! {
        div.navigation {
            nav.main-navigation aria-label="Main" { ul { (listed(ENTRIES)) } }
            @if !node.0.is_empty() { nav.main-navigation.of-node aria-label="This node" { p aria-hidden="true" { "This node" } ul { (node) } } }
        }
    }
}

fn is_current(entry: &str, path: &str) -> bool {
    path.strip_prefix(entry)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
