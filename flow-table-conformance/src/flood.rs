use std::fs;
use std::time::Duration;

use flow_table_api::{Budget, Burst, Flow, NewFlow, Table};

use crate::Backend;
use crate::fixture::at;

/// Twenty floods on top of long-lived flows, the first of a million: each flow is inserted once and never looked
/// up. After each flood one late reap collects them, and the memory in use is again what it was before the first,
/// within a factor of two (contract C3, C4, R5). This is checked by the table's own account and by `meter`, which
/// returns bytes, or `None` if it cannot measure them.
///
/// # Panics
///
/// Panics if memory is kept.
pub fn floods<B: Backend>(meter: impl Fn() -> Option<usize>) {
    const LONG_LIVED: u64 = 50_000;
    const FIRST: u64 = 1_000_000;
    const LATER: u64 = 50_000;
    const FLOODS: u64 = 20;
    // What an allocator or a table of any size may keep.
    const RESERVE: usize = 1 << 20;

    let table = B::Table::<u64, [u64; 8]>::new((LONG_LIVED + FIRST) as usize);
    let put = |key: u64, timeout, now| {
        let flow = NewFlow::new(key, [key; 8]).timeout(timeout);
        drop(table.insert(flow, now).expect("there is room"));
    };
    let measured = || (table.memory(), meter());
    (0..LONG_LIVED).for_each(|key| put(key, Duration::MAX, at(0)));
    let before = measured();
    let most = |before: usize| 2 * before + RESERVE;
    for flood in 1..=FLOODS {
        let flows = if flood == 1 { FIRST } else { LATER };
        let now = at(1_000_000 * flood);
        (flood * FIRST..flood * FIRST + flows).for_each(|key| put(key, Duration::from_secs(10), now));
        let full = measured();
        let report = table.reap(at(1_000_000 * (flood + 1)), Budget::UNLIMITED);
        let after = measured();

        let told =
            format!("table and meter: {before:?} bytes at first, {full:?} in flood {flood}, {after:?} after it");
        assert_eq!((report.expired, report.more), (flows as usize, false), "flood {flood}");
        assert_eq!((table.len(), table.stats().dying), (LONG_LIVED as usize, 0), "flood {flood}");
        assert!(after.0 <= most(before.0) && (flood > 1 || full.0 > most(before.0)), "{told}");
        if let (Some(before), Some(full), Some(after)) = (before.1, full.1, after.1) {
            assert!(after <= most(before) && (flood > 1 || full > most(before)), "{told}");
        }
    }
    assert!((0..LONG_LIVED).all(|key| table.lookup(&key, at(1_000_000 * FLOODS)).is_some()));
}

/// Thirty times, as many flows come and end as the table may hold, while two bursts stay open that have looked
/// one flow up before. However often that happens, memory stays within what three full tables take (contract U4),
/// and falls when the bursts close. This is checked by the table's own account and by `meter`, as in [`floods`].
///
/// # Panics
///
/// Panics if memory is kept.
pub fn stalls<B: Backend>(meter: impl Fn() -> Option<usize>) {
    const CAPACITY: u64 = 10_000;
    const WAVES: u64 = 30;
    // What an allocator or a table of any size may keep, and the flows by which backends tell times apart.
    const RESERVE: usize = 2 << 20;

    let table = B::Table::<u64, [u64; 8]>::new(CAPACITY as usize);
    let measured = || (table.memory(), meter());
    let empty = measured();
    let wave = |wave: u64| {
        let now = at(100 * wave);
        for key in wave * CAPACITY..(wave + 1) * CAPACITY {
            let flow = NewFlow::new(key, [key; 8]).timeout(Duration::from_secs(10));
            drop(table.insert(flow, now).expect("there is room"));
        }
        let full = measured();
        assert_eq!(table.reap(now + Duration::from_secs(10), Budget::UNLIMITED).expired, CAPACITY as usize);
        full
    };
    let full = wave(0);
    let open = [table.burst(at(0)), table.burst(at(0))];
    assert!(open.iter().all(|burst| burst.get(&0).is_none()));
    for number in 1..=WAVES {
        let stalled = wave(number);
        let told =
            format!("table and meter: {empty:?} bytes when empty, {full:?} when full, {stalled:?} in {number}");
        let within =
            |stalled: usize, full: usize, empty: usize| stalled <= 3 * full - 2 * empty.min(full) + RESERVE;
        assert!(within(stalled.0, full.0, empty.0), "{told}");
        if let (Some(stalled), Some(full), Some(empty)) = (stalled.1, full.1, empty.1) {
            assert!(within(stalled, full, empty), "{told}");
        }
    }
    drop(open);
    table.reap(at(100 * (WAVES + 1)), Budget::UNLIMITED);
    let (bytes, waiting) = (table.memory(), table.stats().waiting);
    assert!(waiting == 0 && bytes <= empty.0 + RESERVE, "{bytes} bytes and {waiting} flows without a burst");
}

/// Floods of which some flows live on, wherever they are: each second, tenth, hundredth, thousandth, and a random
/// hundredth, of one key and of two. Then twenty cycles in which others live on each time. After each flood, some
/// reaps later, the memory is within a factor of two of what a new table with the same flows takes (contract C3a).
/// This is checked by the table's own account and by `meter`, as in [`floods`].
///
/// # Panics
///
/// Panics if memory is kept, or a flow is lost.
pub fn survivors<B: Backend>(meter: impl Fn() -> Option<usize>) {
    const CYCLES: u64 = 20;
    const MOST_PAIRS: u64 = 200_000;
    let random = |key: u64| (key ^ 0x5555).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let kinds: [(u64, &dyn Fn(u64) -> bool); 5] = [
        (50_000, &|key| key.is_multiple_of(2)),
        (100_000, &|key| key.is_multiple_of(10)),
        (1_000_000, &|key| key.is_multiple_of(100)),
        (200_000, &|key| key.is_multiple_of(1_000)),
        (200_000, &|key| random(key).is_multiple_of(100)),
    ];
    for (flows, lives) in kinds {
        for pairs in [false, true] {
            let flows = if pairs { flows.min(MOST_PAIRS) } else { flows };
            let expected = Sprinkled::<B>::fresh((0..flows).filter(|key| lives(*key)), pairs, &meter);
            let flood = Sprinkled::<B>::new(flows as usize, pairs);
            flood.flood(0..flows, 0, lives);
            flood.check(&expected, (0..flows).filter(|key| lives(*key)), &meter);
        }
    }
    let lives = |key: u64| random(key).is_multiple_of(50);
    let cycles = Sprinkled::<B>::new(100_000, false);
    for cycle in 0..CYCLES {
        let keys = cycle * 60_000..(cycle + 1) * 60_000;
        let expected = Sprinkled::<B>::fresh(keys.clone().filter(|key| lives(*key)), false, &meter);
        cycles.flood(keys.clone(), cycle, lives);
        cycles.check(&expected, keys.clone().filter(|key| lives(*key)), &meter);
        for key in keys.filter(|key| lives(*key)) {
            assert!(cycles.table.remove(&key).is_some(), "{key} in cycle {cycle}");
        }
    }
}

/// What an allocator or a table of any size may keep, and pages that are not full.
const SPRINKLED_RESERVE: usize = 3 << 20;
/// So many reaps come after the one that reaps the flood.
const FURTHER_REAPS: usize = 50;

/// A table in which flows live on among others that end.
struct Sprinkled<B: Backend> {
    table: B::Table<u64, [u64; 8]>,
    pairs: bool,
}

impl<B: Backend> Sprinkled<B> {
    fn new(capacity: usize, pairs: bool) -> Self {
        Self { table: B::Table::new(capacity), pairs }
    }

    /// The bytes that a new table with these flows takes, by its own account and by `meter`.
    fn fresh(
        keys: impl Iterator<Item = u64>,
        pairs: bool,
        meter: impl Fn() -> Option<usize>,
    ) -> (usize, Option<usize>) {
        let fresh = Self::new(usize::MAX, pairs);
        keys.for_each(|key| fresh.insert(key, Duration::MAX, 0));
        (fresh.table.memory(), meter())
    }

    fn insert(&self, key: u64, timeout: Duration, now: u64) {
        let flow = NewFlow::new(key, [key; 8]).timeout(timeout);
        let flow = if self.pairs { flow.reply(!key) } else { flow };
        drop(self.table.insert(flow, at(now)).expect("there is room"));
    }

    /// Inserts flows, of which those that do not live on end, and reaps.
    fn flood(&self, keys: impl Iterator<Item = u64>, cycle: u64, lives: impl Fn(u64) -> bool) {
        let (now, timeout) = (1_000 * cycle, Duration::from_secs(10));
        for key in keys {
            self.insert(key, if lives(key) { Duration::MAX } else { timeout }, now);
        }
        for _ in 0..=FURTHER_REAPS {
            self.table.reap(at(now) + timeout, Budget::UNLIMITED);
        }
    }

    /// Checks that those that live on are there, and that they take at most twice what is expected.
    fn check(
        &self,
        expected: &(usize, Option<usize>),
        keys: impl Iterator<Item = u64>,
        meter: impl Fn() -> Option<usize>,
    ) {
        let after = (self.table.memory(), meter());
        let told = format!("pairs: {}; {after:?} bytes after the flood, {expected:?} when new", self.pairs);
        assert!(after.0 <= 2 * expected.0 + SPRINKLED_RESERVE, "{told}");
        if let (Some(after), Some(expected)) = (after.1, expected.1) {
            assert!(after <= 2 * expected + SPRINKLED_RESERVE, "{told}");
        }
        let mut there = 0;
        for key in keys {
            let flow = self.table.lookup(&key, at(0)).expect("it lives on");
            assert_eq!((*flow.key(), *flow.value()), (key, [key; 8]));
            assert!(!self.pairs || self.table.lookup(&!key, at(0)) == Some(flow));
            there += 1;
        }
        assert_eq!(self.table.len(), there);
    }
}

/// The physical memory of this process, in bytes, if the system reports it in `/proc`.
pub fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Makes one test, of memory in floods of up to a million flows: see [`floods`](crate::floods()). It must be the
/// only test of its file under `tests/`, because others would use memory, too.
///
/// The meter is the process's [resident size](resident), if none is given. A backend that takes each flow from the
/// global allocator cannot promise what the allocator does with memory given back (glibc's keeps the memory below
/// any live allocation). Such a backend should use a counting allocator as its meter.
#[macro_export]
macro_rules! flood_test {
    ($($table:ident)::+) => {
        $crate::flood_test!($($table)::+, $crate::resident);
    };
    ($($table:ident)::+, $meter:expr) => {
        #[test]
        fn floods_give_their_memory_back() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)::+<K, V>;
            }

            $crate::floods::<UnderTest>($meter);
        }
    };
}

/// Makes one test, of memory after floods of which some flows live on: see [`survivors`](crate::survivors()). As
/// for [`flood_test`], it must be the only test of its file.
#[macro_export]
macro_rules! survivor_test {
    ($($table:ident)::+) => {
        $crate::survivor_test!($($table)::+, $crate::resident);
    };
    ($($table:ident)::+, $meter:expr) => {
        #[test]
        fn memory_follows_those_that_live_on() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)::+<K, V>;
            }

            $crate::survivors::<UnderTest>($meter);
        }
    };
}

/// Makes one test, of memory while bursts stall: see [`stalls`](crate::stalls()). As for [`flood_test`], it must
/// be the only test of its file.
#[macro_export]
macro_rules! stall_test {
    ($($table:ident)::+) => {
        $crate::stall_test!($($table)::+, $crate::resident);
    };
    ($($table:ident)::+, $meter:expr) => {
        #[test]
        fn bursts_that_stall_cost_their_share_once() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)::+<K, V>;
            }

            $crate::stalls::<UnderTest>($meter);
        }
    };
}
