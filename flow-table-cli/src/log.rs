//! What the program says about problems.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;

/// How problems are written to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text.
    #[default]
    Text,
    /// One JSON object per line, with `time`, `level` and `message`.
    Json,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Something is missing, and the program could do nothing about it.
    Warning,
    /// The program's status will not be zero.
    Error,
}

#[derive(Serialize)]
struct Line<'m> {
    time: String,
    level: Level,
    message: &'m str,
}

impl LogFormat {
    /// Writes one line.
    ///
    /// # Errors
    ///
    /// Returns the errors of `out`.
    pub fn write(self, out: &mut (impl Write + ?Sized), level: Level, message: &str) -> io::Result<()> {
        match self {
            Self::Text => writeln!(out, "flow-table: {message}"),
            Self::Json => {
                let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
                let line = serde_json::to_string(&Line { time, level, message })?;
                writeln!(out, "{line}")
            }
        }
    }
}
