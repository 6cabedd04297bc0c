//! What each route needs: one table, which the gate enforces before a handler is called, which the page on permissions in the
//! docs is made of, and which a test walks with every role. Acts demand the same again, and more where it depends on whose a
//! thing is. A route without a row answers nobody.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::domain::access::{Actor, Denied, Permission, Permissions};
use crate::domain::role::Preset;

/// What whoever calls a route must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anybody.
    Nothing,
    /// Signed in, or a guest where the owner lets them in.
    Catalogue,
    /// Signed in, even where a demanded second factor is still to be added: what it takes to look after one's own sign-in.
    Account,
    /// Signed in. What they get depends on whose it is: the act decides.
    SignedIn,
    /// Signed in, with a permission.
    May(Permission),
    /// Signed in, with one of two permissions; as a rule with the first.
    Either(Permission, Permission),
    /// Signed in, with every permission that there is, as an owner has them.
    Everything,
}

impl Needs {
    /// Demands what somebody needs who is signed in.
    ///
    /// # Errors
    /// Names the permission that is missing.
    pub fn check(self, actor: &Actor) -> Result<(), Denied> {
        match self {
            Self::Nothing | Self::Catalogue | Self::Account | Self::SignedIn => Ok(()),
            Self::May(permission) => actor.require(permission),
            Self::Either(usual, other) => actor.require_either(usual, other),
            Self::Everything => actor.require_everything(),
        }
    }

    /// Whether whoever has these permissions may call the route.
    pub fn admits(self, permissions: &Permissions) -> bool {
        match self {
            Self::Nothing | Self::Catalogue | Self::Account | Self::SignedIn => true,
            Self::May(permission) => permissions.contains(&permission),
            Self::Either(usual, other) => permissions.contains(&usual) || permissions.contains(&other),
            Self::Everything => Permission::ALL.iter().all(|it| permissions.contains(it)),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Nothing => "nobody has to be signed in".to_owned(),
            Self::Catalogue => "signed in, or a guest".to_owned(),
            Self::Account => "signed in, even before a second factor".to_owned(),
            Self::SignedIn => "signed in".to_owned(),
            Self::May(permission) => permission.word().to_owned(),
            Self::Either(usual, other) => format!("{} or {}", usual.word(), other.word()),
            Self::Everything => "every permission".to_owned(),
        }
    }
}

/// A route and what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// GET, POST, …
    pub method: &'static str,
    /// The address below `/api/v1`, as it is routed.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
}

const fn row(method: &'static str, path: &'static str, needs: Needs) -> Row {
    Row { method, path, needs }
}

use Needs::{Account, Catalogue, Either, Everything, May, Nothing, SignedIn};
use Permission::{
    CreateGroups, CreateUsers, EditRoles, EditSettings, ManageInfrastructure, ReadAudit, Release,
    SubmitRequests, Sync, TriageRequests, UploadData,
};

/// Every route of the API.
pub const TABLE: &[Row] = &[
    row("GET", "/health", Nothing),
    row("GET", "/openapi.json", Nothing),
    row("GET", "/setup/status", Nothing),
    row("POST", "/setup", Nothing),
    row("GET", "/node", SignedIn),
    row("GET", "/sandbox", May(TriageRequests)),
    row("POST", "/snapshots", May(ManageInfrastructure)),
    row("DELETE", "/snapshots/{id}", May(ManageInfrastructure)),
    // Sessions, passwords and second factors: each for oneself.
    row("POST", "/sessions", Nothing),
    row("GET", "/sessions", Account),
    row("DELETE", "/sessions/current", Account),
    row("POST", "/sessions/{id}/end", Account),
    row("POST", "/password-resets", Nothing),
    row("POST", "/password-resets/use", Nothing),
    row("PUT", "/users/me/password", Account),
    row("POST", "/users/me/second-factor", Account),
    row("PUT", "/users/me/second-factor", Account),
    row("POST", "/users/me/second-factor/removal", SignedIn),
    // Verify keys: one's own, and those that are pinned here.
    row("PUT", "/users/me/verify-key", SignedIn),
    row("GET", "/users/me/verify-key", SignedIn),
    row("DELETE", "/users/me/verify-key", SignedIn),
    row("GET", "/verify-keys", May(TriageRequests)),
    row("GET", "/verify-keys/{user}", May(TriageRequests)),
    row("POST", "/verify-keys/{user}/acceptance", May(TriageRequests)),
    // People. Whoever is not signed in registers, where that is open.
    row("POST", "/users", Nothing),
    row("GET", "/users", SignedIn),
    row("GET", "/users/me", Account),
    row("PATCH", "/users/me", SignedIn),
    row("GET", "/users/{id}", SignedIn),
    row("PATCH", "/users/{id}", May(CreateUsers)),
    row("DELETE", "/users/{id}", May(CreateUsers)),
    row("POST", "/users/{id}/password-reset", May(CreateUsers)),
    row("DELETE", "/users/{id}/second-factor", May(CreateUsers)),
    row("GET", "/roles", SignedIn),
    row("GET", "/roles/{id}", SignedIn),
    row("POST", "/roles", May(EditRoles)),
    row("PATCH", "/roles/{id}", May(EditRoles)),
    row("DELETE", "/roles/{id}", May(EditRoles)),
    row("GET", "/groups", SignedIn),
    row("GET", "/groups/{id}", SignedIn),
    row("POST", "/groups", May(CreateGroups)),
    row("PATCH", "/groups/{id}", May(CreateGroups)),
    row("DELETE", "/groups/{id}", May(CreateGroups)),
    row("GET", "/groups/{id}/members", May(CreateGroups)),
    row("PUT", "/groups/{id}/members/{user}", May(CreateGroups)),
    row("DELETE", "/groups/{id}/members/{user}", May(CreateGroups)),
    row("GET", "/settings", SignedIn),
    row("PATCH", "/settings", May(EditSettings)),
    // The catalogue.
    row("GET", "/datasets", Catalogue),
    row("GET", "/datasets/{id}", Catalogue),
    row("POST", "/datasets", May(UploadData)),
    row("POST", "/datasets/archive", May(UploadData)),
    row("PUT", "/datasets/{id}/mocks/archive", May(UploadData)),
    row("GET", "/datasets/{id}/assets", Catalogue),
    row("PATCH", "/datasets/{id}", May(UploadData)),
    row("DELETE", "/datasets/{id}", May(UploadData)),
    row("POST", "/datasets/{id}/publications", May(Sync)),
    row("GET", "/datasets/{id}/publications", May(Sync)),
    row("DELETE", "/datasets/{id}/publications/{peer}", May(Sync)),
    row("POST", "/datasets/{id}/adoption", May(Sync)),
    row("POST", "/datasets/{id}/assets", May(UploadData)),
    row("GET", "/assets/{id}", Catalogue),
    row("GET", "/assets/{id}/mock", Catalogue),
    row("PUT", "/assets/{id}/mock", May(UploadData)),
    row("POST", "/assets/{id}/mock/generation", May(UploadData)),
    row("DELETE", "/assets/{id}/mock", May(UploadData)),
    row("PUT", "/assets/{id}/private", May(UploadData)),
    row("DELETE", "/assets/{id}/private", May(UploadData)),
    row("GET", "/assets/{id}/private-status", May(UploadData)),
    // Projects, code, requests, runs, releases.
    row("POST", "/projects", May(SubmitRequests)),
    row("GET", "/projects", SignedIn),
    row("GET", "/projects/{id}", SignedIn),
    row("PATCH", "/projects/{id}", SignedIn),
    row("POST", "/projects/{id}/start", SignedIn),
    row("DELETE", "/projects/{id}", SignedIn),
    row("POST", "/codes", May(SubmitRequests)),
    row("GET", "/codes", SignedIn),
    row("GET", "/codes/{id}", SignedIn),
    row("POST", "/codes/{id}/call", SignedIn),
    row("POST", "/codes/{id}/runs", SignedIn),
    row("POST", "/requests", May(SubmitRequests)),
    row("GET", "/requests", SignedIn),
    row("GET", "/requests/{id}", SignedIn),
    row("POST", "/requests/{id}/withdrawal", SignedIn),
    row("POST", "/requests/{id}/runs-wanted", SignedIn),
    row("POST", "/requests/{id}/decisions", May(TriageRequests)),
    row("POST", "/requests/{id}/runs", SignedIn),
    row("POST", "/requests/{id}/deposits", May(TriageRequests)),
    row("POST", "/requests/{id}/fulfilments", May(TriageRequests)),
    row("GET", "/access-requests", SignedIn),
    row("POST", "/access-rules", May(TriageRequests)),
    row("GET", "/access-rules", May(TriageRequests)),
    row("GET", "/access-rules/{id}", May(TriageRequests)),
    row("PUT", "/access-rules/{id}", May(TriageRequests)),
    row("DELETE", "/access-rules/{id}", May(TriageRequests)),
    row("GET", "/runs", SignedIn),
    row("GET", "/runs/{id}", SignedIn),
    row("POST", "/runs/{id}/cancellation", SignedIn),
    row("POST", "/runs/{id}/set-aside", May(TriageRequests)),
    row("GET", "/runs/{id}/result", SignedIn),
    row("GET", "/runs/{id}/log", SignedIn),
    row("GET", "/runs/{id}/failure_report", SignedIn),
    row("POST", "/runs/{id}/releases", May(Release)),
    row("GET", "/releases/{id}", SignedIn),
    row("GET", "/releases/{id}/content", SignedIn),
    // Peers and bundles.
    row("GET", "/node/identity", SignedIn),
    row("POST", "/node/rotation", May(ManageInfrastructure)),
    row("GET", "/node/rotation", May(ManageInfrastructure)),
    row("POST", "/peers", May(ManageInfrastructure)),
    row("GET", "/peers", Either(Sync, ManageInfrastructure)),
    row("GET", "/peers/{id}", Either(Sync, ManageInfrastructure)),
    row("POST", "/peers/{id}/confirmation", May(ManageInfrastructure)),
    row("POST", "/peers/{id}/rotation", May(ManageInfrastructure)),
    row(
        "POST",
        "/peers/{id}/rotation/confirmation",
        May(ManageInfrastructure),
    ),
    row("POST", "/peers/{id}/epoch", May(ManageInfrastructure)),
    row("DELETE", "/peers/{id}", May(ManageInfrastructure)),
    row("GET", "/peers/{id}/outgoing", May(Sync)),
    row("POST", "/peers/{id}/holds", May(Sync)),
    row("DELETE", "/peers/{id}/holds/{root}", May(Sync)),
    row("POST", "/peers/{id}/exports", May(Sync)),
    row("GET", "/exports/{name}", May(Sync)),
    row("POST", "/imports", May(Sync)),
    row("GET", "/peers/{id}/inbox", May(Sync)),
    row("POST", "/peers/{id}/inbox/apply", May(Sync)),
    row("POST", "/peers/{id}/inbox/ignore", May(Sync)),
    row("POST", "/peers/{id}/inbox/unignore", May(Sync)),
    // Notifications: one's own, and what is set about them.
    row("GET", "/notifications", SignedIn),
    row("GET", "/notifications/unread", SignedIn),
    row("POST", "/notifications/read", SignedIn),
    row("POST", "/notifications/clear", SignedIn),
    row("GET", "/notifications/digest", SignedIn),
    row("POST", "/notifications/digest", SignedIn),
    row("GET", "/notifications/preferences", SignedIn),
    row("PATCH", "/notifications/preferences", SignedIn),
    row("POST", "/notifications/preferences/activate", SignedIn),
    row("POST", "/notifications/preferences/deactivate", SignedIn),
    row("POST", "/notifications/preferences/test", SignedIn),
    row("GET", "/notifications/settings", May(EditSettings)),
    row("PATCH", "/notifications/settings", May(EditSettings)),
    // Which server takes the mail that brings tokens for new passwords: whoever chooses it could be anybody.
    row("DELETE", "/notifications/settings", Everything),
    row("POST", "/notifications/settings/enable", Everything),
    row("POST", "/notifications/settings/disable", May(EditSettings)),
    row("POST", "/notifications/settings/test", May(EditSettings)),
    row("GET", "/notifications/dead-letters", May(EditSettings)),
    row("POST", "/notifications/dead-letters/requeue", May(EditSettings)),
    row(
        "POST",
        "/notifications/dead-letters/{id}/requeue",
        May(EditSettings),
    ),
    row("DELETE", "/notifications/dead-letters/{id}", May(EditSettings)),
    row("GET", "/notifications/{id}", SignedIn),
    row("PATCH", "/notifications/{id}", SignedIn),
    row("DELETE", "/notifications/{id}", SignedIn),
    // The record.
    row("GET", "/audit", May(ReadAudit)),
    row("GET", "/audit/export", May(ReadAudit)),
    row("GET", "/audit/verification", May(ReadAudit)),
    row("GET", "/outbox", May(EditSettings)),
];

/// What a route needs; none where the table has no row for it.
pub fn needs(method: &str, path: &str) -> Option<Needs> {
    let row = methods(path).iter().find(|row| row.method == method);
    row.map(|row| row.needs)
}

/// The rows of a path, one for each of its methods.
pub fn methods(path: &str) -> &'static [&'static Row] {
    static BY_PATH: LazyLock<HashMap<&str, Vec<&Row>>> = LazyLock::new(|| {
        let mut by_path = HashMap::<_, Vec<_>>::new();
        for row in TABLE {
            by_path.entry(row.path).or_default().push(row);
        }
        by_path
    });
    BY_PATH.get(path).map(Vec::as_slice).unwrap_or_default()
}

/// The page on permissions in the docs.
pub fn page() -> String {
    let mut page = String::from(
        "# Who may do what\n\nEvery call is checked against this table before anything else happens, and again by the rule that \
         carries it out. A\nthing that somebody may not see is answered like a thing that does not exist.\n\n## The roles that a \
         node begins with\n\n| permission | Owner | Administrator | Compliance Officer | User |\n| --- | --- | --- | --- | --- |\n",
    );
    let mark = |has: bool| if has { "yes" } else { "–" };
    for permission in Permission::ALL {
        let has = Preset::ALL.map(|preset| mark(preset.role().permissions.contains(&permission)));
        let _infallible = writeln!(page, "| {} | {} |", permission.word(), has.join(" | "));
    }
    page.push_str(
        "\n## The routes\n\n\"Signed in\" means that the rest depends on whose a thing is: scientists get what is theirs, and those \
         who triage get\neverything. Where the owner demands a second factor, whoever has none yet may call the routes that \
         say so and no\nothers. Publishing and adopting a dataset need can_upload_data as well; a mock that is real data needs \
         can_release. Whoever\nsays which server takes the mail, or where its links lead, could read everybody's tokens for new \
         passwords: that needs\nevery permission, and so does the base_url among the settings.\n\n| route | needs | no login | \
         Owner | Administrator | Compliance Officer | User |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let nobody = match row.needs {
            Nothing => "yes",
            Catalogue => "guests",
            Account | SignedIn | May(_) | Either(..) | Everything => "–",
        };
        let has = Preset::ALL.map(|preset| mark(row.needs.admits(&preset.role().permissions)));
        let (method, path, words) = (row.method, row.path, row.needs.words());
        let _infallible = writeln!(
            page,
            "| {method} {path} | {words} | {nobody} | {} |",
            has.join(" | ")
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_route_stands_once() {
        let all: BTreeSet<_> = TABLE.iter().map(|row| (row.method, row.path)).collect();
        assert_eq!(all.len(), TABLE.len());
    }

    #[test]
    fn the_docs_say_what_holds() {
        let written = include_str!("../../docs/PERMISSIONS.md");
        let hint = "write it anew: cargo run --example permissions_page > docs/PERMISSIONS.md";
        assert_eq!(written, page(), "{hint}");
    }
}
