use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::io::packet_io::PacketIo;
use crate::packet::Packet;
use crate::side::Side;

/// Packets in memory, for tests: what a gateway sees.
#[derive(Debug)]
pub struct MemoryIo {
    arriving: Receiver<(Side, Vec<u8>)>,
    leaving: Sender<(Side, Vec<u8>)>,
}

/// The other end of a [`MemoryIo`]: what its networks see.
#[derive(Debug)]
pub struct Wires {
    to_gateway: Sender<(Side, Vec<u8>)>,
    from_gateway: Receiver<(Side, Vec<u8>)>,
}

/// The two ends of wires in memory.
pub fn memory_pair() -> (MemoryIo, Wires) {
    let (to_gateway, arriving) = channel();
    let (leaving, from_gateway) = channel();
    (MemoryIo { arriving, leaving }, Wires { to_gateway, from_gateway })
}

impl Wires {
    /// Sends a packet to the gateway from `side`. Without a gateway it is lost.
    pub fn send(&self, side: Side, packet: Vec<u8>) {
        // An error says that the gateway is gone.
        let _ = self.to_gateway.send((side, packet));
    }

    /// Returns the next packet that has left the gateway, and its side.
    pub fn recv(&self) -> Option<(Side, Vec<u8>)> {
        self.from_gateway.try_recv().ok()
    }
}

impl PacketIo for MemoryIo {
    fn recv_burst(&mut self, packets: &mut [Packet], wait: Duration) -> io::Result<usize> {
        let mut count = 0;
        for packet in packets {
            let next =
                if count == 0 { self.arriving.recv_timeout(wait).ok() } else { self.arriving.try_recv().ok() };
            let Some((side, bytes)) = next else { break };
            packet.fill(side, &bytes);
            count += 1;
        }
        Ok(count)
    }

    fn send_burst(&mut self, packets: &mut [Packet]) -> io::Result<usize> {
        let mut sent = 0;
        for packet in packets {
            if let Some(side) = packet.to {
                sent += usize::from(self.leaving.send((side, packet.data().to_vec())).is_ok());
            }
        }
        Ok(sent)
    }
}
