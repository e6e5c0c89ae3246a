//! Shows the progress of a measurement, only on a terminal.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::new(steps as u64);
        let style =
            ProgressStyle::with_template("{msg:40} {wide_bar} {percent:>3} % {elapsed} (about {eta} left)");
        bar.set_style(style.expect("a valid template"));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(Some(bar))
    }

    pub(crate) fn says(&self, what: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }

    pub(crate) fn step(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
