use std::io;
use std::time::Duration;

use crate::packet::Packet;

/// Receives and sends packets of both sides. Each worker has one of its own.
pub trait PacketIo: Send {
    /// Receives packets into the first ones of `packets`, and sets their [`from`](Packet::from) and
    /// [`offload`](Packet::offload). Returns their number, which is zero if none has come.
    ///
    /// # Blocking
    ///
    /// Waits at most `wait` for the first packet, and not at all for the others.
    ///
    /// # Errors
    ///
    /// An error of the device. Bad packets are no errors.
    fn recv_burst(&mut self, packets: &mut [Packet], wait: Duration) -> io::Result<usize>;

    /// Sends the packets whose [`to`](Packet::to) is a side. Returns how many the device took. The others are
    /// lost, as on any full link.
    ///
    /// # Errors
    ///
    /// An error of the device, other than that it is full.
    fn send_burst(&mut self, packets: &mut [Packet]) -> io::Result<usize>;
}
