//! Sessions that a person has open, remembered in files that only they can read: one per profile and node.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::Failure;
use crate::domain::hash::Hash;

/// A remembered session.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    /// The node, as it was named: its address or its folder.
    pub node: String,
    /// Who signed in.
    pub email: String,
    /// The session's token.
    pub token: Zeroizing<String>,
    /// When it ends.
    pub expires_at: String,
}

/// Where a profile's session with a node is kept.
pub(super) fn file(profile: &str, node: &str) -> Result<PathBuf, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if profile.is_empty() || profile.starts_with('.') || !profile.chars().all(fits) {
        return Err(Failure::usage(
            "a profile is named with letters, digits and - _ . @",
        ));
    }
    let name = Hash::derive("poundlock profile file name 1", node.as_bytes()).to_string();
    Ok(folder()?.join(profile).join(format!("{}.json", &name[..16])))
}

fn folder() -> Result<PathBuf, Failure> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let own = variable("POUNDLOCK_CONFIG_HOME");
    own.or_else(|| variable("XDG_CONFIG_HOME").map(|config| config.join("poundlock")))
        .or_else(|| variable("HOME").map(|home| home.join(".config/poundlock")))
        .map(|config| config.join("sessions"))
        .ok_or_else(|| {
            Failure::failed("there is no home folder to remember the session in; set POUNDLOCK_CONFIG_HOME")
        })
}

/// Writes the session down, in place of an earlier one.
pub(super) fn remember(path: &Path, session: &Remembered) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    let parent = path.parent().unwrap_or(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(failed)?;
    let text = serde_json::to_string(session)
        .map(Zeroizing::new)
        .map_err(|error| failed(error.into()))?;
    let temporary = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(failed)
}

/// The remembered session, if there is one. A file that others can read is refused.
pub(super) fn recall(path: &Path) -> Result<Option<Remembered>, Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        let detail = format!(
            "others can read {}; run: chmod 600 {}",
            path.display(),
            path.display()
        );
        return Err(Failure::failed(detail));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    // A file of another version is no session: sign in again.
    Ok(serde_json::from_str(&text).ok())
}

/// Forgets the session.
pub(super) fn forget(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("default/a.json");
        assert!(recall(&path).unwrap().is_none());
        let session = Remembered {
            node: "n".into(),
            email: "e".into(),
            token: Zeroizing::new("t".into()),
            expires_at: "later".into(),
        };
        remember(&path, &session).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*recall(&path).unwrap().unwrap().token, "t");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(recall(&path).is_err());
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert!(recall(&path).unwrap().is_none());
    }

    #[test]
    fn a_profile_cannot_leave_its_folder() {
        assert!(file("../x", "n").is_err());
        assert!(file("", "n").is_err());
    }
}
