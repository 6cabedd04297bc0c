//! The second process, number 1 of its pid namespace: builds the file system, gives up every privilege, and becomes the
//! interpreter.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{dup, dup2_stdin, dup2_stdout, execve, geteuid, sethostname, setsid};

use super::super::layer::Layer;
use super::super::protocol::{SetupError, Spec, receive, send};
use super::{control, credentials, file_system, null, restrictions, system_calls};

/// The environment of the interpreter, whole: nothing is inherited. One thread for each numerical library, or their
/// pools alone would reach the limit on address space; a fixed seed, so that two runs agree.
const ENVIRONMENT: [&str; 20] = [
    "PATH=/usr/bin:/bin",
    "HOME=/scratch",
    "TMPDIR=/scratch",
    "LC_ALL=C.UTF-8",
    "TZ=UTC",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONHASHSEED=0",
    "PYTHONNOUSERSITE=1",
    "PYTHONSAFEPATH=1",
    "PYTHONUNBUFFERED=1",
    "PYTHONUTF8=1",
    "MPLBACKEND=Agg",
    "MPLCONFIGDIR=/scratch",
    "OMP_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1",
    "MKL_NUM_THREADS=1",
    "NUMEXPR_NUM_THREADS=1",
    "ARROW_DEFAULT_MEMORY_POOL=system",
    "MALLOC_ARENA_MAX=2",
    "USER=sandbox",
];

pub(super) fn run() -> io::Result<()> {
    // The socket must close when the interpreter is executed; standard input itself does not.
    let control = control()?;
    let spec: Spec = receive(&control)?;
    match become_interpreter(&control, &spec) {
        Ok(never) => match never {},
        Err(error) => send(&control, &error),
    }
}

fn become_interpreter(control: &File, spec: &Spec) -> Result<Infallible, SetupError> {
    let layer = Layer::PidNamespace;
    SigSet::empty()
        .thread_set_mask()
        .map_err(SetupError::at(layer, "sigprocmask"))?;
    die_with_starter(control)?;
    setsid().map_err(SetupError::at(layer, "setsid"))?;
    sethostname("sandbox").map_err(SetupError::at(Layer::UtsNamespace, "sethostname"))?;
    let own_proc = credentials::own_proc()?;
    let is_root = own_uid_outside()? == 0;
    let owner = if is_root { spec.user } else { 0 };
    let inputs = file_system::build(spec, owner)?;
    if is_root {
        credentials::become_user(spec.user)?;
        // Changing the user cleared it.
        die_with_starter(control)?;
    }
    credentials::enter_user_namespace(&own_proc, spec.user)?;
    drop(own_proc);
    prctl::set_no_new_privs().map_err(SetupError::at(Layer::NoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS)"))?;
    let call = Call::new(spec, &inputs)?;
    restrictions::limit_resources(&spec.limits)?;
    restrictions::apply_landlock()?;
    system_calls::apply_filter()?;
    let error = execve(&call.path, &call.arguments, &call.environment)
        .err()
        .unwrap_or(nix::errno::Errno::EINVAL);
    Err(SetupError::at(
        Layer::MountNamespace,
        format!("executing {}", spec.layout.interpreter.display()),
    )(error))
}

/// Whether the node is root is seen by the id map: an ordinary user's monitor is root too, of a namespace of its own.
fn own_uid_outside() -> Result<u32, SetupError> {
    let at = || SetupError::at::<io::Error>(Layer::UserNamespace, "reading /proc/self/uid_map");
    let map = std::fs::read_to_string("/proc/self/uid_map").map_err(at())?;
    let single = map.split_whitespace().collect::<Vec<_>>();
    let euid = geteuid().as_raw();
    // A map of exactly one user is the monitor's own; any other was there before the node.
    if let [inside, outside, "1"] = single[..]
        && inside.parse() == Ok(euid)
    {
        return outside
            .parse()
            .map_err(|_| at()(io::Error::other("not a number")));
    }
    Ok(euid)
}

/// Dies when the process that started this one does: the other end of `control` is its.
pub(super) fn die_with_starter(control: &File) -> Result<(), SetupError> {
    let layer = Layer::PidNamespace;
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(SetupError::at(layer, "prctl(PR_SET_PDEATHSIG)"))?;
    // If it died before that, its end of the socket is gone.
    let mut fds = [nix::poll::PollFd::new(
        control.as_fd(),
        nix::poll::PollFlags::POLLIN,
    )];
    let gone =
        nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO).map_err(SetupError::at(layer, "poll"))?;
    if gone > 0 {
        return Err(SetupError {
            layer,
            detail: "the process that started this one is gone".to_owned(),
        });
    }
    Ok(())
}

/// The arguments of the interpreter, and the descriptors that it inherits.
struct Call {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Call {
    /// Arranges the descriptors: nothing on 0, the log on 1 and 2, then the result and the inputs, whose numbers are the
    /// arguments. Every other one closes on execution.
    fn new(spec: &Spec, inputs: &[File]) -> Result<Self, SetupError> {
        let layer = Layer::MountNamespace;
        let at = |what: &'static str| SetupError::at::<nix::errno::Errno>(layer, what);
        let result = dup(io::stdout()).map_err(at("dup"))?;
        dup2_stdout(io::stderr()).map_err(at("dup2"))?;
        dup2_stdin(null().map_err(SetupError::at(layer, "opening /dev/null"))?).map_err(at("dup2"))?;
        let mut numbers = vec![result.as_raw_fd()];
        for input in inputs {
            fcntl(input, FcntlArg::F_SETFD(FdFlag::empty())).map_err(at("fcntl"))?;
            numbers.push(input.as_raw_fd());
        }
        // Stays open until the execution, which does not close it.
        std::mem::forget(result);
        let text = |text: &[u8]| CString::new(text).map_err(SetupError::at(layer, "an argument"));
        let path = text(spec.layout.interpreter.as_os_str().as_bytes())?;
        let fixed = ["-s", "-B", file_system::PROGRAM].into_iter().map(str::to_owned);
        let mut arguments = vec![path.clone()];
        for argument in fixed.chain(numbers.iter().map(ToString::to_string)) {
            arguments.push(text(argument.as_bytes())?);
        }
        let environment = ENVIRONMENT
            .iter()
            .map(|entry| text(entry.as_bytes()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            arguments,
            environment,
        })
    }
}
