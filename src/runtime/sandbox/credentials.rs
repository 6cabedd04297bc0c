//! Users, groups and the namespaces that hold them.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use nix::fcntl::{OFlag, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid};

use super::super::layer::Layer;
use super::super::protocol::SetupError;

/// The namespaces that the monitor makes, apart from that of users, with the layer that each one is.
pub(super) const NAMESPACES: [(CloneFlags, Layer); 5] = [
    (CloneFlags::CLONE_NEWNS, Layer::MountNamespace),
    (CloneFlags::CLONE_NEWPID, Layer::PidNamespace),
    (CloneFlags::CLONE_NEWNET, Layer::NetworkNamespace),
    (CloneFlags::CLONE_NEWIPC, Layer::IpcNamespace),
    (CloneFlags::CLONE_NEWUTS, Layer::UtsNamespace),
];

/// Opens the folder of this process in `/proc`, by which it can map its ids after `/proc` is gone.
pub(super) fn own_proc() -> Result<File, SetupError> {
    File::open("/proc/self").map_err(SetupError::at(Layer::UserNamespace, "opening /proc/self"))
}

/// Enters a new user namespace in which this process's user and group are `inside`, and no other user exists.
pub(super) fn enter_user_namespace(own_proc: &File, inside: u32) -> Result<(), SetupError> {
    let layer = Layer::UserNamespace;
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(SetupError::at(
        layer,
        "unshare (user namespaces may be switched off: see the sysctls user.max_user_namespaces, \
         kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns)",
    ))?;
    // A process may map its own group only after it has given up setting supplementary ones.
    for (name, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{inside} {user} 1")),
        ("gid_map", format!("{inside} {group} 1")),
    ] {
        let at = format!("writing {text:?} to /proc/self/{name}");
        let file = openat(
            own_proc.as_fd(),
            name,
            OFlag::O_WRONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(SetupError::at(layer, at.clone()))?;
        File::from(file)
            .write_all(text.as_bytes())
            .map_err(SetupError::at(layer, at))?;
    }
    Ok(())
}

/// Becomes `user`, who owns nothing, with no group but the one of the same number. For a process that is root.
pub(super) fn become_user(user: u32) -> Result<(), SetupError> {
    let layer = Layer::UnprivilegedUser;
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    if uid.is_root() {
        return Err(SetupError {
            layer,
            detail: "the user to run code as is root; configure another".to_owned(),
        });
    }
    let at = |call: &str| SetupError::at(layer, format!("{call} to {user}"));
    setgroups(&[]).map_err(at("dropping the groups and going"))?;
    setresgid(gid, gid, gid).map_err(at("changing the group"))?;
    setresuid(uid, uid, uid).map_err(at("changing the user"))?;
    // The change of user made this process's own files in /proc root's; it must still write its id maps.
    nix::sys::prctl::set_dumpable(true).map_err(SetupError::at(layer, "prctl(PR_SET_DUMPABLE)"))
}
