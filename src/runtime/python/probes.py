# Tries to break out, and says what came of each attempt. The node takes no comfort from an answer that does not come.
import errno
import fcntl
import signal
import socket
import threading
import time

try:
    import ctypes

    _LIBC = ctypes.CDLL(None, use_errno=True)
except (ImportError, OSError):
    _LIBC = None


def _call(name, action):
    """What one attempt did: None if it was refused, else how it worked."""
    try:
        value = action()
    except (OSError, MemoryError, RuntimeError, AttributeError) as error:
        number = getattr(error, "errno", None)
        return None, f"{name}: {errno.errorcode.get(number, type(error).__name__)}"
    return f"{name}: worked ({value!r:.40})", ""


def _libc(name, *arguments):
    """Calls a function of the C library, and raises what it answers."""
    if _LIBC is None:
        raise OSError(errno.ENOSYS, "no ctypes")
    if getattr(_LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
    return 0


def _blocked(attempts):
    """A probe of several attempts, which must all be refused."""
    found = [_call(name, action) for name, action in attempts]
    worked = [what for what, _ in found if what]
    refused = [why for _, why in found if why]
    return ["ALLOWED", "; ".join(worked)] if worked else ["BLOCKED", "; ".join(refused)]


def _read(path):
    with open(path, "rb") as file:
        return file.read(1)


def _write(path):
    with open(path, "ab") as file:
        file.write(b"x")


def _read_outside():
    paths = [_JOB["outside"], "/etc/shadow", "/etc/hostname", "/proc/1/environ", "/sys/kernel/notes"]
    attempts = [(path, lambda path=path: _read(path)) for path in paths]
    return _blocked(attempts + [(path, lambda path=path: os.listdir(path)) for path in ("/proc", "/sys", "/.old")])


def _write_outside():
    paths = [_JOB["outside"], "/usr/probe", "/etc/passwd", "/probe", "/job/main.py", "/dev/probe", sys.executable]
    attempts = [(path, lambda path=path: _write(path)) for path in paths]
    descriptor = _INPUTS[0]
    attempts += [
        ("write to an input", lambda: os.write(descriptor, b"x")),
        ("change an input's mode", lambda: os.fchmod(descriptor, 0o600)),
        ("change an input's times", lambda: os.utime(descriptor)),
        ("change an input's attributes", lambda: os.setxattr(descriptor, "user.probe", b"x")),
        ("change an input's owner", lambda: os.fchown(descriptor, os.getuid(), os.getgid())),
        ("lock an input", lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)),
        ("lease an input", lambda: fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)),
        ("flag an input", lambda: fcntl.ioctl(descriptor, 0x40086602, b"\x40" + bytes(7))),
    ]
    return _blocked(attempts)


def _open_socket():
    families = ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG"]
    attempts = []
    for name in families:
        family = getattr(socket, name, None)
        if family is not None:
            kind = socket.SOCK_SEQPACKET if name == "AF_ALG" else socket.SOCK_DGRAM
            attempts.append((name, lambda family=family, kind=kind: socket.socket(family, kind)))
    return _blocked(attempts + [("socketpair", socket.socketpair)])


def _read_process():
    # In a container the node may be process 1 of its namespace, as this process is of its own.
    pid = _JOB["node"] if _JOB["node"] != os.getpid() else os.getpid() + 1
    attempts = [
        ("signal the node", lambda: os.kill(pid, 0)),
        ("signal every process", lambda: os.kill(-1, 0)),
        ("read the node's environment", lambda: _read(f"/proc/{pid}/environ")),
        ("read the node's memory", lambda: _read(f"/proc/{pid}/mem")),
        ("ptrace", lambda: _libc("ptrace", 16, pid, 0, 0)),
        ("process_vm_readv", lambda: _libc("process_vm_readv", pid, None, 0, None, 0, 0)),
    ]
    return _blocked(attempts)


def _see_asset():
    known = {0, 1, 2, _RESULT, *_INPUTS}
    found = []
    for number in range(1024):
        if number not in known:
            try:
                os.fstat(number)
                found.append(number)
            except OSError:
                pass
    if found:
        return ["ALLOWED", f"descriptors {found} were inherited"]
    folder = os.path.dirname(_JOB["asset"])
    return _blocked([(_JOB["asset"], lambda: _read(_JOB["asset"])), (folder, lambda: os.listdir(folder))])


def _thread_bomb():
    stop = threading.Event()
    started = []
    try:
        for _ in range(4 * _JOB["threads"]):
            thread = threading.Thread(target=stop.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        stop.set()
    return len(started)


def _fork():
    def child():
        if os.fork() == 0:
            os._exit(0)

    spawn = getattr(os, "posix_spawn", None)
    attempts = [("fork", child), ("threads without end", _thread_bomb)]
    if spawn:
        attempts.append(("posix_spawn", lambda: spawn(sys.executable, [sys.executable, "-c", ""], {})))
    return _blocked(attempts)


def _memory():
    return _blocked([("allocate twice the limit", lambda: len(bytearray(2 * _JOB["memory"])))])


def _privileges():
    attempts = [
        ("setuid(0)", lambda: os.setuid(0)),
        ("chroot", lambda: os.chroot("/scratch")),
        ("user namespace", lambda: _libc("unshare", 0x10000000)),
        ("mount", lambda: _libc("mount", b"none", b"/scratch", b"tmpfs", 0, None)),
        ("change the time limit", lambda: _libc("setrlimit", 0, b"\xff" * 16)),
    ]
    return _blocked(attempts)


def _disk():
    def fill():
        with open("/scratch/fill", "wb") as file:
            for _ in range(2 * _JOB["scratch"] // 65536 + 2):
                file.write(b"x" * 65536)

    outcome = _blocked([("write twice the limit", fill)])
    os.unlink("/scratch/fill")
    return outcome


def _allowed(action):
    what, why = _call("tried", action)
    return ["ALLOWED", ""] if what else ["BLOCKED", why]


def _all():
    return {
        "read its own input": _allowed(lambda: os.pread(_INPUTS[0], 1, 0)[0]),
        "write in its scratch folder": _allowed(lambda: _write("/scratch/note")),
        "read a file outside": _read_outside(),
        "write a file outside": _write_outside(),
        "open a socket": _open_socket(),
        "read another process": _read_process(),
        "see another asset": _see_asset(),
        "gain privileges": _privileges(),
        "fork without end": _fork(),
        "exceed memory": _memory(),
        "fill the disk": _disk(),
    }


def _outlive():
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(1)


def _flood():
    while True:
        os.write(_RESULT, b"\0" * 65536)


if _JOB["attempt"] == "time":
    _outlive()
elif _JOB["attempt"] == "output":
    _flood()
_answer(_all())
