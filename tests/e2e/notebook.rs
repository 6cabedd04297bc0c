//! The scientist's side for notebooks, `python/`: its own tests, and the whole way over two nodes.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::node::PASSWORD;
use crate::world::{World, python, text};

fn client() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/python"))
}

/// Runs Python with the client at hand, and gives what it printed.
pub fn run(arguments: &[&str]) -> String {
    let output = Command::new(python())
        .args(["-B", "-W", "error"])
        .args(arguments)
        .env("PYTHONPATH", client())
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn its_own_tests_pass() {
    let tests = client().join("tests").display().to_string();
    run(&["-m", "unittest", "discover", "-s", &tests]);
}

#[test]
fn a_function_of_a_notebook_goes_up_and_its_result_comes_down() {
    let script = |name: &str| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/notebook");
        format!("{path}/{name}")
    };
    let world = World::new();
    world.publish_pima();
    let key = world.root.path().join("sam.key").display().to_string();
    let asked = run(&[&script("ask.py"), world.low.address(), PASSWORD, &key]);
    let asked = asked.lines().last().unwrap();
    let requests: Value = serde_json::from_str(asked).unwrap();
    let id = |name: &str| text(&requests[name]);

    world.carry_up();
    let twice = json!({"execute_count": 2});
    for (name, state, policy) in [
        ("by_diagnosis", "pending", twice),
        ("withdrawn", "withdrawn", json!("single_execution")),
    ] {
        let shown = world.owner.get(&format!("/requests/{}", id(name)));
        let code = &shown["submitted_code"];
        assert_eq!(shown["status"]["state"], state, "{shown:#}");
        assert_eq!(
            (&shown["signed"]["state"], &code["signed"]["state"]),
            (&json!("valid"), &json!("valid")),
            "{shown:#}"
        );
        assert_eq!(code["output_policy"], policy, "{shown:#}");
    }
    world.decide(&id("oldest"), "deny", Some("one person is not a statistic"));
    for (name, parts) in [("by_diagnosis", &["result", "log"][..]), ("table", &["result"])] {
        world.approve(&id(name));
        let run = world.run(&id(name));
        assert_eq!(run["state"], "succeeded", "{run:#}");
        for part in parts {
            world.release(&run, part);
            // One after the other, so that it is seen that they come in that order.
            world.carry_down();
        }
    }
    let collected = run(&[&script("collect.py"), world.low.address(), PASSWORD, &key, asked]);
    assert_eq!(collected, "collected\n");
}
