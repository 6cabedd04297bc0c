//! The process that reads files whose readers are other people's code (`runtime/format/apart.rs`): it takes the open files, gives
//! up everything but reading them, computing and answering, and only then looks at the first byte.
//!
//! It makes no namespaces, so that it works wherever a node does: a list of system calls that takes no path, no address and no other
//! process leaves nothing for them to hide. Setting up fails closed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;

use nix::libc;
use nix::sys::prctl;
use nix::sys::resource::Resource;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompFilter, SeccompRule,
};

use super::super::format::{FILES, Order, PIECE, Refused};
use super::super::layer::Layer;
use super::super::protocol::{SetupError, receive, send};
use super::system_calls::{architecture, condition, one_of};
use super::{close_inherited, confined, control, restrictions};

/// Calls that may be made with any arguments: on what is open, and on memory and the process itself.
#[rustfmt::skip]
const ALLOWED: &[i64] = &[
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_lseek,
    libc::SYS_close, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk, libc::SYS_futex,
    libc::SYS_restart_syscall, libc::SYS_rt_sigreturn, libc::SYS_rt_sigprocmask, libc::SYS_sigaltstack,
    libc::SYS_clock_gettime, libc::SYS_getrandom, libc::SYS_sched_yield, libc::SYS_getpid, libc::SYS_gettid,
    libc::SYS_exit, libc::SYS_exit_group,
];

pub(super) fn run() -> io::Result<()> {
    let prepared = close_inherited();
    let control = control()?;
    let files = take_files(&control)?;
    let order: Order = receive(&control)?;
    let ready = prepared.and_then(|()| confine(&control, &order));
    let begins = ready.is_ok();
    send(&control, &ready)?;
    if !begins {
        return Ok(());
    }
    let mut pieces = Pieces {
        control: &control,
        piece: Vec::with_capacity(PIECE),
    };
    let done = order.task.perform(files, &mut pieces);
    let done = done.and_then(|answer| {
        pieces
            .flush()
            .map_err(|source| super::super::format::FormatError::Io {
                what: "sending what was read".to_owned(),
                source,
            })?;
        Ok(answer)
    });
    (&control).write_all(&0_u32.to_le_bytes())?;
    send(&control, &done.map_err(Refused::from))
}

/// Takes the open files of the task.
fn take_files(control: &File) -> io::Result<Vec<File>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        control,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let files = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => files.map(File::from).collect(),
        _ => Vec::new(),
    });
    Ok(files.collect())
}

fn confine(control: &File, order: &Order) -> Result<(), SetupError> {
    confined::die_with_starter(control)?;
    // Where memory runs out, this process is the one to end, and not the node. Not every system lets it say so.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    restrictions::limit(&[
        (Resource::RLIMIT_AS, order.memory),
        (Resource::RLIMIT_CPU, order.seconds.max(1)),
        (Resource::RLIMIT_FSIZE, order.file),
        (Resource::RLIMIT_NOFILE, 16),
        (Resource::RLIMIT_STACK, 8 << 20),
        (Resource::RLIMIT_CORE, restrictions::NO_CORE),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
    ])?;
    prctl::set_no_new_privs().map_err(SetupError::at(Layer::NoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS)"))?;
    let filter = filter().map_err(SetupError::at(Layer::Seccomp, "compiling the filter"))?;
    seccompiler::apply_filter(&filter).map_err(SetupError::at(Layer::Seccomp, "loading the filter"))
}

fn filter() -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        SeccompAction::Allow,
        architecture()?,
    )?
    .try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Memory, but none that could be executed.
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let data = condition(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![data])?]);
    }
    // Another descriptor of an open file.
    let duplicate = u64::from(libc::F_DUPFD_CLOEXEC.unsigned_abs());
    rules.insert(libc::SYS_fcntl, one_of(1, &[duplicate])?);
    Ok(rules)
}

/// Sends what is written piece by piece, each behind its length.
struct Pieces<'a> {
    control: &'a File,
    piece: Vec<u8>,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        // A length of zero would be the end.
        if self.piece.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.piece.len()).map_err(io::Error::other)?;
        self.control.write_all(&length.to_le_bytes())?;
        self.control.write_all(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_takes_a_path_an_address_or_another_process() {
        let rules = rules().unwrap();
        #[rustfmt::skip]
        let leading_out = [
            libc::SYS_openat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_readlinkat, libc::SYS_getdents64,
            libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_socket, libc::SYS_connect, libc::SYS_sendto,
            libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_execve, libc::SYS_execveat, libc::SYS_clone,
            libc::SYS_clone3, libc::SYS_kill, libc::SYS_tgkill, libc::SYS_ptrace, libc::SYS_process_vm_readv,
            libc::SYS_prctl, libc::SYS_prlimit64, libc::SYS_ioctl, libc::SYS_io_uring_setup, libc::SYS_ftruncate,
            libc::SYS_fchmod, libc::SYS_memfd_create, libc::SYS_unshare, libc::SYS_setuid,
        ];
        for call in leading_out {
            assert!(!rules.contains_key(&call), "system call {call} is on the list");
        }
        assert!(!filter().unwrap().is_empty());
    }
}
