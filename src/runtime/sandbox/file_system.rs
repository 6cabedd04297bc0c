//! The file system of a sandbox: a small root in memory, the interpreter's folders read-only, a scratch folder of limited
//! size, and nothing else of the machine. No `/proc`, no `/sys`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chdir, pivot_root};

use super::super::layer::Layer;
use super::super::layout::Bind;
use super::super::protocol::{SetupError, Spec};

/// Where the new root is mounted before it becomes the root. Any folder that every system has will do: what it holds is
/// hidden for a moment only, and from this process only.
const STAGE: &str = "/tmp";
/// Where the machine's file system lies while the new one is built from it.
const OLD: &str = "/.old";
/// Where an input is mounted for the moment in which it is opened.
const INPUT: &str = "/.input";
/// What the interpreter executes.
pub(super) const PROGRAM: &str = "/job/main.py";
/// The files of the scratch folder; each costs the kernel about a kilobyte that no size limit counts.
const SCRATCH_FILES_MAX: u32 = 16 * 1024;
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];
const NONE: Option<&str> = None;

fn at<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> SetupError {
    SetupError::at(Layer::MountNamespace, what)
}

/// Builds the file system, makes it the only one, and opens the inputs. `owner` is the user, as this namespace counts,
/// to whom the scratch folder belongs.
pub(super) fn build(spec: &Spec, owner: u32) -> Result<Vec<File>, SetupError> {
    enter_root(spec.job.len() + spec.program.source().len())?;
    for bind in &spec.layout.binds {
        show(bind)?;
    }
    for link in &spec.layout.links {
        std::os::unix::fs::symlink(&link.target, &link.path)
            .map_err(at(format!("linking {}", link.path.display())))?;
    }
    for device in DEVICES {
        create_file(Path::new(device), b"").map_err(at(device))?;
        bind_mount(Path::new(device), Path::new(device))?;
    }
    let user = spec.user;
    for (path, text) in [
        (
            "/etc/passwd",
            format!("sandbox:x:{user}:{user}::/scratch:/nonexistent\n").as_str(),
        ),
        ("/etc/group", &format!("sandbox:x:{user}:\n")),
        ("/job/job.json", &spec.job),
        (PROGRAM, spec.program.source()),
    ] {
        create_file(Path::new(path), text.as_bytes()).map_err(at(path))?;
    }
    mount_scratch(spec.limits.scratch_bytes, owner)?;
    let inputs = open_inputs(&spec.inputs)?;
    umount2(OLD, MntFlags::MNT_DETACH).map_err(at("detaching the machine's file system"))?;
    fs::remove_dir(OLD).map_err(at(OLD))?;
    let sealed =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(NONE, "/", NONE, sealed | MsFlags::MS_NOEXEC, NONE).map_err(at("making the root read-only"))?;
    chdir("/scratch").map_err(at("/scratch"))?;
    Ok(inputs)
}

/// Mounts an empty root that can hold `bytes` beside its folders, and goes into it; the old one is then at [`OLD`].
fn enter_root(bytes: usize) -> Result<(), SetupError> {
    // Nothing that happens here may show outside.
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .map_err(at("making the mounts private"))?;
    let size = format!("size={},nr_inodes=4096,mode=0755", bytes + (1 << 20));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), STAGE, Some("tmpfs"), flags, Some(size.as_str())).map_err(at("mounting a tmpfs"))?;
    let old = format!("{STAGE}{OLD}");
    fs::create_dir(&old).map_err(at(old.clone()))?;
    chdir(STAGE).map_err(at(STAGE))?;
    pivot_root(STAGE, old.as_str()).map_err(at("pivot_root"))?;
    chdir("/").map_err(at("/"))
}

/// Where a path of the machine lies now.
fn old(path: &Path) -> PathBuf {
    let relative = path.strip_prefix("/").unwrap_or(path);
    Path::new(OLD).join(relative)
}

/// Creates a file, and the folders that lead to it. Everything is created in memory: whatever is mounted is read-only
/// before anything else is created.
fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, content)
}

/// Shows a file or folder of the machine, read-only.
fn show(bind: &Bind) -> Result<(), SetupError> {
    let source = old(&bind.source);
    let found = fs::metadata(&source).map_err(at(format!("looking for {}", bind.source.display())))?;
    let created = if found.is_dir() {
        fs::create_dir_all(&bind.target)
    } else {
        create_file(&bind.target, b"")
    };
    created.map_err(at(format!("making a place for {}", bind.target.display())))?;
    bind_mount(&bind.source, &bind.target)?;
    for mounted in mounts_under(&bind.target).map_err(at("reading /proc/self/mountinfo"))? {
        seal(&mounted, MsFlags::MS_NODEV)?;
    }
    Ok(())
}

fn bind_mount(source: &Path, target: &Path) -> Result<(), SetupError> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(&old(source)), target, NONE, flags, NONE).map_err(at(format!("mounting {}", source.display())))
}

/// Makes one mount read-only and without privileged programs. What restricted it before must stay: in a user namespace
/// the kernel refuses to lift it.
fn seal(target: &Path, more: MsFlags) -> Result<(), SetupError> {
    let what = || format!("making {} read-only", target.display());
    let had = statvfs(target).map_err(at(what()))?.flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | more;
    for (had_flag, flag) in [
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if had.contains(had_flag) {
            flags |= flag;
        }
    }
    mount(NONE, target, NONE, flags, NONE).map_err(at(what()))
}

/// The mount at `target` and those beneath it, which came along with it.
fn mounts_under(target: &Path) -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string(format!("{OLD}/proc/self/mountinfo"))?;
    let points = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape);
    Ok(points
        .map(PathBuf::from)
        .filter(|point| point.starts_with(target))
        .collect())
}

/// The kernel writes space, tab, newline and backslash of a path as three octal digits (proc(5), mountinfo).
fn unescape(field: &str) -> String {
    let mut text = field.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(escape, character);
    }
    text
}

/// The only place that can be written: in memory, of limited size, and nothing in it can be executed.
fn mount_scratch(bytes: u64, owner: u32) -> Result<(), SetupError> {
    fs::create_dir("/scratch").map_err(at("/scratch"))?;
    // Where the interpreter itself lies under /tmp there can be no link; TMPDIR names the scratch folder anyhow.
    match std::os::unix::fs::symlink("scratch", "/tmp") {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at("/tmp")(error)),
        _ => {}
    }
    let options = format!("size={bytes},nr_inodes={SCRATCH_FILES_MAX},mode=0700,uid={owner},gid={owner}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(
        Some("tmpfs"),
        "/scratch",
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )
    .map_err(at("mounting /scratch"))
}

/// Opens each input for reading, through a mount of its own that is read-only: an owner could change the mode, the times
/// and the attributes of a file through any descriptor of it. The mount is gone again before the code runs.
fn open_inputs(inputs: &[PathBuf]) -> Result<Vec<File>, SetupError> {
    let mut opened = Vec::new();
    create_file(Path::new(INPUT), b"").map_err(at(INPUT))?;
    for path in inputs {
        bind_mount(path, Path::new(INPUT))?;
        seal(Path::new(INPUT), MsFlags::MS_NODEV | MsFlags::MS_NOEXEC)?;
        opened.push(File::open(INPUT).map_err(at(format!("opening the input {}", path.display())))?);
        umount2(INPUT, MntFlags::MNT_DETACH).map_err(at(format!("letting go of {}", path.display())))?;
    }
    fs::remove_file(INPUT).map_err(at(INPUT))?;
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_under_the_old_root() {
        assert_eq!(old(Path::new("/usr/lib")), Path::new("/.old/usr/lib"));
        assert_eq!(old(Path::new("/")), Path::new("/.old"));
    }

    #[test]
    fn mount_points_with_spaces_are_read_as_they_are() {
        assert_eq!(unescape("/opt/my\\040python"), "/opt/my python");
        assert_eq!(unescape("/opt/a\\134b"), "/opt/a\\b");
    }
}
