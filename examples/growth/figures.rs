//! What was measured, and how it is printed: a column for each size, and beside each figure what it is of the first size's.

use std::process::Command;
use std::time::{Duration, Instant};

/// One figure of one size.
struct Figure {
    name: String,
    unit: String,
    value: f64,
}

/// Tells the process that started this one a figure.
pub fn tell(name: &str, unit: &str, value: f64) {
    println!("{name}\t{unit}\t{value}");
}

/// Tells a time in milliseconds.
pub fn tell_time(name: &str, taken: Duration) {
    tell(name, "ms", taken.as_secs_f64() * 1e3);
}

/// Tells the most memory that this process has held.
pub fn tell_memory(name: &str) {
    tell(name, "MiB", memory("VmHWM:") / 1024.0);
}

fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says what a process takes");
    let found = status.lines().find_map(|found| found.strip_prefix(line));
    let kibibytes = found.and_then(|rest| rest.split_whitespace().next());
    kibibytes
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// How long something takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed(), done)
}

/// The middle one of some times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A table that fills column by column.
#[derive(Default)]
pub struct Ratios {
    sizes: Vec<u64>,
    columns: Vec<Vec<Figure>>,
}

impl Ratios {
    /// Begins the column of a size.
    pub fn begin(&mut self, size: u64) {
        self.sizes.push(size);
        self.columns.push(Vec::new());
    }

    /// Runs a step in a process of its own, so that neither its memory nor its caches are another's, and takes its figures.
    pub fn run(&mut self, step: &[&str]) {
        let program = std::env::current_exe().expect("this program's own path");
        let done = Command::new(program)
            .args(step)
            .stderr(std::process::Stdio::inherit())
            .output()
            .expect("it starts");
        assert!(done.status.success(), "{step:?} failed: {}", done.status);
        let column = self.columns.last_mut().expect("a column was begun");
        for line in String::from_utf8_lossy(&done.stdout).lines() {
            let mut parts = line.split('\t');
            let (Some(name), Some(unit), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            column.push(Figure {
                name: name.to_owned(),
                unit: unit.to_owned(),
                value: value.parse().expect("a number"),
            });
        }
    }

    /// Prints the table.
    pub fn print(&self, of: &str) {
        print!("{:<42}", format!("  {of}"));
        for size in &self.sizes {
            print!("{size:>24}");
        }
        println!();
        for first in self.columns.first().into_iter().flatten() {
            print!("{:<42}", format!("  {}", first.name));
            for column in &self.columns {
                let cell = column
                    .iter()
                    .find(|figure| figure.name == first.name)
                    .map(|figure| {
                        let ratio = figure.value / first.value;
                        format!("{:.2} {} ({ratio:.2})", figure.value, figure.unit)
                    });
                print!("{:>24}", cell.unwrap_or_default());
            }
            println!();
        }
    }
}
