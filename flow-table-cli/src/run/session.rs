use std::cell::RefCell;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::args::Shown;
use crate::capture::{Moment, Pace};
use crate::control::Control;
use crate::log::Level;
use crate::output::records::Records;
use crate::output::target::Target;
use crate::progress::InputProgress;
use crate::read::Packets;
use crate::report::html::Page;
use crate::report::screen::Screen;
use crate::summary::Summary;
use crate::{json, report};

/// How often records are flushed while packets keep arriving.
const FLUSH: Duration = Duration::from_secs(1);

/// What happens when the program is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// No more packets are read.
    AtOnce,
    /// The packets themselves end, after those that wait.
    #[cfg(all(feature = "live", target_os = "linux"))]
    ByPackets,
}

/// A run of the program: where it writes, and what it has written so far.
pub(super) struct Session<'s> {
    args: Shown<'s>,
    control: &'s Control,
    records: Option<Records>,
    to_stdout: bool,
    page: Page,
    out: &'s mut dyn Write,
    complaints: &'s mut dyn Write,
}

impl<'s> Session<'s> {
    /// Opens what records are written to.
    pub(super) fn start(
        args: Shown<'s>,
        control: &'s Control,
        out: &'s mut dyn Write,
        complaints: &'s mut dyn Write,
    ) -> Result<Self> {
        let plan = args.output.plan(args.flows);
        let to_stdout = plan.as_ref().is_some_and(|plan| plan.target == Target::Stdout);
        let records = plan.map(|plan| Records::open(plan, control)).transpose()?;
        Ok(Self { args, control, records, to_stdout, page: Page::default(), out, complaints })
    }

    /// Passes packets through a table until they end, or the program is to end.
    pub(super) fn replay(
        &mut self,
        name: &str,
        packets: &mut dyn Packets,
        progress: &InputProgress,
        ending: Ending,
    ) -> Result<Summary> {
        let Self { args, control, records, complaints, .. } = self;
        let options = args.flows.options(args.output.view(args.flows));
        // Both closures below write records, one at a time.
        let records = RefCell::new(records);
        let mut flushed = Instant::now();
        let mut problem = None;
        let mut watch = |moment: &Moment<'_>| {
            progress.update();
            if moment.pace == Pace::Idle || flushed.elapsed() >= FLUSH {
                flushed = Instant::now();
                problem = records.borrow_mut().as_mut().map_or(Ok(()), Records::flush).err();
            }
            if control.take_print() {
                let text =
                    rendered(name, moment.summary, *args, &Screen::stderr(args.output.color)).unwrap_or_default();
                let printed = progress.suspend(|| complaints.write_all(&text));
                problem = problem.take().or(printed.err().map(Into::into));
            }
            if ending == Ending::AtOnce && control.is_stopped() || problem.is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let mut sink = |flow| records.borrow_mut().as_mut().map_or(Ok(()), |records| records.write(&flow));
        let mut summary = args.flows.backend.replay(packets, &options, &mut watch, &mut sink)?;
        // Input that is a pipe ends by itself when the program is to end.
        summary.interrupted |= control.is_stopped();
        problem.map_or(Ok(summary), Err)
    }

    /// Tells of a problem.
    pub(super) fn complain(&mut self, level: Level, problem: &str) -> Result<()> {
        Ok(self.args.output.log_format.write(&mut self.complaints, level, problem)?)
    }

    /// Writes a summary.
    pub(super) fn show(&mut self, name: &str, summary: &Summary) -> Result<()> {
        if self.args.output.report.is_some() {
            self.page.add(name, summary)?;
        }
        let color = self.args.output.color;
        let screen = if self.to_stdout { Screen::stderr(color) } else { Screen::stdout(color) };
        let text = rendered(name, summary, self.args, &screen)?;
        let written = if self.to_stdout { self.complaints.write_all(&text) } else { self.out.write_all(&text) };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => self.control.pipe_closed(),
            result => result?,
        }
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some(records) = self.records.take() {
            match records.finish()? {
                0 => {}
                lost => self.complain(Level::Warning, &format!("{lost} datagrams could not be sent"))?,
            }
        }
        if let Some(path) = &self.args.output.report {
            self.page.write(path)?;
        }
        match self.out.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }
}

fn rendered(name: &str, summary: &Summary, args: Shown<'_>, screen: &Screen) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if args.output.json {
        json::write(&mut text, name, summary, args)?;
    } else {
        report::text::write(&mut text, name, summary, args, screen)?;
    }
    Ok(text)
}
