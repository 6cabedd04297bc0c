//! Which parts of the machine's file system the sandbox shows to the interpreter.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::{PythonConfig, is_program};

/// Folders of a prefix that an interpreter needs. The prefix itself is not mounted: that of `~/bin/python` is a home.
const PREFIX_PARTS: [&str; 5] = ["bin", "lib", "lib64", "share", "pyvenv.cfg"];

/// What of a merged or unmerged `/usr` lies at the root.
const SYSTEM_PARTS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Of `/etc`: the linker's index, and the links by which Debian chooses among libraries. Nothing else of it is shown.
const ETC_PARTS: [&str; 2] = ["/etc/ld.so.cache", "/etc/alternatives"];

/// The folders that an interpreter needs, by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// The path to execute, as configured: a virtual environment is known by it.
    pub interpreter: PathBuf,
    /// What is mounted read-only, parents before children, none inside another.
    pub binds: Vec<Bind>,
    /// Symbolic links at the root, as `/bin` to `usr/bin`.
    pub links: Vec<Link>,
}

/// A file or folder shown at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bind {
    /// Where it is, without symbolic links on the way.
    pub source: PathBuf,
    /// Where the sandbox shows it.
    pub target: PathBuf,
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub target: PathBuf,
}

/// Why no sandbox can be laid out for an interpreter.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayoutError {
    #[error(
        "the interpreter {path} cannot be used: {source}; set runtime.python.interpreter to a Python 3 program"
    )]
    Interpreter { path: PathBuf, source: std::io::Error },
    #[error(
        "the interpreter {0} is a script, such as a version manager's shim; set runtime.python.interpreter to the \
         program behind it, which sys.executable names"
    )]
    Script(PathBuf),
    #[error("{path} cannot be mounted: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(
        "{mounted} would be shown to the code that runs, and holds the node's private folder {private}; move one of them"
    )]
    ShowsPrivate { mounted: PathBuf, private: PathBuf },
}

/// Finds what `python` needs, and refuses to show anything that holds `private_folder`.
pub(crate) fn layout(python: &PythonConfig, private_folder: &Path) -> Result<Layout, LayoutError> {
    let at = |source| LayoutError::Interpreter {
        path: python.interpreter.clone(),
        source,
    };
    let interpreter = std::path::absolute(&python.interpreter).map_err(at)?;
    let hops = hops(&interpreter).map_err(at)?;
    let program = fs::canonicalize(&interpreter).map_err(at)?;
    if !is_program(&program) {
        return Err(LayoutError::Script(python.interpreter.clone()));
    }
    let mut targets: Vec<PathBuf> = vec![PathBuf::from("/usr")];
    let mut links = Vec::new();
    for path in SYSTEM_PARTS.map(PathBuf::from) {
        match fs::read_link(&path) {
            Ok(target) => links.push(Link { path, target }),
            Err(_) => targets.push(path),
        }
    }
    targets.extend(ETC_PARTS.map(PathBuf::from));
    for prefix in hops.iter().chain([&program]).flat_map(|hop| prefixes(hop)) {
        targets.extend(PREFIX_PARTS.map(|part| prefix.join(part)));
    }
    let mut binds = Vec::new();
    for target in targets {
        // A part that does not exist is not needed: no interpreter has all of them.
        if let Ok(source) = fs::canonicalize(&target) {
            binds.push(Bind { source, target });
        }
    }
    for folder in &python.extra_folders {
        let path = fs::canonicalize(folder).map_err(|source| LayoutError::Folder {
            path: folder.clone(),
            source,
        })?;
        binds.push(Bind {
            source: path.clone(),
            target: path,
        });
    }
    let binds = outermost(binds, &links);
    refuse_private(&binds, private_folder)?;
    Ok(Layout {
        interpreter,
        binds,
        links,
    })
}

/// The symbolic links from the configured path to the program, each as it is written.
fn hops(interpreter: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut hops = vec![interpreter.to_path_buf()];
    // The kernel follows at most 40.
    while hops.len() <= 40 {
        let Some(last) = hops.last() else { break };
        if !fs::symlink_metadata(last)?.is_symlink() {
            break;
        }
        let target = last.parent().unwrap_or(Path::new("/")).join(fs::read_link(last)?);
        let folder = target.parent().unwrap_or(Path::new("/"));
        let dotted = folder
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        let folder = if dotted {
            fs::canonicalize(folder)?
        } else {
            folder.to_path_buf()
        };
        let Some(name) = target.file_name() else { break };
        hops.push(folder.join(name));
    }
    Ok(hops)
}

/// The prefixes that an executable at `path` may belong to: its own, and that which its `pyvenv.cfg` names.
fn prefixes(path: &Path) -> Vec<PathBuf> {
    let Some(own) = path.parent().and_then(Path::parent) else {
        return Vec::new();
    };
    let mut found = vec![own.to_path_buf()];
    if let Ok(text) = fs::read_to_string(own.join("pyvenv.cfg")) {
        let homes = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .filter(|(key, _)| key.trim() == "home");
        found.extend(
            homes
                .filter_map(|(_, home)| Path::new(home.trim()).parent())
                .map(Path::to_path_buf),
        );
    }
    found.retain(|prefix| prefix.is_absolute() && prefix != Path::new("/"));
    found
}

/// Drops what another bind or a link shows already, and puts parents first.
fn outermost(mut binds: Vec<Bind>, links: &[Link]) -> Vec<Bind> {
    binds.sort_by(|a, b| {
        a.target
            .components()
            .count()
            .cmp(&b.target.components().count())
            .then(a.target.cmp(&b.target))
    });
    let mut kept: Vec<Bind> = Vec::new();
    for bind in binds {
        let shown = kept.iter().any(|outer| bind.target.starts_with(&outer.target))
            || links.iter().any(|link| bind.target.starts_with(&link.path));
        if !shown {
            kept.push(bind);
        }
    }
    kept
}

fn refuse_private(binds: &[Bind], private_folder: &Path) -> Result<(), LayoutError> {
    let private = fs::canonicalize(private_folder).map_err(|source| LayoutError::Folder {
        path: private_folder.to_path_buf(),
        source,
    })?;
    match binds.iter().find(|bind| private.starts_with(&bind.source)) {
        Some(bind) => Err(LayoutError::ShowsPrivate {
            mounted: bind.source.clone(),
            private,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A virtual environment of an interpreter that lies under `base`, as `python -m venv` makes it.
    fn environment(folder: &Path) -> PythonConfig {
        for part in ["base/bin", "base/lib", "venv/bin", "venv/lib", "private"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        fs::write(folder.join("base/bin/python3.11"), b"\x7fELF").unwrap();
        symlink("python3.11", folder.join("base/bin/python3")).unwrap();
        symlink(folder.join("base/bin/python3"), folder.join("venv/bin/python3")).unwrap();
        let home = format!("home = {}\n", folder.join("base/bin").display());
        fs::write(folder.join("venv/pyvenv.cfg"), home).unwrap();
        PythonConfig::new(folder.join("venv/bin/python3"))
    }

    fn targets(layout: &Layout) -> Vec<&Path> {
        layout.binds.iter().map(|bind| bind.target.as_path()).collect()
    }

    #[test]
    fn an_environment_shows_itself_and_its_base_but_not_what_lies_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let python = environment(folder.path());
        let layout = layout(&python, &folder.path().join("private")).unwrap();
        let targets = targets(&layout);
        for part in ["base/bin", "base/lib", "venv/bin", "venv/lib", "venv/pyvenv.cfg"] {
            assert!(
                targets.contains(&folder.path().join(part).as_path()),
                "{part} is not in {targets:?}"
            );
        }
        assert!(targets.contains(&Path::new("/usr")));
        assert!(
            !targets.iter().any(|target| folder.path().starts_with(target)),
            "{targets:?}"
        );
        assert_eq!(layout.interpreter, python.interpreter);
    }

    #[test]
    fn a_folder_that_holds_the_private_one_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut python = environment(folder.path());
        python.extra_folders.push(folder.path().to_path_buf());
        let refused = layout(&python, &folder.path().join("private")).unwrap_err();
        assert!(matches!(refused, LayoutError::ShowsPrivate { .. }), "{refused}");
        let inside = folder.path().join("venv/lib/private");
        fs::create_dir(&inside).unwrap();
        python.extra_folders.clear();
        assert!(matches!(
            layout(&python, &inside).unwrap_err(),
            LayoutError::ShowsPrivate { .. }
        ));
    }

    #[test]
    fn a_script_in_place_of_an_interpreter_is_named_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let shim = folder.path().join("python3");
        fs::write(&shim, "#!/bin/sh\nexec python3\n").unwrap();
        let refused = layout(&PythonConfig::new(&shim), folder.path()).unwrap_err();
        assert!(matches!(refused, LayoutError::Script(_)), "{refused}");
    }

    #[test]
    fn a_bind_inside_another_is_dropped() {
        let bind = |path: &str| Bind {
            source: path.into(),
            target: path.into(),
        };
        let link = Link {
            path: "/lib".into(),
            target: "usr/lib".into(),
        };
        let kept = outermost(
            vec![bind("/usr/local"), bind("/opt/x"), bind("/usr"), bind("/lib/y")],
            &[link],
        );
        assert_eq!(kept, [bind("/usr"), bind("/opt/x")]);
    }
}
