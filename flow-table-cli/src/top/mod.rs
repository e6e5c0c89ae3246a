//! The command `top`: the flows of an interface or a capture, as they come and go.
//!
//! One thread replays packets through a table and takes a snapshot of the live flows four times a second. The
//! other one draws the last snapshot and handles keys.

mod draw;
mod follow;
mod model;
mod paced;
mod snapshot;

use std::io::{IsTerminal, stdout};
use std::thread;

use anyhow::{Result, ensure};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::args::TopArgs;
use crate::control::Control;

use follow::follow;
use model::{After, Model};
use snapshot::Shared;

/// How often the screen is drawn at least.
const TICK: std::time::Duration = std::time::Duration::from_millis(200);

/// Shows flows until a key, a signal, or an error ends it. Returns `true` if the capture could be read.
///
/// # Errors
///
/// Returns an error if there is no terminal, or the packets cannot be read.
pub fn top(args: &TopArgs, control: &Control) -> Result<bool> {
    ensure!(stdout().is_terminal(), "top needs a terminal");
    let mut packets = follow::open(args, control)?;
    let shared = Shared::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let result = follow(args, &mut *packets, control, &shared);
            shared.end(result.as_ref().err().map(|error| format!("{error:#}")));
            result
        });
        let mut terminal = ratatui::init();
        let shown = show(&mut terminal, control, &shared);
        ratatui::restore();
        control.pipe_closed();
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        shown.and(read)
    })
}

fn show(terminal: &mut DefaultTerminal, control: &Control, shared: &Shared) -> Result<()> {
    let mut model = Model::default();
    loop {
        model.update(shared.latest());
        terminal.draw(|frame| draw::draw(frame, &mut model))?;
        if control.is_stopped() {
            return Ok(());
        }
        if event::poll(TICK)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && model.key(key) == After::Quit
        {
            return Ok(());
        }
    }
}
