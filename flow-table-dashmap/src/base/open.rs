use std::collections::BTreeMap;

use flow_table_api::Timestamp;

use crate::base::sync::{Mutex, lock};

/// The times of the open bursts, each with the number of bursts that have it.
#[derive(Default)]
pub(crate) struct OpenBursts(Mutex<BTreeMap<Timestamp, usize>>);

impl OpenBursts {
    pub(crate) fn add(&self, now: Timestamp) {
        *lock(&self.0).entry(now).or_default() += 1;
    }

    /// Takes a burst out that was added.
    pub(crate) fn remove(&self, now: Timestamp) {
        let mut open = lock(&self.0);
        if let Some(bursts) = open.get_mut(&now) {
            *bursts -= 1;
            if *bursts == 0 {
                open.remove(&now);
            }
        }
    }

    /// The earliest time.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        lock(&self.0).keys().next().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_earliest_that_is_still_open() {
        let (open, at) = (OpenBursts::default(), Timestamp::from_secs);
        assert_eq!(open.oldest(), None);
        [7, 5, 5].map(at).into_iter().for_each(|now| open.add(now));
        open.remove(at(5));
        assert_eq!(open.oldest(), Some(at(5)));
        open.remove(at(5));
        assert_eq!(open.oldest(), Some(at(7)));
        open.remove(at(7));
        assert_eq!(open.oldest(), None);
    }
}
