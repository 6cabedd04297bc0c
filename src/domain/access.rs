//! Who may do what. Everything asks here, by permission and never by the name of a role.

use serde::{Deserialize, Serialize};

use super::id::UserId;
use super::object::{Body, Object};

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
    /// Create accounts for others, and see them.
    CreateUsers,
    /// Create datasets, upload mocks and private data, publish and adopt.
    UploadData,
    /// Let one result, log or failure report leave the high side.
    Release,
    /// Export, import, review and apply bundles.
    Sync,
    /// Pair with other nodes, rotate keys, revoke.
    ManageInfrastructure,
    /// Read the audit chain.
    ReadAudit,
}

/// A preset of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns the node.
    Owner,
    /// Administers it for the owner.
    Administrator,
    /// Decides on requests and releases.
    ComplianceOfficer,
    /// A data scientist.
    User,
}

impl Role {
    /// What the role allows.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{
            CreateUsers, EditSettings, ManageInfrastructure, ReadAudit, Release, SubmitRequests, Sync,
            TriageRequests, UploadData,
        };
        match self {
            Self::Owner => &[
                SubmitRequests,
                TriageRequests,
                EditSettings,
                CreateUsers,
                UploadData,
                Release,
                Sync,
                ManageInfrastructure,
                ReadAudit,
            ],
            Self::Administrator => &[
                SubmitRequests,
                TriageRequests,
                EditSettings,
                CreateUsers,
                UploadData,
                Release,
                Sync,
                ReadAudit,
            ],
            Self::ComplianceOfficer => &[SubmitRequests, TriageRequests, UploadData, Release, ReadAudit],
            Self::User => &[SubmitRequests],
        }
    }
}

/// Whoever acts: a signed-in person, as the session found them on this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Their account.
    pub user: UserId,
    /// How they are called; goes into decisions and releases.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// The actor lacks a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this needs the permission {}; ask the owner of the node for it", permission_word(.0))]
pub struct Denied(pub Permission);

fn permission_word(permission: &Permission) -> String {
    serde_json::to_value(permission)
        .ok()
        .and_then(|v| v.as_str().map(|w| format!("can_{w}")))
        .unwrap_or_default()
}

impl Actor {
    /// Whether the actor has a permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.role.permissions().contains(&permission)
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

    /// Whether the actor may know that an object exists. The catalogue is for everybody who is signed in; projects are
    /// for their members; code, requests and what follows from them are for the scientist who made them, and for those
    /// who triage.
    ///
    /// `requester` is who made the request that a decision, job or release belongs to, where it does.
    pub fn may_see(&self, object: &Object, requester: Option<UserId>) -> bool {
        if self.may(Permission::TriageRequests) {
            return true;
        }
        match &object.body {
            Body::Dataset(_) | Body::Asset(_) => true,
            Body::User(_) => object.id == self.user.0 || self.may(Permission::CreateUsers),
            Body::Project(project) => project.members.contains(&self.user) || project.creator == self.user,
            Body::Code(code) => code.author == self.user,
            Body::Request(request) => request.requester == self.user,
            Body::Decision(_) | Body::Job(_) | Body::Release(_) => requester == Some(self.user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_the_owner_manages_the_infrastructure() {
        for role in [Role::Administrator, Role::ComplianceOfficer, Role::User] {
            assert!(!role.permissions().contains(&Permission::ManageInfrastructure));
        }
        assert!(
            Role::Owner
                .permissions()
                .contains(&Permission::ManageInfrastructure)
        );
    }

    #[test]
    fn a_scientist_may_only_submit() {
        assert_eq!(Role::User.permissions(), [Permission::SubmitRequests]);
        assert_eq!(
            Denied(Permission::Release).to_string(),
            "this needs the permission can_release; ask the owner of the node for it"
        );
    }
}
