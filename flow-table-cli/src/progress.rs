use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how much of a file has been read, only on a terminal.
pub(crate) struct FileProgress(Option<ProgressBar>);

impl FileProgress {
    /// Starts for a file of `bytes` bytes. Zero means that the length is unknown, as for a pipe.
    pub(crate) fn new(file: &str, bytes: u64) -> Self {
        if !stderr().is_terminal() {
            return Self(None);
        }
        let bar = if bytes == 0 { ProgressBar::no_length() } else { ProgressBar::new(bytes) };
        let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let bar = bar.with_message(file.to_owned()).with_style(style.expect("a valid template"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    pub(crate) fn set(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
        }
    }
}

impl Drop for FileProgress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
