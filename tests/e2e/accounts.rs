//! From an empty folder to people who are signed in.

use std::os::unix::fs::PermissionsExt;

use crate::node::{Node, OWNER, items};

#[test]
fn a_node_is_made_set_up_and_used() {
    let mut node = Node::new("low");
    assert_eq!(node.run(OWNER, &["whoami"]).refused(6), "not_set_up");
    node.set_up();
    assert_eq!(node.run(OWNER, &["whoami"]).json()["email"], OWNER);
    assert_eq!(node.run("stranger", &["whoami"]).refused(3), "not_signed_in");

    node.scientist("sam@example.org");
    assert_eq!(
        items(&node.run("sam@example.org", &["user", "list"]).json()).len(),
        1
    );
    let refused = node.run("sam@example.org", &["settings", "set", "--name", "Mine"]);
    assert_eq!(refused.refused(3), "forbidden");

    // Acknowledged means on disk: a power cut later, all of it is there, and nobody has to sign in again.
    node.kill();
    assert_eq!(node.run(OWNER, &["whoami"]).code, 6);
    node.start();
    assert_eq!(items(&node.run(OWNER, &["user", "list"]).json()).len(), 2);
    assert_eq!(node.run(OWNER, &["logout"]).code, 0);
    assert_eq!(node.run(OWNER, &["whoami"]).refused(3), "not_signed_in");
    assert!(node.stop().success());
    assert!(!node.folder().join("run/address").try_exists().unwrap());
}

#[test]
fn the_folder_is_for_the_node_alone() {
    let mut node = Node::ready("high");
    node.stop();
    let mut left = vec![node.folder()];
    while let Some(path) = left.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o077, 0, "{}", path.display());
        if metadata.is_dir() {
            left.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
}

#[test]
fn what_is_no_request_is_refused_and_the_node_lives_on() {
    let node = Node::ready("low");
    for request in [
        &b"\x00\x01\x02\x03\r\n\r\n"[..],
        b"GET /api/v1/health HTTP/9.9\r\n\r\n",
        b"POST /api/v1/sessions HTTP/1.1\r\nHost: n\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = node.raw(request);
        assert!(
            !answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 5"),
            "{answer}"
        );
    }
    assert_eq!(node.run(OWNER, &["whoami"]).code, 0);
}

#[test]
fn people_read_words_and_programs_read_json() {
    let node = Node::ready("low");
    let said = node.say(OWNER, &["whoami"]);
    assert!(
        said.stdout.contains("Olga") && !said.stdout.contains('{'),
        "{}",
        said.stdout
    );
    assert_eq!(node.say(OWNER, &["user"]).code, 2);
    let missing = node.say(OWNER, &["user", "show", "00000000-0000-4000-8000-000000000000"]);
    assert_eq!(missing.code, 4);
    assert!(
        missing.stderr.starts_with("poundlock: there is no user"),
        "{}",
        missing.stderr
    );
}
