//! Limits on resources, and Landlock.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, make_bitflags,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::super::job::Limits;
use super::super::layer::Layer;
use super::super::protocol::SetupError;

/// The newest Landlock that this was written for. Older kernels enforce what they know of it.
const NEWEST: ABI = ABI::V9;

/// What may be done with the files that are mounted.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir | Execute});

/// The limit on dumps of a process that ended badly, in bytes: none is kept. The kernel holds dumps that go to a program to no limit,
/// and a limit of 0 would let that program have the whole memory; of 1 alone it makes an exception, and dumps nothing (core(5),
/// `do_coredump` in fs/coredump.c).
pub(super) const NO_CORE: u64 = 1;

/// Sets the limits of a run.
pub(super) fn limit_resources(limits: &Limits) -> Result<(), SetupError> {
    limit(&[
        (Resource::RLIMIT_AS, limits.memory_bytes),
        (Resource::RLIMIT_CPU, limits.cpu_seconds.max(1)),
        (
            Resource::RLIMIT_FSIZE,
            limits.scratch_bytes.max(limits.output_bytes),
        ),
        (Resource::RLIMIT_NOFILE, limits.open_files),
        (Resource::RLIMIT_NPROC, limits.threads.max(1)),
        (Resource::RLIMIT_STACK, 8 << 20),
        (Resource::RLIMIT_CORE, NO_CORE),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_NICE, 0),
        (Resource::RLIMIT_RTPRIO, 0),
        (Resource::RLIMIT_SIGPENDING, 256),
    ])
}

/// Sets limits, soft and hard alike, never above what the node itself has.
pub(super) fn limit(wanted: &[(Resource, u64)]) -> Result<(), SetupError> {
    for &(resource, value) in wanted {
        let at = || SetupError::at(Layer::ResourceLimits, format!("setting {resource:?} to {value}"));
        let (_, most) = getrlimit(resource).map_err(at())?;
        let value = value.min(most);
        setrlimit(resource, value, value).map_err(at())?;
    }
    Ok(())
}

/// Allows reading and executing what is mounted, and writing in the scratch folder, and nothing else: no other access to
/// files, no network port, no signal or socket of a process outside.
pub(super) fn apply_landlock() -> Result<(), SetupError> {
    let scratch = AccessFs::from_all(NEWEST)
        & !(AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeSock
            | AccessFs::MakeFifo
            | AccessFs::Execute
            | AccessFs::IoctlDev
            | AccessFs::ResolveUnix);
    let null = AccessFs::ReadFile | AccessFs::WriteFile;
    restrict(&[("/", READ), ("/scratch", scratch), ("/dev/null", null)]).map(drop)
}

/// Tries whether the kernel enforces Landlock, and says which version of it.
pub(super) fn try_landlock() -> Result<String, SetupError> {
    restrict(&[("/", READ)]).map(|status| match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => format!("ABI {}", effective_abi as i32),
        _ => String::new(),
    })
}

fn restrict(rules: &[(&str, BitFlags<AccessFs>)]) -> Result<RestrictionStatus, SetupError> {
    fn at<E: std::fmt::Display>(error: E) -> SetupError {
        let needs = "it needs Linux 5.13 or newer, with landlock among the lsm= of the kernel's command line";
        SetupError {
            layer: Layer::Landlock,
            detail: format!("{error}; {needs}"),
        }
    }
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .map_err(at)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))
        .map_err(at)?
        .handle_access(AccessNet::from_all(NEWEST))
        .map_err(at)?
        .scope(Scope::from_all(NEWEST))
        .map_err(at)?
        .create()
        .map_err(at)?;
    for (path, access) in rules {
        let path = PathFd::new(path).map_err(at)?;
        ruleset = ruleset.add_rule(PathBeneath::new(path, *access)).map_err(at)?;
    }
    let status = ruleset.restrict_self().map_err(at)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(at("the kernel does not enforce it")),
        _ => Ok(status),
    }
}
