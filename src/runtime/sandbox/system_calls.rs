//! The list of system calls that code may make. Every other one answers `EPERM`.
//!
//! The list was drawn up from what glibc, CPython, NumPy, pandas, Arrow and Matplotlib call, and is narrower than what they
//! could: one process, no sockets, no descriptors passed or made in unusual ways, nothing that names another process.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::super::layer::Layer;
use super::super::protocol::SetupError;

/// Calls that may be made with any arguments.
#[rustfmt::skip]
const ALLOWED: &[i64] = &[
    // Files, under the mounts, Landlock and the limits.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_openat, libc::SYS_close, libc::SYS_close_range,
    libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_statfs,
    libc::SYS_fstatfs, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64,
    libc::SYS_getcwd, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_mkdirat, libc::SYS_unlinkat,
    libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_fchmod, libc::SYS_fchmodat,
    libc::SYS_umask, libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fsync,
    libc::SYS_fdatasync, libc::SYS_fadvise64, libc::SYS_utimensat, libc::SYS_copy_file_range,
    libc::SYS_sendfile, libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2,
    // Memory.
    libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_msync,
    libc::SYS_brk, libc::SYS_mincore, libc::SYS_membarrier,
    // Waiting.
    libc::SYS_pselect6, libc::SYS_ppoll, libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait,
    libc::SYS_eventfd2, libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_futex,
    libc::SYS_restart_syscall,
    // Signals within the process.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigsuspend, libc::SYS_sigaltstack, libc::SYS_kill, libc::SYS_tkill,
    libc::SYS_tgkill, libc::SYS_setitimer, libc::SYS_getitimer,
    // Time and the process itself.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_times, libc::SYS_getpid,
    libc::SYS_gettid, libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_getpgid,
    libc::SYS_getsid, libc::SYS_getrusage, libc::SYS_getrandom, libc::SYS_getcpu, libc::SYS_uname,
    libc::SYS_sysinfo, libc::SYS_getpriority, libc::SYS_sched_yield, libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam, libc::SYS_sched_getscheduler, libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min, libc::SYS_set_robust_list, libc::SYS_get_robust_list,
    libc::SYS_set_tid_address, libc::SYS_rseq, libc::SYS_capget, libc::SYS_wait4, libc::SYS_waitid,
    libc::SYS_execve, libc::SYS_exit, libc::SYS_exit_group,
];

/// Older names of allowed calls, which only this architecture still has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_LEGACY: &[i64] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink, libc::SYS_getdents,
    libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_renameat, libc::SYS_link,
    libc::SYS_symlink, libc::SYS_chmod, libc::SYS_creat, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll,
    libc::SYS_select, libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_alarm,
    libc::SYS_pause, libc::SYS_time, libc::SYS_utime, libc::SYS_utimes, libc::SYS_getpgrp, libc::SYS_getrlimit,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_LEGACY: &[i64] = &[];

/// Requests of `ioctl` that ask about a descriptor or mark it; none reaches a device or a file's attributes.
const IOCTLS: [u64; 5] = [
    libc::TCGETS,
    libc::FIONREAD,
    libc::FIONBIO,
    libc::FIOCLEX,
    libc::FIONCLEX,
];

/// Commands of `fcntl`. Leases and notifications are not among them: they reach through an input to its file.
const FCNTLS: [i32; 9] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
];

/// Options of `prctl`: a thread's name, and questions. The last is `PR_SET_VMA`, with which glibc names its memory.
const PRCTLS: [i32; 7] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
    0x5356_4d41,
];

/// What `clone` may not be asked for: a process of its own, and every kind of namespace.
const CLONE_REFUSED: i32 = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PTRACE
    | libc::CLONE_UNTRACED;

/// Loads the filters into this process, for good.
pub(super) fn apply_filter() -> Result<(), SetupError> {
    for program in filters().map_err(SetupError::at(Layer::Seccomp, "compiling the filter"))? {
        seccompiler::apply_filter(&program).map_err(SetupError::at(Layer::Seccomp, "loading the filter"))?;
    }
    Ok(())
}

/// Two filters, of whose answers the kernel takes the stricter. The first knows `clone3` alone, whose arguments lie in
/// memory where no filter sees them: it answers that the kernel has no such call, so that glibc uses `clone`.
fn filters() -> Result<[BpfProgram; 2], BackendError> {
    let arch = architecture()?;
    let unknown = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        arch,
    )?;
    let allowed = SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        SeccompAction::Allow,
        arch,
    )?;
    Ok([unknown.try_into()?, allowed.try_into()?])
}

pub(super) fn architecture() -> Result<TargetArch, BackendError> {
    TargetArch::try_from(std::env::consts::ARCH)
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let plain = ALLOWED.iter().chain(ALLOWED_LEGACY).chain([&libc::SYS_clone3]);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = plain.map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_ioctl, one_of(1, &IOCTLS)?);
    rules.insert(
        libc::SYS_fcntl,
        one_of(1, &FCNTLS.map(|command| u64::from(command.unsigned_abs())))?,
    );
    rules.insert(
        libc::SYS_prctl,
        one_of(0, &PRCTLS.map(|option| u64::from(option.unsigned_abs())))?,
    );
    // A question about this process's limits, not a change of them, and about no other process.
    let own = condition(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 0)?;
    let asks = condition(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![own, asks])?]);
    // A thread, and nothing else.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let mask = thread | u64::from(CLONE_REFUSED.unsigned_abs());
    let is_thread = condition(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_thread])?]);
    Ok(rules)
}

pub(super) fn condition(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, length, operator, value)
}

/// Rules by which an argument of 32 bits is one of `values`.
pub(super) fn one_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |value: &u64| {
        SeccompRule::new(vec![condition(
            argument,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            *value,
        )?])
    };
    values.iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What must be refused, whatever else changes: DEPENDENCIES names these as the least.
    #[rustfmt::skip]
    const LEADING_OUT: &[i64] = &[
        libc::SYS_socket, libc::SYS_socketpair, libc::SYS_ptrace, libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev, libc::SYS_bpf, libc::SYS_io_uring_setup, libc::SYS_keyctl, libc::SYS_add_key,
        libc::SYS_request_key, libc::SYS_userfaultfd, libc::SYS_perf_event_open, libc::SYS_mount, libc::SYS_umount2,
        libc::SYS_pivot_root, libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_mount_setattr,
        libc::SYS_unshare, libc::SYS_setns, libc::SYS_chroot, libc::SYS_kexec_load, libc::SYS_kexec_file_load,
        libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_personality,
        libc::SYS_memfd_create, libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget, libc::SYS_mq_open,
        libc::SYS_pidfd_open, libc::SYS_pidfd_getfd, libc::SYS_pidfd_send_signal, libc::SYS_setuid,
        libc::SYS_setgid, libc::SYS_setresuid, libc::SYS_capset, libc::SYS_mknodat, libc::SYS_seccomp,
        libc::SYS_reboot, libc::SYS_swapon, libc::SYS_quotactl, libc::SYS_name_to_handle_at,
        libc::SYS_open_by_handle_at, libc::SYS_setxattr, libc::SYS_fsetxattr, libc::SYS_flock, libc::SYS_fchown,
        libc::SYS_fchownat, libc::SYS_execveat, libc::SYS_setsid, libc::SYS_kcmp, libc::SYS_migrate_pages,
        libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_adjtimex, libc::SYS_syslog, libc::SYS_acct,
        libc::SYS_fanotify_init, libc::SYS_inotify_init1, libc::SYS_landlock_restrict_self,
    ];

    #[test]
    fn no_call_that_leads_out_is_on_the_list() {
        let rules = rules().unwrap();
        for call in LEADING_OUT {
            assert!(!rules.contains_key(call), "system call {call} is on the list");
        }
        #[cfg(target_arch = "x86_64")]
        for call in [
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_mknod,
            libc::SYS_ioperm,
            libc::SYS_iopl,
        ] {
            assert!(!rules.contains_key(&call), "system call {call} is on the list");
        }
    }

    #[test]
    fn both_filters_compile() {
        let [unknown, allowed] = filters().unwrap();
        assert!(!unknown.is_empty());
        assert!(
            allowed.len() < 4096,
            "the kernel takes at most 4096 instructions, this has {}",
            allowed.len()
        );
    }
}
