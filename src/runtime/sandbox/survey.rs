//! A process that tries each layer by itself, so that every one that is missing can be named at once.

use std::io;

use nix::sched::unshare;
use nix::sys::prctl;
use nix::unistd::geteuid;

use super::super::job::Limits;
use super::super::layer::{Layer, LayerStatus};
use super::super::protocol::{SetupError, receive, send};
use super::{close_inherited, control, credentials, restrictions, system_calls};

/// Reads the user to become where the node is root, and answers a list of [`LayerStatus`].
pub(super) fn run() -> io::Result<()> {
    let prepared = close_inherited();
    let control = control()?;
    let user: u32 = receive(&control)?;
    let mut found = Vec::new();
    let mut note = |layer: Layer, tried: Result<String, SetupError>| {
        let (present, detail) = match tried {
            Ok(detail) => (true, detail),
            Err(error) => (false, error.detail),
        };
        found.push(LayerStatus {
            layer,
            present,
            detail,
        });
    };
    let is_root = geteuid().is_root();
    let own_proc = prepared.and_then(|()| credentials::own_proc());
    if !is_root {
        note(Layer::UserNamespace, user_namespace(&own_proc, user));
    }
    for (flag, layer) in credentials::NAMESPACES {
        let tried = unshare(flag).map_err(SetupError::at(layer, "unshare"));
        note(layer, tried.map(|()| "unshare".to_owned()));
    }
    if is_root {
        let became = credentials::become_user(user).map(|()| format!("user {user}"));
        note(Layer::UnprivilegedUser, became);
        note(Layer::UserNamespace, user_namespace(&own_proc, user));
    } else {
        note(
            Layer::UnprivilegedUser,
            Ok(format!("the node runs as user {}", geteuid())),
        );
    }
    let no_new =
        prctl::set_no_new_privs().map_err(SetupError::at(Layer::NoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS)"));
    note(
        Layer::NoNewPrivs,
        no_new.map(|()| "prctl(PR_SET_NO_NEW_PRIVS)".to_owned()),
    );
    note(
        Layer::ResourceLimits,
        restrictions::limit_resources(&Limits::default()).map(|()| "setrlimit".to_owned()),
    );
    note(Layer::Landlock, restrictions::try_landlock());
    note(
        Layer::Seccomp,
        system_calls::apply_filter().map(|()| "a list of allowed system calls".to_owned()),
    );
    send(&control, &found)
}

fn user_namespace(own_proc: &Result<std::fs::File, SetupError>, user: u32) -> Result<String, SetupError> {
    let own_proc = own_proc.as_ref().map_err(Clone::clone)?;
    credentials::enter_user_namespace(own_proc, if geteuid().is_root() { user } else { 0 })?;
    Ok("unshare".to_owned())
}
