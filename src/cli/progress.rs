//! A bar for long transfers, on a terminal.

use std::io::{IsTerminal, Read};

use indicatif::{ProgressBar, ProgressStyle};

use super::print::Out;

/// Shows how far a transfer has come: a bar where the length is known, a count where it is not, nothing where no person
/// looks.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins a transfer of `length` bytes.
    pub fn begin(out: Out, what: &str, length: Option<u64>) -> Self {
        if out.json || !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = match length {
            Some(_) => "{msg} [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg} {spinner} {bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// A reader that moves the bar.
    pub fn read<R: Read>(&self, reader: R) -> indicatif::ProgressBarIter<R> {
        self.0.wrap_read(reader)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
