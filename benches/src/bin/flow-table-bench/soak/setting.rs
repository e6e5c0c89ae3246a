use std::iter;
use std::ops::Range;
use std::time::Duration;

use flow_table::{KeyHasher, TableConfig};
use flow_table_benches::data::mix;

use super::number::Number;

/// What a round is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// One shard with room for tens of flows, nearly full, so that buckets are full and flows overflow into the
    /// next; and keys whose hashes share bits.
    pub(super) small: bool,
    /// The table is made for this round. Others last from round to round.
    pub(super) fresh: bool,
    /// Values call the table when they are dropped, and some of them panic.
    pub(super) hostile: bool,
    /// Near the end a burst is forgotten. It counts as open for as long as the table lives.
    pub(super) forgets_a_burst: bool,
}

/// The capacities of small tables. How full the buckets are depends on it, as their number is a power of two.
const SMALL: Range<usize> = 16..80;
/// Bits of the hash that are the same for all keys of a small table: all, many or none of the eight by which the
/// custom backend tells the flows of a bucket apart.
const SHARED_BITS: [u64; 3] = [0xff << 32, 0x3f << 32, 0];

impl Setting {
    /// Returns the setting of a round. Of eight rounds, one uses the small table that lasts and one the large one.
    /// Five use fresh small tables, because what may go wrong depends on the keys, and one uses a fresh large
    /// table. Fresh tables are in hostile hands, unless all rounds are `ordinary`.
    pub(super) const fn of_round(round: u64, ordinary: bool) -> Self {
        let place = round % 8;
        let (small, fresh) = (!matches!(place, 1 | 7), place >= 2);
        let hostile = fresh && !ordinary;
        Self { small, fresh, hostile, forgets_a_burst: hostile && (place == 6 || round % 16 == 15) }
    }

    /// How long a round takes, where it is not counted in operations.
    pub(super) const fn time(self) -> Duration {
        Duration::from_millis(if self.small { 500 } else { 2000 })
    }

    pub(super) const fn name(self) -> &'static str {
        match (self.small, self.fresh, self.hostile) {
            (true, false, _) => "small",
            (true, true, false) => "fresh small",
            (true, true, true) => "hostile small",
            (false, false, _) => "large",
            (false, true, false) => "fresh large",
            (false, true, true) => "hostile large",
        }
    }

    /// The capacity, where that of a large table is `large`.
    pub(super) fn flows(self, large: usize, seed: u64) -> usize {
        if self.small { large.min(SMALL.start + (mix(seed) >> 32) as usize % SMALL.len()) } else { large }
    }

    pub(super) fn config(self, flows: usize, seed: u64) -> TableConfig {
        let config = TableConfig::new(flows).hash_seed(seed);
        if self.small { config.shards(1) } else { config }
    }

    /// Returns `count` numbers; every second one is sheltered.
    pub(super) fn numbers(self, count: usize, seed: u64) -> Vec<Number> {
        let hasher = KeyHasher::with_seed(seed);
        let shared = if self.small { SHARED_BITS[mix(seed) as usize % SHARED_BITS.len()] } else { 0 };
        let suits = |number: &Number| number.hash(&hasher) & shared == 0;
        let mut sheltered = (0..).map(|half| Number(2 * half)).filter(suits);
        let mut others = (0..).map(|half| Number(2 * half + 1)).filter(suits);
        let mut turn = false;
        let alternate = iter::from_fn(|| {
            turn = !turn;
            if turn { sheltered.next() } else { others.next() }
        });
        alternate.take(count).collect()
    }
}
