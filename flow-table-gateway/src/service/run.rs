use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use anyhow::Context;
use flow_table::{Budget, Clock, MonotonicClock, Table};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::Config;
use crate::engine::Gateway;
use crate::io::TunIo;
use crate::service::control;
use crate::service::filter::Filter;
use crate::service::host::Host;
use crate::service::request::{Reply, Request, Statistics};
use crate::service::row::FlowRow;
use crate::service::worker::work;
use crate::stats::Refusal;

/// How often what no worker reaps is reaped.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// What all threads of a running gateway share.
struct Service<H> {
    host: H,
    clock: MonotonicClock,
    config: std::path::PathBuf,
    stop: AtomicBool,
}

/// Runs a gateway until SIGTERM or SIGINT. SIGHUP reads the configuration again.
///
/// # Errors
///
/// Whatever prevents the start, or an error of a device.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::read(path)?;
    let clock = MonotonicClock::new();
    match &config.replicate {
        None => serve(path, &config, clock, Gateway::new(&config)),
        #[cfg(feature = "nats")]
        Some(replicate) => serve(path, &config, clock, super::pair::join(&config, replicate, clock)?),
        #[cfg(not(feature = "nats"))]
        Some(_) => anyhow::bail!("[replicate] needs a program with the feature `nats`"),
    }
}

fn serve<H: Host>(path: &Path, config: &Config, clock: MonotonicClock, host: H) -> anyhow::Result<()> {
    let queues = match config.interfaces.queues {
        0 => thread::available_parallelism().map_or(1, usize::from),
        queues => queues,
    };
    let listener = control::listen(&config.socket).with_context(|| config.socket.display().to_string())?;
    let devices = TunIo::open(&config.interfaces, queues).context("cannot make the TUN devices")?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let (config_path, stop) = (path.to_owned(), AtomicBool::new(false));
    let service = Arc::new(Service { host, clock, config: config_path, stop });
    #[cfg(feature = "metrics")]
    if let Some(address) = config.metrics {
        super::metrics::listen(address)?;
    }
    tracing::info!(queues, inside = config.interfaces.inside, outside = config.interfaces.outside, "ready");

    let asked = Arc::clone(&service);
    spawn("control", move || control::serve(&listener, |request, out| asked.answer(request, out)))?;
    let kept = Arc::clone(&service);
    let keeper = spawn("keeper", move || kept.keep())?;
    let workers = devices.into_iter().enumerate().map(|(queue, device)| {
        let (service, failed) = (Arc::clone(&service), signals.handle());
        spawn(&format!("worker {queue}"), move || {
            if !service.work(queue, device) {
                failed.close();
            }
        })
    });
    let workers = workers.collect::<io::Result<Vec<_>>>()?;

    for signal in &mut signals {
        match signal {
            SIGHUP => drop(service.reload()),
            _ => break,
        }
    }
    // Relaxed here and below: the flag says nothing about other memory.
    let failed = service.stop.swap(true, Ordering::Relaxed);
    tracing::info!("stopping");
    for thread in workers.into_iter().chain([keeper]) {
        thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?;
    }
    let stats = service.statistics();
    tracing::info!(flows = stats.flows, forwarded = stats.forwarded, "stopped");
    // An error says that somebody else has removed it.
    let _ = fs::remove_file(&config.socket);
    if failed { Err(anyhow::anyhow!("a device failed")) } else { Ok(()) }
}

fn spawn(name: &str, task: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(task)
}

impl<H: Host> Service<H> {
    /// Passes the packets of one queue. Returns `false` if its device failed.
    fn work(&self, queue: usize, mut device: TunIo) -> bool {
        let done = work(self.host.gateway(), &mut device, &self.clock, &self.stop);
        if let Err(error) = &done {
            tracing::error!(%error, queue, "a device failed");
            // One side without a worker would be a black hole: better none at all.
            self.stop.store(true, Ordering::Relaxed);
        }
        done.is_ok()
    }

    /// Reaps what no worker reaps, and publishes the counters.
    fn keep(&self) {
        let mut known = Statistics::default();
        #[cfg(feature = "metrics")]
        let metrics = super::metrics::Metrics::register(self.host.status().is_some());
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            while self.host.gateway().reap(now, Budget::flows(1_024)) {}
            self.host.tend();
            let stats = self.statistics();
            #[cfg(feature = "metrics")]
            metrics.publish(&stats, self.host.status().as_ref());
            if stats.uptime >= known.uptime + 10 {
                report(&known, &stats);
                known = stats;
            }
            thread::sleep(HOUSEKEEPING);
        }
    }

    fn reload(&self) -> Result<usize, String> {
        let cancelled = Config::read(&self.config).map(|config| self.host.gateway().reload(&config));
        match &cancelled {
            Ok(cancelled) => tracing::info!(cancelled, "the new configuration is in force"),
            Err(error) => tracing::error!(%error, "the old configuration stays in force"),
        }
        cancelled.map_err(|error| error.to_string())
    }

    fn answer(&self, request: Request, out: &mut dyn FnMut(Reply) -> io::Result<()>) -> io::Result<()> {
        tracing::debug!(?request, "asked");
        match request {
            Request::Stats => out(Reply::Stats(self.statistics())),
            Request::Flush => out(Reply::Ended(self.host.gateway().flush())),
            Request::Reload => out(self.reload().map_or_else(Reply::Error, Reply::Ended)),
            Request::Promote => out(self.host.promote().map_or_else(Reply::Error, Reply::Promoted)),
            Request::Flows(filter) => match filter.parse::<Filter>() {
                Ok(filter) => self.flows(&filter, out),
                Err(error) => out(Reply::Error(error.to_string())),
            },
        }
    }

    fn flows(&self, filter: &Filter, out: &mut dyn FnMut(Reply) -> io::Result<()>) -> io::Result<()> {
        let mut result = Ok(());
        self.host.gateway().table().for_each(|flow| {
            let row = FlowRow::of(&**flow, self.clock.now()).filter(|row| filter.matches(row));
            if let (Some(row), true) = (row, result.is_ok()) {
                result = out(Reply::Flow(Box::new(row)));
            }
        });
        result
    }

    fn statistics(&self) -> Statistics {
        let gateway = self.host.gateway();
        let (usage, counters) = (gateway.usage(), gateway.counters());
        let refused = Refusal::ALL.iter().map(|refusal| (refusal.name().to_owned(), counters.refused(*refusal)));
        Statistics {
            uptime: self.clock.now().as_nanos() / 1_000_000_000,
            flows: usage.table.flows,
            capacity: usage.capacity,
            begun: usage.table.inserts,
            expired: usage.table.ended.expired,
            cancelled: usage.table.ended.cancelled,
            ports: usage.ports,
            fragments: usage.fragments,
            bytes: usage.bytes,
            forwarded: counters.forwarded(),
            forwarded_bytes: counters.forwarded_bytes(),
            errors_sent: counters.errors_sent(),
            refused: refused.collect(),
            replication: self.host.replication(),
        }
    }
}

/// Says why packets were dropped since the last time, so that nobody has to ask for it.
fn report(before: &Statistics, now: &Statistics) {
    for (reason, count) in &now.refused {
        let more = count - before.refused.get(reason).copied().unwrap_or(0);
        if more > 0 {
            tracing::info!(reason, packets = more, "dropped");
        }
    }
}
