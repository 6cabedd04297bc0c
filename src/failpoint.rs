//! Places where a test lets the process die, as a power cut would, exactly there. They exist only in builds with the feature
//! `failpoints`, which no release build has.
//!
//! The variable [`VARIABLE`] names a file. While that file holds the name of a place, whoever comes to the place is killed
//! (SIGKILL). A test writes the file, does what leads there, and removes the file before it starts the node again.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("failpoints are for tests: a release build must not have them");

/// The variable that names the file.
pub const VARIABLE: &str = "POUNDLOCK_FAILPOINT_FILE";

macro_rules! places {
    ($($name:literal: $what:literal,)*) => {
        /// Every place, with what has happened when it is reached.
        pub const PLACES: &[(&str, &str)] = &[$(($name, $what)),*];
    };
}

places! {
    "store.applied": "a commit is in the engine's memory, and not on the disk",
    "store.durable": "a commit is on the disk, and nobody was told",
    "file.begun": "a blob or private file has been begun",
    "file.complete": "its bytes are on the disk, and it has no name",
    "file.named": "it has its name, and the folder is not on the disk",
    "export.reserved": "a bundle's number is reserved, and there is no file",
    "export.written": "the bundle is written and was read back, and is not noted",
    "export.noted": "the bundle is noted, and nobody was told",
    "import.quarantined": "a bundle lies in the quarantine, unread",
    "import.unpacked": "a bundle is verified, its blobs are staged",
    "import.rehearsed": "the receipt was tried, and nothing is kept of it",
    "import.published": "the blobs have their names, and no record names them",
    "import.committed": "the bundle is in the inbox, and nobody was told",
    "apply.staged": "a review is worked out, and not committed",
    "release.copied": "private bytes are staged as a blob",
    "release.published": "the blob has its name, and there is no release",
    "release.committed": "the release is made, and nobody was told",
    "attach.detached": "the private data before are described no more",
    "attach.published": "new private bytes are in place, and not described",
    "placement.noted": "a note of many files lies on the disk, and none is in place",
    "placement.placed": "all of them are in place, and nothing names them",
    "snapshot.written": "a copy of the store lies in the spool",
}

/// Dies here if the file says so.
#[cfg(feature = "failpoints")]
pub fn reach(place: &str) {
    let armed = std::env::var_os(VARIABLE).and_then(|file| std::fs::read_to_string(file).ok());
    if armed.is_some_and(|armed| armed.trim() == place) {
        // Nothing after this runs; where the signal cannot be sent, ending at once is as near as it gets.
        let _sent = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        std::process::abort();
    }
}

/// Marks a place of [`failpoint::PLACES`](crate::failpoint::PLACES).
macro_rules! failpoint {
    ($place:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::reach($place);
    };
}

pub(crate) use failpoint;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn marked(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                marked(&path, found);
            } else {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let places = text.split("failpoint!(\"").skip(1);
                found.extend(places.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
            }
        }
    }

    #[test]
    fn every_place_is_marked_once() {
        let mut found = Vec::new();
        marked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        // This test itself names none.
        found.retain(|place| place.contains('.'));
        let known: BTreeSet<_> = PLACES.iter().map(|(place, _)| (*place).to_owned()).collect();
        let once: BTreeSet<_> = found.iter().cloned().collect();
        assert_eq!(found.len(), once.len(), "a place is marked twice: {found:?}");
        assert_eq!(once, known);
    }
}
