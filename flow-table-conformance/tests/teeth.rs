//! The suite's teeth: each way to break the stranger's backend is found by the case that is named for it.

#[path = "teeth/broken.rs"]
mod broken;
#[macro_use]
mod stranger;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use flow_table_conformance::api::{Key, Value};
use flow_table_conformance::{Backend, Case, Setup, registry};

use stranger::flaw::{self, Flaw};

struct UnderTest;

impl Backend for UnderTest {
    type Table<K: Key + Clone, V: Value> = broken::Broken<K, V>;
}

/// Whether `case` fails, in any configuration, when every table has `flaw`.
fn finds(case: Case, flaw: Option<Flaw>) -> bool {
    Setup::ALL.into_iter().any(|setup| {
        let (done, ended) = mpsc::channel::<()>();
        let running = thread::spawn(move || {
            let _done = done;
            match flaw {
                Some(flaw) => flaw::with(flaw, || (case.run)(setup)),
                None => (case.run)(setup),
            }
        });
        // A flaw that blocks leaves its thread behind. That is no reason to wait for long: a sound table is done
        // at once.
        let blocked = ended.recv_timeout(Duration::from_secs(20)) == Err(mpsc::RecvTimeoutError::Timeout);
        blocked || running.join().is_err()
    })
}

fn case_named(name: &str) -> Case {
    let cases = registry::all::<UnderTest>();
    cases.into_iter().find(|case| case.info.name == name).expect("flaws name cases that exist")
}

/// One test for each flaw, under its name.
macro_rules! tests {
    ($($(#[$doc:meta])+ $flaw:ident => $case:literal,)+) => {
        #[allow(non_snake_case)]
        mod is_found {
            use super::{Flaw, case_named, finds};

            $(
                #[test]
                fn $flaw() {
                    assert!(finds(case_named($case), Some(Flaw::$flaw)), concat!($case, " does not find it"));
                }
            )+
        }

        #[test]
        fn nothing_is_found_where_nothing_is_broken() {
            let mut names = vec![$($case),+];
            names.sort_unstable();
            names.dedup();
            names.retain(|name| finds(case_named(name), None));
            assert!(names.is_empty(), "false alarms: {names:?}");
        }
    };
}

each_flaw!(tests);
