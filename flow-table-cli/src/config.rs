//! Options from a file.
//!
//! The file is TOML. A key is the long name of an option. Keys at the top are for every command that has the
//! option, and keys in a table with a command's name are for that command, and win. (`top` is an option and a
//! command; a file that has the table `[top]` has the option in other tables.) They become arguments before those
//! of the command line, unless the command line has the option. So whatever the command line accepts, the file
//! does.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::{Table, Value};

/// Why a file's options cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is not TOML.
    #[error("{}: {error}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Where and why.
        #[source]
        error: toml::de::Error,
    },
    /// No command has such an option.
    #[error("{}: there is no option `{key}`", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
    },
    /// The option takes no such value.
    #[error("{}: `{key}` is {expected}", file.display())]
    Kind {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What it takes.
        expected: &'static str,
    },
}

/// The option that names the file.
const OPTION: &str = "--config";

/// Adds the options of the file that the arguments name, if they do. The first argument is the program's name.
///
/// # Errors
///
/// Returns an error if the file cannot be read or has options that no command has.
pub fn with_file(program: &Command, mut arguments: Vec<OsString>) -> Result<Vec<OsString>, ConfigError> {
    let Some(file) = named(&arguments) else { return Ok(arguments) };
    let text = fs::read_to_string(&file).map_err(|error| ConfigError::Read { file: file.clone(), error })?;
    let more = |command: &Command, given: &[OsString]| options(program, command, given, &file, &text);
    match place(program, &arguments) {
        Some((place, command)) => {
            let more = more(command, &arguments[place..])?;
            arguments.splice(place + 1..place + 1, more);
        }
        // The command line is wrong, and will be refused.
        None => {
            more(program, &[])?;
        }
    }
    Ok(arguments)
}

/// The file's name in the arguments.
fn named(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == OPTION {
            return arguments.next().map(PathBuf::from);
        }
        let value = argument.to_str().and_then(|text| text.strip_prefix(OPTION)?.strip_prefix('='));
        if let Some(value) = value {
            return Some(PathBuf::from(value));
        }
    }
    None
}

/// Where the name of a command is in the arguments.
fn place<'c>(program: &'c Command, arguments: &[OsString]) -> Option<(usize, &'c Command)> {
    let mut is_value = false;
    for (place, argument) in arguments.iter().enumerate().skip(1) {
        if !is_value && let Some(command) = program.find_subcommand(argument) {
            return Some((place, command));
        }
        is_value = !is_value && argument == OPTION;
    }
    None
}

/// The arguments for `command` that a file with this text stands for, without what is `given`.
///
/// # Errors
///
/// Returns an error if the text is not TOML, or names options that no command has.
pub fn options(
    program: &Command,
    command: &Command,
    given: &[OsString],
    file: &Path,
    text: &str,
) -> Result<Vec<OsString>, ConfigError> {
    let table: Table = text.parse().map_err(|error| ConfigError::Syntax { file: file.to_owned(), error })?;
    let unknown = |key: &str| ConfigError::Unknown { file: file.to_owned(), key: key.to_owned() };
    let (mut for_all, mut for_this) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in &table {
        match (value, program.find_subcommand(key)) {
            (Value::Table(options), Some(owner)) => {
                for (name, value) in options {
                    option(owner, name).ok_or_else(|| unknown(&format!("{key}.{name}")))?;
                    if owner.get_name() == command.get_name() {
                        for_this.insert(name, value);
                    }
                }
            }
            _ if program.get_subcommands().any(|owner| option(owner, key).is_some()) => {
                for_all.insert(key, value);
            }
            _ => return Err(unknown(key)),
        }
    }
    for_all.append(&mut for_this);
    let mut arguments = Vec::new();
    for (key, value) in for_all {
        let Some(option) = option(command, key) else { continue };
        if !is_given(option, key, given) {
            let kind = |expected| ConfigError::Kind { file: file.to_owned(), key: key.clone(), expected };
            arguments.extend(as_arguments(option, key, value).map_err(kind)?);
        }
    }
    Ok(arguments)
}

fn option<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|option| option.get_long() == Some(name))
}

/// Returns `true` if the arguments before `--` have the option, by its long or its short name.
fn is_given(option: &Arg, name: &str, given: &[OsString]) -> bool {
    let names = |argument: &OsStr| {
        let bytes = argument.as_encoded_bytes();
        match bytes.strip_prefix(b"--") {
            Some(long) => long.strip_prefix(name.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'=', ..])),
            None => option.get_short().is_some_and(|short| bytes.starts_with(format!("-{short}").as_bytes())),
        }
    };
    given.iter().take_while(|argument| *argument != "--").any(|argument| names(argument))
}

fn as_arguments(option: &Arg, name: &str, value: &Value) -> Result<Vec<OsString>, &'static str> {
    if !option.get_action().takes_values() {
        return match value {
            Value::Boolean(true) => Ok(vec![format!("--{name}").into()]),
            Value::Boolean(false) => Ok(Vec::new()),
            _ => Err("a switch, and takes true or false"),
        };
    }
    let values = match value {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    let argument = |value: &Value| match value {
        Value::String(text) => Ok(format!("--{name}={text}").into()),
        Value::Integer(number) => Ok(format!("--{name}={number}").into()),
        Value::Float(number) => Ok(format!("--{name}={number}").into()),
        _ => Err("an option, and takes a text, a number, or a list of them"),
    };
    values.iter().map(argument).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use rstest::rstest;

    use crate::args::Cli;

    fn arguments(text: &str, given: &[&str]) -> Result<Vec<String>, ConfigError> {
        let (program, file) = (Cli::command(), Path::new("a.toml"));
        let given: Vec<OsString> = given.iter().map(OsString::from).collect();
        let (_, command) = place(&program, &given).expect("a command");
        let options = options(&program, command, &given, file, text)?;
        Ok(options.into_iter().map(|option| option.into_string().unwrap()).collect())
    }

    const FILE: &str = "idle-timeout = \"15s\"\nmerge = true\njson = false\nby = \"packets\"\n\
        aggregate = [\"src\", \"dport\"]\n[replay]\ntop = 7\nby = \"flows\"\n[top]\nspeed = 2.5\n";

    #[rstest]
    #[case::all(
        &["p", "replay"],
        "--aggregate=src --aggregate=dport --by=flows --idle-timeout=15s --merge --top=7"
    )]
    #[case::another(&["p", "top"], "--idle-timeout=15s --speed=2.5")]
    #[case::given(
        &["p", "--config", "replay", "replay", "--top=1", "--aggregate", "dst"],
        "--by=flows --idle-timeout=15s --merge"
    )]
    #[case::files(
        &["p", "replay", "--", "--merge"],
        "--aggregate=src --aggregate=dport --by=flows --idle-timeout=15s --merge --top=7"
    )]
    fn keys_are_options(#[case] given: &[&str], #[case] expected: &str) {
        assert_eq!(arguments(FILE, given).unwrap().join(" "), expected);
    }

    #[rstest]
    #[case("idle_timeout = 5", "a.toml: there is no option `idle_timeout`")]
    #[case("config = \"b.toml\"", "a.toml: there is no option `config`")]
    #[case("[replay]\nspeed = 5", "a.toml: there is no option `replay.speed`")]
    #[case("[other]\nspeed = 5", "a.toml: there is no option `other`")]
    #[case("merge = 1", "a.toml: `merge` is a switch")]
    #[case("top = true", "a.toml: `top` is an option")]
    #[case("top =", "a.toml: TOML parse error at line 1")]
    fn mistakes_are_told(#[case] text: &str, #[case] expected: &str) {
        let error = arguments(text, &["p", "replay"]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
