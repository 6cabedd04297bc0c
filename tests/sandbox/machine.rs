//! Whether the machine can hold a sandbox, and what is said when it cannot.

use poundlock::runtime::{Finding, Layer, PythonConfig, Runtime, Wanted};

use crate::workshop::{Workshop, bare_python, sandbox};

#[test]
fn every_layer_is_there_and_every_probe_holds() {
    for workshop in [Workshop::bare(), Workshop::scientific()] {
        for layer in Layer::ALL {
            let status = workshop
                .runtime
                .layers()
                .iter()
                .find(|status| status.layer == layer)
                .unwrap();
            assert!(status.present, "{status:?}");
        }
        let probes = workshop.runtime.check();
        for probe in &probes {
            assert!(probe.holds(), "{probe:?}");
            assert!(
                probe.wanted == Wanted::Allowed || !probe.detail.is_empty(),
                "{probe:?}"
            );
        }
        assert_eq!(
            probes
                .iter()
                .filter(|probe| probe.outcome == Finding::Blocked)
                .count(),
            11
        );
        assert_eq!(
            probes
                .iter()
                .filter(|probe| probe.outcome == Finding::Allowed)
                .count(),
            2
        );
    }
}

#[test]
fn the_interpreter_tells_its_packages() {
    let workshop = Workshop::scientific();
    let environment = workshop.runtime.environment().unwrap();
    assert!(environment.python.starts_with("3."), "{}", environment.python);
    for package in ["numpy", "pandas", "matplotlib", "pyarrow"] {
        assert!(
            environment.packages.contains_key(package),
            "{package} is not in {:?}",
            environment.packages
        );
    }
}

#[test]
fn an_interpreter_that_is_none_is_named_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let none = Runtime::probe(PythonConfig::new("/nowhere/python3"), sandbox(folder.path()));
    let refused = none.readiness().unwrap_err();
    assert!(refused.to_string().contains("/nowhere/python3"), "{refused}");
    let wrong = Runtime::probe(PythonConfig::new("/usr/bin/env"), sandbox(folder.path()));
    assert!(
        wrong
            .readiness()
            .unwrap_err()
            .to_string()
            .contains("the interpreter")
    );
    assert!(wrong.outline(&["x = 1".to_owned()]).is_err());
}

#[test]
fn a_private_folder_within_what_is_shown_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut python = bare_python();
    python.extra_folders.push(folder.path().to_path_buf());
    let refused = Runtime::probe(python, sandbox(folder.path()))
        .readiness()
        .unwrap_err();
    assert!(refused.to_string().contains("private folder"), "{refused}");
}
