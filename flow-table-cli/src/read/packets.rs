use super::error::ReadError;
use super::packet::Packet;

/// A source of packets.
pub trait Packets {
    /// Returns the next packet, or `None` at the end.
    ///
    /// # Errors
    ///
    /// An [idle](ReadError::is_idle) error says that nothing has arrived for a while; the next call asks again.
    /// Any other error says that a capture could not be read any further. There are more packets behind it only if
    /// [`goes_on`](Self::goes_on).
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError>;

    /// Returns `true` if there may be packets after an error.
    fn goes_on(&self) -> bool;

    /// The format in words, as far as it is known so far.
    fn describe(&self) -> String;

    /// The time now on the clock of the packets, in nanoseconds, if they come as they are sent. While nothing
    /// arrives, it ends flows that are due.
    fn now(&self) -> Option<i128> {
        None
    }

    /// The number of packets that the system has dropped so far because they were not read in time.
    fn dropped(&self) -> u64 {
        0
    }
}

impl<P: Packets + ?Sized> Packets for Box<P> {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        (**self).next_packet()
    }

    fn goes_on(&self) -> bool {
        (**self).goes_on()
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn now(&self) -> Option<i128> {
        (**self).now()
    }

    fn dropped(&self) -> u64 {
        (**self).dropped()
    }
}
