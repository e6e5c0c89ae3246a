use std::time::Duration;

use flow_table::Timestamp;

/// Lets a number of events pass in each second.
#[derive(Debug)]
pub(super) struct Rate {
    second: Timestamp,
    passed: u32,
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self { second: Timestamp::ZERO, passed: 0 }
    }

    pub(super) fn allows(&mut self, limit: u32, now: Timestamp) -> bool {
        if now - self.second >= Duration::from_secs(1) {
            (self.second, self.passed) = (now, 0);
        }
        let is_allowed = self.passed < limit;
        self.passed += u32::from(is_allowed);
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_a_limit() {
        let mut rate = Rate::new();
        let mut passed = |millis| (0..5).filter(|_| rate.allows(3, Timestamp::from_millis(millis))).count();
        assert_eq!([passed(1_000), passed(1_999), passed(2_000), passed(1_000), passed(5_000)], [3, 0, 3, 0, 3]);
    }
}
