//! `tail`, `age` and `zstd` open a bundle.

use std::path::Path;
use std::process::Command;

use crate::support::*;

/// Whether the tools are there. Where the project's checks run, they must be; elsewhere their absence is said loudly.
fn tools_are_there() -> bool {
    let missing: Vec<&str> = ["age", "zstd"]
        .into_iter()
        .filter(|tool| Command::new(tool).arg("--version").output().is_err())
        .collect();
    assert!(
        missing.is_empty() || std::env::var_os("CI").is_none(),
        "not installed: {missing:?}"
    );
    if !missing.is_empty() {
        eprintln!("SKIPPED, since these are not installed: {missing:?}. Try: apt-get install age zstd");
    }
    missing.is_empty()
}

fn open_with_stock_tools(bundle: &Path, key: &Path) -> Vec<u8> {
    let script = r#"tail -c +77 "$1" | age -d -i "$2" | zstd -d -q"#;
    let output = Command::new("sh")
        .args(["-euc", script, "sh"])
        .arg(bundle)
        .arg(key)
        .output()
        .expect("run the shell");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn stock_tools_open_a_bundle_with_the_key_file() {
    if !tools_are_there() {
        return;
    }
    let pair = Pair::new();
    let key = pair.path("high.key");
    pair.high.create_file(&key).unwrap();
    let blobs = [&b"age,sex\n".repeat(200_000)[..], &noise(1, 1_500_000)];
    let written = pair.write("a.plk", &[b"\x63one"], &blobs, 2);
    let plain = open_with_stock_tools(&written.path, &key);
    let expected = poundlock_transport::craft::plain_stream(&written.header, &[b"\x63one"], &sorted(&blobs));
    assert!(
        plain == expected,
        "the plain stream is the one that the format describes"
    );
}
