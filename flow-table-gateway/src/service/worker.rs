use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flow_table::{Budget, Clock, Timestamp};

use crate::engine::{Gateway, Worker};
use crate::flows::Flows;
use crate::io::PacketIo;
use crate::packet::Packet;

/// Packets of a burst.
const BURST: usize = 64;
/// How long a worker waits for a packet before it looks for other work.
const WAIT: Duration = Duration::from_millis(10);
/// How often a worker reaps, and how much. So expiry never delays a packet for long.
const REAP_INTERVAL: Duration = Duration::from_millis(1);
const REAP_BUDGET: Budget = Budget::flows(256);
/// How long a worker goes on with packets that are waiting when it is to stop.
const DRAIN: Duration = Duration::from_millis(500);

/// Passes packets until `stop` is set, and then those that are already waiting.
///
/// # Errors
///
/// An error of the devices.
pub fn work<T: Flows>(
    gateway: &Gateway<T>,
    io: &mut impl PacketIo,
    clock: &impl Clock,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut packets = vec![Packet::new(); BURST];
    let mut worker = Worker::new();
    let (mut reaped, mut stopped) = (Timestamp::ZERO, None);
    loop {
        let wait = if stopped.is_some() { Duration::ZERO } else { WAIT };
        let count = io.recv_burst(&mut packets, wait)?;
        let now = clock.now();
        if count > 0 {
            gateway.process(&mut worker, &mut packets[..count], now);
            io.send_burst(&mut packets[..count])?;
        }
        if now - reaped >= REAP_INTERVAL {
            gateway.reap_local(now, REAP_BUDGET);
            reaped = now;
        }
        // Relaxed: the flag says nothing about other memory.
        if stopped.is_none() && stop.load(Ordering::Relaxed) {
            stopped = Some(now);
        }
        if stopped.is_some_and(|since| count == 0 || now - since >= DRAIN) {
            return Ok(());
        }
    }
}
