use std::time::Duration;

use flow_table_api::OnExpiry;

use crate::Setup;
use crate::fixture::{Dice, SEED, TestKey, alike, secs};
use crate::random::{Draft, Step};

/// Which keys flows have.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// One each.
    Single,
    /// Two each, always the same two together, either way round.
    Twins,
    /// One, or any two.
    Any,
}

/// How the hashes of the keys are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hashes {
    /// As chance has it.
    Any,
    /// All are the same.
    Equal,
    /// They agree in one byte, another one in each history.
    Alike,
}

/// What the threads of a history do.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// At once.
    pub threads: usize,
    /// Of each thread; a batch is one step.
    pub steps: usize,
    /// As many different ones.
    pub keys: usize,
    shape: Keys,
    hashes: Hashes,
    on_expiry: OnExpiry,
}

const fn profile(threads: usize, steps: usize, keys: usize, shape: Keys, on_expiry: OnExpiry) -> Profile {
    Profile { threads, steps, keys, shape, hashes: Hashes::Any, on_expiry }
}

/// The keys of flows that stand in the table before: no others.
const STANDING: u64 = 1 << 40;

/// From one key that all want to so many that threads hardly meet.
///
/// Flows that are found after their expiry have one key here: another one may take the keys of an expired pair one
/// by one, which the model does not.
pub const PROFILES: [Profile; 13] = [
    profile(2, 12, 1, Keys::Single, OnExpiry::Remove),
    profile(3, 8, 1, Keys::Single, OnExpiry::Remove),
    profile(4, 6, 1, Keys::Single, OnExpiry::KeepWhileReferenced),
    profile(3, 8, 2, Keys::Twins, OnExpiry::Remove),
    profile(4, 6, 2, Keys::Any, OnExpiry::Remove),
    profile(2, 12, 3, Keys::Any, OnExpiry::Remove),
    profile(4, 6, 3, Keys::Any, OnExpiry::Remove),
    profile(3, 8, 3, Keys::Any, OnExpiry::Remove),
    profile(4, 100, 64, Keys::Twins, OnExpiry::Remove),
    profile(4, 100, 64, Keys::Single, OnExpiry::KeepWhileReferenced),
    profile(3, 8, 3, Keys::Any, OnExpiry::Remove).with(Hashes::Equal),
    profile(4, 25, 32, Keys::Single, OnExpiry::KeepWhileReferenced).with(Hashes::Equal),
    profile(4, 25, 32, Keys::Twins, OnExpiry::Remove).with(Hashes::Alike),
];

/// How full the table of a history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// There is room for all flows that there may be.
    Sparse,
    /// Few places, and other flows stand in four of five.
    Most,
    /// Few places, and other flows stand in all of them.
    All,
}

/// What makes a history, but for how its threads meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// Kinds of histories: seeds that leave the same rest when divided by it are of one kind.
    pub const KINDS: u64 = (PROFILES.len() * Setup::ALL.len()) as u64;

    /// The `number`-th history on a table made like this, of the profile in this place.
    pub fn new(setup: Setup, profile: usize, number: u64) -> Self {
        let setup = Setup::ALL.iter().position(|one| *one == setup).expect("all are there");
        Self(number * Self::KINDS + (setup * PROFILES.len() + profile) as u64)
    }

    /// What its threads do.
    pub const fn profile(self) -> Profile {
        PROFILES[(self.0 % PROFILES.len() as u64) as usize]
    }

    /// How its table is made.
    pub const fn setup(self) -> Setup {
        Setup::ALL[(self.0 % Self::KINDS) as usize / PROFILES.len()]
    }

    /// Something that the histories of a kind differ in, whatever order they come in.
    const fn chance(self) -> u64 {
        (self.0 / Self::KINDS + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// How full its table is: of four histories of a kind, one is full in most places, and one in all.
    pub const fn fill(self) -> Fill {
        match self.chance() >> 62 {
            0 | 1 => Fill::Sparse,
            2 => Fill::Most,
            _ => Fill::All,
        }
    }

    /// The limit of its table: from 4 to 16 flows, unless there is room for all.
    pub const fn capacity(self) -> usize {
        match self.fill() {
            Fill::Sparse => self.setup().config(self.profile().capacity()).capacity(),
            Fill::Most | Fill::All => 4 + (self.chance() >> 32) as usize % 13,
        }
    }

    /// The flows that stand in the table before its threads begin. These have handles to them; no script names
    /// their keys. Some are due before long, some never are.
    pub fn standing(self) -> Vec<Draft> {
        let flows = match self.fill() {
            Fill::Sparse => 0,
            Fill::Most => self.capacity() * 4 / 5,
            Fill::All => self.capacity(),
        };
        let (profile, mut dice) = (self.profile(), Dice::new(self.0 as usize, self.profile().threads));
        let draft = |number| {
            let timeout = [secs(1), secs(3), secs(8), secs(1_000)][dice.below(4)];
            Draft { key: STANDING + number, reply: None, timeout, on_expiry: profile.on_expiry }
        };
        (0..flows as u64).map(draft).collect()
    }

    /// With what its table hashes: always the same.
    pub const fn hash_seed(self) -> u64 {
        if matches!(self.profile().hashes, Hashes::Alike) { SEED } else { self.0 }
    }

    /// The keys of its flows, by number.
    pub fn keys(self) -> Vec<u64> {
        let Profile { keys, hashes, .. } = self.profile();
        let numbers = 0..keys as u64;
        match hashes {
            Hashes::Any => numbers.collect(),
            Hashes::Equal => numbers.map(|number| number | TestKey::COLLIDING).collect(),
            Hashes::Alike => alike((self.0 / Self::KINDS) as u32 % 8).take(keys).collect(),
        }
    }

    /// What one of its threads does.
    pub fn script(self, thread: usize) -> Vec<Step> {
        let (profile, keys) = (self.profile(), self.keys());
        let mut dice = Dice::new(self.0 as usize, thread);
        // Each walk over the table is a moment for every flow.
        let mut walks = 2;
        (0..profile.steps).map(|_| profile.step(&keys, &mut dice, &mut walks)).collect()
    }
}

impl Profile {
    /// Whether flows have two keys.
    pub const fn has_pairs(self) -> bool {
        !matches!(self.shape, Keys::Single)
    }

    /// Whether the hashes of its keys are related.
    pub const fn has_chosen_hashes(self) -> bool {
        !matches!(self.hashes, Hashes::Any)
    }

    /// Flows that the threads of a history can make.
    pub const fn capacity(self) -> usize {
        self.threads * self.steps
    }

    const fn with(self, hashes: Hashes) -> Self {
        Self { hashes, ..self }
    }

    fn step(self, keys: &[u64], dice: &mut Dice, walks: &mut usize) -> Step {
        let (key, pick) = (keys[dice.below(keys.len())], dice.below(64));
        match dice.below(40) {
            0..5 => Step::Insert(self.draft(keys, dice)),
            5..8 => Step::InsertIfAbsent(self.draft(keys, dice)),
            8..11 => Step::GetOrInsertWith(self.draft(keys, dice)),
            11..14 => Step::Reinsert(pick),
            14..16 => Step::Remove(key),
            16..18 => Step::RemoveFlow(pick),
            18..20 => Step::Cancel(pick),
            20..23 => Step::Refresh(pick),
            23 => Step::SetDeadline(pick, dice.below(20) as i64 - 5),
            24 => Step::SetTimeout(pick, self.timeout(dice)),
            25..27 if *walks > 0 => {
                *walks -= 1;
                let budget = [None, None, Some(1), Some(2)][dice.below(4)];
                Step::Reap { budget, local: dice.below(4) == 0, keep: true }
            }
            27 if *walks > 0 => {
                *walks -= 1;
                Step::Snapshot
            }
            28 => Step::LookupBatch(vec![key, keys[dice.below(keys.len())]]),
            29 => Step::BurstGetBatch(vec![key, keys[dice.below(keys.len())]]),
            30 => Step::OpenBurst,
            31 => Step::CloseBurst,
            32 => Step::BurstGet(key),
            33 => Step::Advance(dice.below(12) as i64 - 3),
            34..36 if matches!(self.on_expiry, OnExpiry::Remove) => Step::Drop(pick),
            _ => Step::Lookup(key),
        }
    }

    const fn timeout(self, dice: &mut Dice) -> Duration {
        [secs(0), secs(1), secs(3), secs(8), secs(60)][dice.below(5)]
    }

    fn draft(self, keys: &[u64], dice: &mut Dice) -> Draft {
        let key = dice.below(keys.len());
        let reply = match self.shape {
            Keys::Single => None,
            Keys::Twins => Some(key ^ 1),
            Keys::Any => Some(dice.below(keys.len())).filter(|&reply| reply != key),
        };
        let (key, reply) = (keys[key], reply.map(|reply| keys[reply]));
        Draft { key, reply, timeout: self.timeout(dice), on_expiry: self.on_expiry }
    }
}
