use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use crate::control::Control;
use crate::input::owned::Owned;
use crate::read::{Packet, Packets, Problem, ReadError};

/// How long to wait at a time.
const STEP: Duration = Duration::from_millis(50);

/// A capture whose packets come at the speed of their times.
pub(super) struct Paced<P> {
    packets: P,
    speed: f64,
    control: Control,
    /// The time of the first packet, and when it came.
    start: Option<(i128, Instant)>,
    /// The last packet that was read.
    packet: Option<Owned>,
    /// Whether it has not come yet.
    is_early: bool,
}

impl<P: Packets> Paced<P> {
    /// Packets come `speed` times as fast as they did.
    pub(super) fn new(packets: P, speed: f64, control: &Control) -> Self {
        Self { packets, speed, control: control.clone(), start: None, packet: None, is_early: false }
    }

    /// How long to wait for the packet.
    fn wait(&mut self, timestamp: i128) -> Duration {
        let (first, began) = *self.start.get_or_insert_with(|| (timestamp, Instant::now()));
        let since = timestamp.saturating_sub(first).max(0) as f64 / 1e9 / self.speed;
        Duration::try_from_secs_f64(since).unwrap_or(Duration::MAX).saturating_sub(began.elapsed())
    }
}

impl<P: Packets> Packets for Paced<P> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        if self.control.is_stopped() {
            return Ok(None);
        }
        if !self.is_early {
            self.packet = self.packets.next_packet()?.as_ref().map(Owned::of);
        }
        let Some(timestamp) = self.packet.as_ref().map(|packet| packet.timestamp) else { return Ok(None) };
        let wait = self.wait(timestamp);
        thread::sleep(wait.min(STEP));
        self.is_early = wait > STEP;
        if self.is_early {
            return Err(Problem::Io(ErrorKind::WouldBlock.into()).at(0));
        }
        Ok(self.packet.as_ref().map(Owned::packet))
    }

    fn goes_on(&self) -> bool {
        self.packets.goes_on()
    }

    fn describe(&self) -> String {
        self.packets.describe()
    }
}
