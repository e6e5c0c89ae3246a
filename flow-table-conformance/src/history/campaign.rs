use std::time::Instant;

use super::crew::run;
use super::{Seed, Tally};
use crate::Backend;
use crate::fixture::random_word;

/// Histories on one table.
const BATCH: u64 = 64;

/// Operations of the short form.
const SHORT: usize = 100_000;

/// Operations after which the long form reports its progress.
const MILLION: usize = 1_000_000;

/// Records and explains histories of all kinds until there are 100,000 operations, or `FLOW_TABLE_OPERATIONS`, and
/// prints how many that were. The histories are different each time, unless `FLOW_TABLE_HISTORY` names one. Then
/// that one is repeated.
///
/// # Panics
///
/// Panics if a history has no explanation. The message contains the history and how to repeat it.
pub fn campaign<B: Backend>() {
    let operations = variable("FLOW_TABLE_OPERATIONS").map_or(SHORT, |count| count.parse().expect("a number"));
    let named =
        variable("FLOW_TABLE_HISTORY").map(|seed| u64::from_str_radix(&seed, 16).expect("hexadecimal digits"));
    let (began, first) = (Instant::now(), random_word());
    let (mut all, mut told) = (Tally::default(), 0);
    for batch in 0_u64.. {
        if all.operations >= operations {
            break;
        }
        // Another kind each time, and all of them in turn.
        let kind = (first % Seed::KINDS + batch) % Seed::KINDS;
        let seed = |number| match named {
            Some(seed) => Seed(seed),
            None => Seed(first.wrapping_add(batch * BATCH + number) % (1 << 48) * Seed::KINDS + kind),
        };
        let seeds: Vec<_> = (0..BATCH).map(seed).collect();
        match run::<B>(&seeds) {
            Ok(tally) => all = all + tally,
            Err((Seed(seed), why)) => panic!(
                "no explanation: {why}\nThe same again, as far as threads allow: FLOW_TABLE_HISTORY={seed:x}"
            ),
        }
        if all.operations / MILLION > told {
            told = all.operations / MILLION;
            println!("{told} million operations explained, {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    let Tally { histories, operations, concurrent } = all;
    println!(
        "{operations} operations in {histories} histories explained, {concurrent} of them concurrent with \
         another thread's, in {:.1} s, from {first:x}",
        began.elapsed().as_secs_f64(),
    );
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Makes one test, of concurrent histories of the whole table: see [`campaign`](crate::history::campaign).
#[macro_export]
macro_rules! histories_test {
    ($($table:tt)+) => {
        #[test]
        fn histories_can_be_explained() {
            struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)+<K, V>;
            }

            $crate::history::campaign::<UnderTest>();
        }
    };
}
