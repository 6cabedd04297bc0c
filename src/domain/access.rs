//! Who may do what. Everything asks here, by permission and never by the name of a role.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::dataset::Visibility;
use super::id::UserId;
use super::object::{Body, Object};
use super::text;

/// Something that a person may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Submit code and requests, as a scientist does.
    SubmitRequests,
    /// See every request, decide on it, and run code.
    TriageRequests,
    /// Change the node's settings.
    EditSettings,
    /// Create accounts for others, see them, and change what they may do.
    CreateUsers,
    /// Make groups and say who is in them.
    CreateGroups,
    /// Make, change and delete roles.
    EditRoles,
    /// Pair with other nodes, rotate keys, revoke; have the store copied for a backup.
    ManageInfrastructure,
    /// Create datasets, upload mocks and private data, publish and adopt.
    UploadData,
    /// Let one result, log or failure report leave the high side.
    Release,
    /// Export, import, review and apply bundles.
    Sync,
    /// Read the audit chain.
    ReadAudit,
}

impl Permission {
    /// Whether it is for what passes between two nodes, and so of no use on one that stands alone.
    pub fn is_between_nodes(self) -> bool {
        self == Self::Sync
    }

    /// Every permission, in the order in which a page shows them.
    pub const ALL: [Self; 11] = [
        Self::SubmitRequests,
        Self::TriageRequests,
        Self::EditSettings,
        Self::CreateUsers,
        Self::CreateGroups,
        Self::EditRoles,
        Self::ManageInfrastructure,
        Self::UploadData,
        Self::Release,
        Self::Sync,
        Self::ReadAudit,
    ];

    /// The word used in addresses, files and on screens.
    pub fn word(self) -> &'static str {
        match self {
            Self::SubmitRequests => "can_submit_requests",
            Self::TriageRequests => "can_triage_requests",
            Self::EditSettings => "can_edit_settings",
            Self::CreateUsers => "can_create_users",
            Self::CreateGroups => "can_create_groups",
            Self::EditRoles => "can_edit_roles",
            Self::ManageInfrastructure => "can_manage_infrastructure",
            Self::UploadData => "can_upload_data",
            Self::Release => "can_release",
            Self::Sync => "can_sync",
            Self::ReadAudit => "can_read_audit",
        }
    }

    /// The permission that a word names.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.word() == word)
    }
}

/// What somebody may do.
pub type Permissions = BTreeSet<Permission>;

/// Whoever acts: a signed-in person, as their account, role and groups are on this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their account.
    pub user: UserId,
    /// How they are called; goes into decisions and releases.
    pub name: String,
    /// What they may do.
    pub permissions: Permissions,
    /// The groups that they are in, by folded name.
    pub groups: BTreeSet<String>,
}

/// The actor lacks a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this needs the permission {}; ask the owner of the node for it", .0.word())]
pub struct Denied(pub Permission);

impl Actor {
    /// Whether the actor has a permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// Demands a permission.
    ///
    /// # Errors
    /// Names the permission that is missing.
    pub fn require(&self, permission: Permission) -> Result<(), Denied> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(Denied(permission))
        }
    }

    /// Demands one of two permissions.
    ///
    /// # Errors
    /// Names the first, which is the one that is had for it as a rule.
    pub fn require_either(&self, usual: Permission, other: Permission) -> Result<(), Denied> {
        if self.may(other) {
            Ok(())
        } else {
            self.require(usual)
        }
    }

    /// Demands every permission of a set: nobody gives, takes or acts on more than they have themselves.
    ///
    /// # Errors
    /// Names the first one that is missing.
    pub fn require_all(&self, permissions: &Permissions) -> Result<(), Denied> {
        match permissions.iter().find(|permission| !self.may(**permission)) {
            Some(missing) => Err(Denied(*missing)),
            None => Ok(()),
        }
    }

    /// Demands every permission that there is, as an owner has them: for what leads to everybody's account.
    ///
    /// # Errors
    /// Names the first one that is missing.
    pub fn require_everything(&self) -> Result<(), Denied> {
        self.require_all(&Permission::ALL.into())
    }
}

/// Who looks: a person, or, where the owner has let guests in, anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody is signed in.
    Guest,
    /// Somebody is.
    Person(Actor),
}

impl From<Actor> for Viewer {
    fn from(actor: Actor) -> Self {
        Self::Person(actor)
    }
}

/// What the rule on sight needs to know beyond the object itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Who made the request that a decision, job or release belongs to, where it does.
    pub requester: Option<UserId>,
    /// Who may see the dataset of an asset; unknown is nobody.
    pub dataset: Option<&'a Visibility>,
}

/// Whether somebody may know of a dataset, its assets and their mocks. Those who triage or upload see all of them.
pub fn may_see_dataset(viewer: &Viewer, visibility: &Visibility) -> bool {
    match (viewer, visibility) {
        (_, Visibility::Everybody) => true,
        (Viewer::Guest, _) => false,
        (Viewer::Person(actor), _)
            if actor.may(Permission::TriageRequests) || actor.may(Permission::UploadData) =>
        {
            true
        }
        (Viewer::Person(_), Visibility::SignedIn) => true,
        (Viewer::Person(actor), Visibility::Groups(groups)) => groups
            .iter()
            .any(|group| actor.groups.contains(&text::folded(group))),
    }
}

/// Whether somebody may know for whom else a dataset is: which groups there are is told to none of their members.
pub fn may_see_visibility(viewer: &Viewer) -> bool {
    match viewer {
        Viewer::Guest => false,
        Viewer::Person(actor) => actor.may(Permission::TriageRequests) || actor.may(Permission::UploadData),
    }
}

/// Whether somebody may know that an object exists. The catalogue is for whom its datasets are visible to; projects are
/// for their members; code, requests and what follows from them are for the scientist who made them, and for those
/// who triage. A guest sees nothing but the catalogue.
pub fn may_see(viewer: &Viewer, object: &Object, facts: Facts<'_>) -> bool {
    match &object.body {
        Body::Dataset(dataset) => return may_see_dataset(viewer, &dataset.visibility),
        Body::Asset(_) => {
            return facts
                .dataset
                .is_some_and(|visibility| may_see_dataset(viewer, visibility));
        }
        _ => {}
    }
    let Viewer::Person(actor) = viewer else {
        return false;
    };
    if actor.may(Permission::TriageRequests) {
        return true;
    }
    match &object.body {
        Body::Dataset(_) | Body::Asset(_) => false,
        Body::User(_) => object.id == actor.user.0 || actor.may(Permission::CreateUsers),
        Body::Project(project) => project.members.contains(&actor.user) || project.creator == actor.user,
        Body::Code(code) => code.author == actor.user,
        Body::Request(request) => request.requester == actor.user,
        Body::Decision(_) | Body::Job(_) | Body::Release(_) => facts.requester == Some(actor.user),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn person(permissions: &[Permission], groups: &[&str]) -> Viewer {
        Viewer::Person(Actor {
            user: UserId(Uuid::from_u128(1)),
            name: "Ada".into(),
            permissions: permissions.iter().copied().collect(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        })
    }

    #[test]
    fn words_lead_back_to_permissions() {
        for permission in Permission::ALL {
            assert_eq!(Permission::named(permission.word()), Some(permission));
        }
        assert_eq!(Permission::named("can_fly"), None);
        assert_eq!(
            Denied(Permission::Release).to_string(),
            "this needs the permission can_release; ask the owner of the node for it"
        );
    }

    #[test]
    fn a_dataset_is_seen_by_whom_it_is_for() {
        let everybody = Visibility::Everybody;
        let signed_in = Visibility::SignedIn;
        let oncology = Visibility::Groups(vec!["Oncology".into(), "Lungs".into()]);
        let nobody = Visibility::Groups(Vec::new());
        let guest = Viewer::Guest;
        let stranger = person(&[Permission::SubmitRequests], &["cardiology"]);
        let member = person(&[Permission::SubmitRequests], &["oncology"]);
        let officer = person(&[Permission::TriageRequests], &[]);
        let uploader = person(&[Permission::UploadData], &[]);
        for (viewer, sees) in [
            (&guest, [true, false, false, false]),
            (&stranger, [true, true, false, false]),
            (&member, [true, true, true, false]),
            (&officer, [true; 4]),
            (&uploader, [true; 4]),
        ] {
            let found = [&everybody, &signed_in, &oncology, &nobody].map(|it| may_see_dataset(viewer, it));
            assert_eq!(found, sees, "{viewer:?}");
        }
    }

    #[test]
    fn nobody_acts_on_more_than_they_have() {
        let Viewer::Person(actor) = person(&[Permission::CreateUsers, Permission::Sync], &[]) else {
            unreachable!()
        };
        assert!(actor.require_all(&[Permission::Sync].into()).is_ok());
        assert_eq!(
            actor.require_all(&[Permission::Sync, Permission::Release].into()),
            Err(Denied(Permission::Release))
        );
    }
}
