//! Records in files that change by time and size, or in one place.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::chunk::Chunk;
use super::collector::{Lost, Transport};
use super::export::{Exporter, Format};
use super::target::Target;
use crate::control::Control;
use crate::record::{FlowRecord, Orientation};

/// When to begin another file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// At multiples of this span of packet time.
    pub time: Option<Duration>,
    /// After this many bytes.
    pub size: Option<u64>,
}

/// Where and how records are written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where.
    pub target: Target,
    /// How.
    pub format: Format,
    /// Which end of a flow is the source.
    pub orientation: Orientation,
    /// When to begin another file.
    pub rotation: Rotation,
}

impl Plan {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    ///
    /// Returns an error if files are to rotate and there is none, or a collector is to get what it cannot read.
    pub fn check(&self) -> Result<()> {
        if self.rotation != Rotation::default() && !matches!(self.target, Target::File(_)) {
            bail!("only files rotate");
        }
        if let Target::Collector(collector) = &self.target {
            match (self.format, collector.transport) {
                (Format::Ipfix, _) | (Format::Netflow9, Transport::Udp) => {}
                // Its messages do not tell their lengths.
                (Format::Netflow9, Transport::Tcp) => {
                    bail!("NetFlow 9 goes over UDP; over TCP, use --format ipfix")
                }
                _ => bail!("a collector needs --format ipfix or netflow9"),
            }
        }
        Ok(())
    }

    /// Files that rotate by size are written in pieces that are small beside it.
    fn chunk(&self) -> Chunk {
        match (&self.target, self.rotation.size) {
            (Target::Collector(collector), _) if collector.transport == Transport::Udp => Chunk::Datagram,
            (_, Some(size)) => Chunk::Bytes(usize::try_from(size / 8).unwrap_or(usize::MAX).min(1 << 16)),
            _ => Chunk::DEFAULT,
        }
    }
}

/// The records of a run.
pub struct Records {
    plan: Plan,
    control: Control,
    exporter: Exporter<Box<dyn Write>>,
    written: Written,
    lost: Lost,
    /// The number of the file, from one.
    file: u32,
    /// The period of the file.
    period: Option<i128>,
}

/// Bytes written to the current file.
#[derive(Clone, Debug, Default)]
struct Written(Arc<AtomicU64>);

struct Counted(Box<dyn Write>, Written);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.0.write(bytes)?;
        self.1.0.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Records {
    /// Opens the first file, or the only target.
    ///
    /// # Errors
    ///
    /// Returns the errors of the system, with the target's name, and those of [`Plan::check`].
    pub fn open(plan: Plan, control: &Control) -> Result<Self> {
        plan.check()?;
        let (written, lost) = (Written::default(), Lost::default());
        let exporter = exporter(&plan, 1, control, &written, &lost)?;
        Ok(Self { plan, control: control.clone(), exporter, written, lost, file: 1, period: None })
    }

    /// Writes one record, to another file if it is time.
    ///
    /// # Errors
    ///
    /// Returns the errors of the system, with the target's name.
    pub fn write(&mut self, flow: &FlowRecord) -> Result<()> {
        if self.is_over(flow) {
            self.flush()?;
            self.file += 1;
            self.written.0.store(0, Ordering::Relaxed);
            self.exporter = exporter(&self.plan, self.file, &self.control, &self.written, &self.lost)?;
        }
        self.exporter.write(flow).with_context(|| self.plan.target.to_string())
    }

    /// Returns `true` if the record belongs into the next file.
    fn is_over(&mut self, flow: &FlowRecord) -> bool {
        let Rotation { time, size } = self.plan.rotation;
        let nanos = time.map(|time| i128::try_from(time.as_nanos().max(1)).unwrap_or(i128::MAX));
        let period = nanos.map(|nanos| flow.tally.last_ns.div_euclid(nanos));
        // Records end in about the order of their last packets. A late one stays in the current file.
        let later = period.zip(self.period).is_some_and(|(period, current)| period > current);
        self.period = self.period.max(period);
        later || size.is_some_and(|size| self.written.0.load(Ordering::Relaxed) >= size)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Returns the errors of the system, with the target's name.
    pub fn flush(&mut self) -> Result<()> {
        self.exporter.flush().with_context(|| self.plan.target.to_string())
    }

    /// Writes what is buffered, and returns the number of datagrams that could not be sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of the system, with the target's name.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        Ok(self.lost.get())
    }
}

fn exporter(
    plan: &Plan,
    number: u32,
    control: &Control,
    written: &Written,
    lost: &Lost,
) -> Result<Exporter<Box<dyn Write>>> {
    let target = match &plan.target {
        Target::File(path) if plan.rotation != Rotation::default() => Target::File(numbered(path, number)),
        target => target.clone(),
    };
    let output = Box::new(Counted(target.open(control, lost)?, written.clone()));
    let exporter = Exporter::new(output as Box<dyn Write>, plan.format, plan.orientation, plan.chunk());
    exporter.with_context(|| target.to_string())
}

/// `flows.csv` becomes `flows.00001.csv`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!(".{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}
