use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

use crate::fixture::rounds;
use crate::random::{Driver, Step, step};
use crate::{Backend, Setup};

/// Random sequences of all operations, on a table of at most `capacity` flows, give what the model allows.
fn agrees<B: Backend>(setup: Setup, capacity: usize) {
    let cases = u32::try_from(rounds(64)).unwrap_or(u32::MAX);
    let config = Config { cases, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() };
    let seed = seed();
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::from_seed(config.rng_algorithm, &seed));
    let run = |steps: Vec<Step>| {
        Driver::<B>::run(setup.exactly(capacity), &steps)
            .map_err(|disagreement| TestCaseError::fail(disagreement.0))
    };
    let why = match runner.run(&vec(step(), 50..120), run) {
        Ok(()) => return,
        Err(TestError::Fail(why, steps)) => {
            let steps: Vec<_> = steps.into_iter().filter(|step| !matches!(step, Step::Skip)).collect();
            format!("{steps:?}\n{why}")
        }
        Err(aborted) => aborted.to_string(),
    };
    let seed: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    panic!("{why}\nThe same again: FLOW_TABLE_SEED={seed}");
}

/// From the environment, else random.
fn seed() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};

    let mut seed = [0; 32];
    if let Ok(hex) = std::env::var("FLOW_TABLE_SEED") {
        for (byte, digits) in seed.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = str::from_utf8(digits).expect("FLOW_TABLE_SEED holds hexadecimal digits");
            *byte = u8::from_str_radix(digits, 16).expect("FLOW_TABLE_SEED holds hexadecimal digits");
        }
    } else {
        for (index, word) in seed.chunks_mut(8).enumerate() {
            word.copy_from_slice(&RandomState::new().hash_one(index).to_ne_bytes());
        }
    }
    seed
}

/// With few places, so that much is refused, replaced and made room for.
pub fn runs_in_a_small_table_agree_with_the_model<B: Backend>(setup: Setup) {
    agrees::<B>(setup, 3);
}

/// With room for everything.
pub fn runs_in_a_large_table_agree_with_the_model<B: Backend>(setup: Setup) {
    agrees::<B>(setup, 1_000);
}
