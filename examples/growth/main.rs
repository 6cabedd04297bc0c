//! How what a node does grows with what it stores.
//!
//! ```text
//! growth objects 1000 10000 …    a change of ten requests on stores with so many objects, and the start of a node on them
//! growth people 1000 10000 …     finding people among so many
//! growth loop 1 10 100 …         so many requests through the whole loop at once
//! ```
//!
//! The stores are made by the very acts that the product runs, on the real engine, in a temporary folder (`TMPDIR`). Prints a
//! column for each size, and in brackets what a figure is of the first size's. Judges nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers: the first thing that fails ends it"
)]

mod figures;
mod objects;
mod people;
mod stage;
mod whole_loop;

use std::path::Path;

use figures::Ratios;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["objects", sizes @ ..] => over(sizes, "objects", |ratios, folder, size| {
            ratios.run(&["step", "build", folder, size]);
            for side in ["low", "high"] {
                let store = format!("{folder}/{side}");
                ratios.run(&[
                    "step",
                    "start",
                    &store,
                    &format!("{side}: first start after a kill"),
                ]);
                ratios.run(&["step", "start", &store, &format!("{side}: next start")]);
            }
            ratios.run(&["step", "change", folder, size]);
        }),
        ["people", sizes @ ..] => over(sizes, "people", |ratios, folder, size| {
            ratios.run(&["step", "people", folder, size]);
            ratios.run(&["step", "find", folder, size]);
        }),
        ["loop", sizes @ ..] => over(sizes, "requests", |ratios, folder, size| {
            ratios.run(&["step", "loop", folder, size]);
        }),
        ["step", "start", folder, name] => objects::start(Path::new(folder), name),
        ["step", step, folder, size] => {
            let (folder, size) = (Path::new(folder), size.parse().expect("a size"));
            match *step {
                "build" => objects::build(folder, size),
                "change" => objects::change(folder, size),
                "people" => people::build(folder, size),
                "find" => people::find(folder, size),
                "loop" => whole_loop::run(folder, size),
                other => panic!("there is no step {other}"),
            }
        }
        _ => panic!("growth objects|people|loop SIZE…"),
    }
}

/// Measures each size in a folder of its own, and prints the table.
fn over(sizes: &[&str], of: &str, measure: impl Fn(&mut Ratios, &str, &str)) {
    let mut ratios = Ratios::default();
    for size in sizes {
        let folder = tempfile::tempdir().expect("a temporary folder");
        ratios.begin(size.parse().expect("a size"));
        measure(&mut ratios, folder.path().to_str().expect("a plain path"), size);
    }
    ratios.print(of);
}
