use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::Setup;
use crate::fixture::soak;
use crate::sync::Arc;

/// How long one case may take before it counts as hanging, unless it is to repeat more: far more than any needs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs `case` on a thread of its own, so that a backend that deadlocks fails the case by name.
///
/// # Panics
///
/// Panics with the panic of the case, or if the case hangs.
pub fn run(name: &str, case: fn(Setup), setup: Setup) {
    let over = Arc::new(AtomicBool::new(false));
    let end = End { over: Arc::clone(&over), waiting: thread::current() };
    let body = move || {
        let _end = end;
        case(setup);
    };
    let running = thread::Builder::new().name(name.to_owned()).spawn(body).expect("a thread can be started");
    let (start, patience) = (Instant::now(), PATIENCE * u32::try_from(soak()).unwrap_or(u32::MAX));
    // Acquire: pairs with the Release of `End`.
    while !over.load(Ordering::Acquire) {
        let left = patience.saturating_sub(start.elapsed());
        assert!(!left.is_zero(), "{name} hangs: an operation blocks ({setup:?})");
        thread::park_timeout(left);
    }
    running.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// Tells the thread that waits for a case that it is over, also if it panics.
struct End {
    over: Arc<AtomicBool>,
    waiting: Thread,
}

impl Drop for End {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `run`.
        self.over.store(true, Ordering::Release);
        self.waiting.unpark();
    }
}

/// Instantiates the whole suite for a backend. Pass the path of a table type with two parameters, key and value.
///
/// `flow_table_conformance::conformance_tests!(my_backend::MyTable);` makes a module `conformance` with one test
/// for each case and configuration.
#[macro_export]
macro_rules! conformance_tests {
    ($($table:tt)+) => {
        mod conformance {
            #[allow(unused_imports, reason = "the table's path may be relative")]
            use super::*;

            pub(super) struct UnderTest;

            impl $crate::Backend for UnderTest {
                type Table<K: $crate::api::Key + Clone, V: $crate::api::Value> = $($table)+<K, V>;
            }

            $crate::__cases! { [$crate::__tests] }
        }
    };
}

/// One test for each case and configuration.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($($module:ident { $($case:ident [$($rule:ident)+];)+ })+) => {$(
        mod $module {
            use $crate::{Setup, rstest};

            $(
                #[rstest::rstest]
                #[case::one_shard_snug(Setup::ONE_SHARD_SNUG)]
                #[case::one_shard_large(Setup::ONE_SHARD_LARGE)]
                #[case::many_shards_snug(Setup::MANY_SHARDS_SNUG)]
                #[case::many_shards_large(Setup::MANY_SHARDS_LARGE)]
                fn $case(#[case] setup: Setup) {
                    let name = concat!(stringify!($module), "::", stringify!($case));
                    $crate::run(name, $crate::registry::$module::$case::<super::UnderTest>, setup);
                }
            )+
        }
    )+};
}
