use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::config::Interfaces;
use crate::io::packet_io::PacketIo;
use crate::packet::{Offload, Packet};
use crate::side::Side;

/// A queue of each of two TUN devices, one for each side.
///
/// With offloads, the system hands over packets of up to 64 KiB that it has not cut into segments, and whose
/// transport checksums it has not computed. They are handed back in the same form.
pub struct TunIo {
    inside: SyncDevice,
    outside: SyncDevice,
    has_offload: bool,
    /// The side that is read first.
    first: Side,
}

impl TunIo {
    /// Makes the two devices, with one `TunIo` for each queue. The devices vanish with the last one.
    ///
    /// # Errors
    ///
    /// An error of the system. It needs `CAP_NET_ADMIN`.
    pub fn open(interfaces: &Interfaces, queues: usize) -> io::Result<Vec<Self>> {
        let device = |name: &str| {
            let device = DeviceBuilder::new()
                .name(name)
                .mtu(interfaces.mtu)
                .multi_queue(true)
                .offload(interfaces.offload)
                .build_sync()?;
            device.set_nonblocking(true)?;
            Ok::<_, io::Error>(device)
        };
        let queue = |device: &SyncDevice| {
            let queue = device.try_clone()?;
            queue.set_nonblocking(true)?;
            Ok::<_, io::Error>(queue)
        };
        let (inside, outside) = (device(&interfaces.inside)?, device(&interfaces.outside)?);
        let has_offload = inside.tcp_gso() && outside.tcp_gso();
        let make = |inside, outside| Self { inside, outside, has_offload, first: Side::Inside };
        let mut queued = Vec::with_capacity(queues);
        for _ in 1..queues {
            queued.push(make(queue(&inside)?, queue(&outside)?));
        }
        queued.push(make(inside, outside));
        Ok(queued)
    }

    const fn device(&self, side: Side) -> &SyncDevice {
        match side {
            Side::Inside => &self.inside,
            Side::Outside => &self.outside,
        }
    }

    /// Receives what is there, from both sides in turn.
    fn recv_ready(&mut self, packets: &mut [Packet]) -> io::Result<usize> {
        let mut count = 0;
        let mut open = [self.first, self.first.other()].map(Some);
        self.first = self.first.other();
        while open.iter().any(Option::is_some) {
            for next in &mut open {
                let Some(side) = *next else { continue };
                let Some(packet) = packets.get_mut(count) else { return Ok(count) };
                match self.recv(side, packet) {
                    Ok(true) => count += 1,
                    Ok(false) => {}
                    Err(error) if is_passing(&error) => *next = None,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(count)
    }

    /// Receives a packet. Returns `false` if it was cut off.
    fn recv(&self, side: Side, packet: &mut Packet) -> io::Result<bool> {
        let front = if self.has_offload { Offload::LEN } else { 0 };
        let space = packet.space_mut(front);
        let len = self.device(side).recv(space)?;
        packet.offload = match space.first_chunk() {
            Some(header) if self.has_offload => Offload::decode(*header),
            _ => Offload::default(),
        };
        (packet.from, packet.to) = (side, None);
        packet.set_len(len.saturating_sub(front));
        Ok(len > front)
    }
}

/// There is nothing to read, or the device is down for the moment.
fn is_passing(error: &io::Error) -> bool {
    let down = error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error());
    down || matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl PacketIo for TunIo {
    fn recv_burst(&mut self, packets: &mut [Packet], wait: Duration) -> io::Result<usize> {
        let count = self.recv_ready(packets)?;
        if count > 0 || wait.is_zero() {
            return Ok(count);
        }
        let mut devices = [&self.inside, &self.outside].map(|device| PollFd::new(device, PollFlags::IN));
        let wait = Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut devices, Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(0),
            Ok(_) => self.recv_ready(packets),
            Err(error) => Err(error.into()),
        }
    }

    fn send_burst(&mut self, packets: &mut [Packet]) -> io::Result<usize> {
        let mut sent = 0;
        for packet in packets {
            let Some(side) = packet.to else { continue };
            let front = if self.has_offload { Offload::LEN } else { 0 };
            let offload = packet.offload.encode();
            let bytes = packet.with_front_mut(front);
            bytes[..front].copy_from_slice(&offload[..front]);
            // The system refuses packets that it finds odd, and those for a device that is down. They are lost, as
            // on any link.
            sent += usize::from(self.device(side).send(bytes).is_ok());
        }
        Ok(sent)
    }
}
