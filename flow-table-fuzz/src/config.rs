//! A file of options.

use std::path::Path;
use std::sync::OnceLock;

use clap::{Command, CommandFactory};
use flow_table_cli::args::Cli;
use flow_table_cli::config::options;

/// Uses the bytes as the text of a file. All arguments that it stands for are options of the command, and win over
/// the file.
pub fn check(bytes: &[u8]) {
    static PROGRAM: OnceLock<Command> = OnceLock::new();
    let program = PROGRAM.get_or_init(Cli::command);
    let Ok(text) = str::from_utf8(bytes) else { return };
    let file = Path::new("options.toml");
    for command in program.get_subcommands() {
        let Ok(arguments) = options(program, command, &[], file, text) else { return };
        for argument in &arguments {
            let name = argument.to_str().and_then(|text| text.strip_prefix("--")?.split('=').next());
            let is_known = command.get_arguments().any(|option| option.get_long() == name && name.is_some());
            assert!(is_known, "{argument:?}");
        }
        assert_eq!(options(program, command, &arguments, file, text).ok(), Some(Vec::new()), "{text:?}");
    }
}
