use std::time::Duration;

use flow_table::Timestamp;

/// Turns the times of packets into the time given to the table.
///
/// Zero is the time of the first packet, and the clock never steps back, so captures of any epoch fit. The clock
/// stops just before [`Timestamp::MAX`], 146 years later, because flows without timeout have that deadline and
/// must not reach it.
#[derive(Debug, Default)]
pub(crate) struct PacketClock {
    first: Option<i128>,
    now: Timestamp,
}

impl PacketClock {
    /// The time at which a packet with this timestamp is handled.
    pub(crate) fn advance(&mut self, timestamp: i128) -> Timestamp {
        let elapsed = timestamp.saturating_sub(*self.first.get_or_insert(timestamp)).max(0);
        let elapsed = Timestamp::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX));
        let last = Timestamp::MAX.saturating_sub(Duration::from_nanos(1));
        self.now = self.now.max(elapsed.min(last));
        self.now
    }

    /// The time of the last packet that was handled.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_zero_and_never_steps_back() {
        let mut clock = PacketClock::default();
        let times = [-5, 20, 10, i128::MIN, 21].map(|time| clock.advance(time).as_nanos());
        assert_eq!(times, [0, 25, 25, 25, 26]);
    }

    #[test]
    fn stands_still_before_the_last_deadline() {
        let mut clock = PacketClock::default();
        clock.advance(i128::MIN);
        assert_eq!(clock.advance(i128::MAX).as_nanos(), Timestamp::MAX.as_nanos() - 1);
        assert!(clock.now() < Timestamp::MAX);
    }
}
