use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::input::open::Meter;

/// Shows how much of the input has been read, only on a terminal.
pub(crate) struct InputProgress(Option<(ProgressBar, Vec<Meter>)>);

impl InputProgress {
    /// Starts for inputs of `len` bytes in all, if that is known. A pipe has no length, so only the bytes and
    /// their rate are shown.
    pub(crate) fn new(name: &str, len: Option<u64>, read: Vec<Meter>) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let (bar, template) = match len {
            Some(len) => (ProgressBar::new(len), "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
            None => (ProgressBar::no_length(), "{msg} {spinner} {bytes} {bytes_per_sec} {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).expect("a valid template");
        let bar = bar.with_message(name.to_owned()).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some((bar, read)))
    }

    pub(crate) fn update(&self) {
        if let Some((bar, read)) = &self.0 {
            bar.set_position(read.iter().map(Meter::get).sum());
        }
    }

    /// Runs `print` while nothing is shown.
    pub(crate) fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some((bar, _)) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for InputProgress {
    fn drop(&mut self) {
        if let Some((bar, _)) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
