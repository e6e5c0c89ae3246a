use flow_table_api::TableConfig;
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner};

use crate::fixture::{SEED, TestKey, alike, rounds};
use crate::random::{Driver, Step, step};
use crate::{Backend, Setup};

/// Keys with hashes like any.
const KEYS: [u64; 6] = [0, 1, 2, 3, 4, 5];

/// Random sequences of all operations on a table with this configuration have results that the model allows.
fn agrees<B: Backend>(config: &TableConfig, runs: usize, keys: impl Fn(&[u8; 32]) -> [u64; 6]) {
    let cases = u32::try_from(rounds(runs)).unwrap_or(u32::MAX);
    let proptest = Config { cases, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() };
    let seed = seed();
    let mut runner = TestRunner::new_with_rng(proptest.clone(), TestRng::from_seed(proptest.rng_algorithm, &seed));
    let run = |steps: Vec<Step>| {
        Driver::<B>::run(config.clone(), &steps).map_err(|disagreement| TestCaseError::fail(disagreement.0))
    };
    let why = match runner.run(&vec(step(keys(&seed)), 50..120), run) {
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
    agrees::<B>(&setup.exactly(3), 64, |_| KEYS);
}

/// With room for everything.
pub fn runs_in_a_large_table_agree_with_the_model<B: Backend>(setup: Setup) {
    agrees::<B>(&setup.exactly(1_000), 64, |_| KEYS);
}

/// With keys that all have one hash, and room for most flows.
pub fn runs_of_colliding_keys_agree_with_the_model<B: Backend>(setup: Setup) {
    agrees::<B>(&setup.exactly(5), 16, |_| KEYS.map(|key| key | TestKey::COLLIDING));
}

/// With keys whose hashes agree in one byte, which may be any, and room for most flows.
pub fn runs_of_keys_alike_agree_with_the_model<B: Backend>(setup: Setup) {
    let keys = |seed: &[u8; 32]| {
        let mut alike = alike(u32::from(seed[0]) % 8);
        KEYS.map(|_| alike.next().expect("there are many"))
    };
    agrees::<B>(&setup.exactly(5).hash_seed(SEED), 16, keys);
}
