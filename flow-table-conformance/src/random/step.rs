use std::ops::Range;
use std::time::Duration;

use flow_table_api::OnExpiry;
use proptest::prelude::*;
use proptest::sample::select;

/// One step of a random run: an operation without what only the run knows, such as the existing flows.
///
/// Flows are picked from those to which there is a handle. Keys are the numbers of [`TestKey`](crate::TestKey)s.
/// Times are relative.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is the operation of that name")]
pub enum Step {
    /// Nothing: what steps that do not matter shrink to.
    Skip,
    Lookup(u64),
    LookupBatch(Vec<u64>),
    Insert(Draft),
    InsertIfAbsent(Draft),
    GetOrInsertWith(Draft),
    Reinsert(usize),
    Refresh(usize),
    /// Nanoseconds from now, either way.
    SetDeadline(usize, i64),
    SetTimeout(usize, Duration),
    Cancel(usize),
    Remove(u64),
    RemoveFlow(usize),
    Reap {
        budget: Option<usize>,
        local: bool,
        keep: bool,
    },
    Snapshot,
    /// Keeps the flows with an even number.
    Retain,
    SetCapacity(usize),
    ShrinkToFit,
    Clone(usize),
    Drop(usize),
    DropAll,
    Upgrade(usize),
    /// Moves the time, either way, in nanoseconds.
    Advance(i64),
    OpenBurst,
    BurstGet(u64),
    BurstGetBatch(Vec<u64>),
    BurstHandle(usize),
    CloseBurst,
}

/// A flow to insert.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of `flow_table_api::NewFlow`")]
pub struct Draft {
    pub key: u64,
    pub reply: Option<u64>,
    pub timeout: Duration,
    pub on_expiry: OnExpiry,
}

/// One of the keys, and likewise below.
fn key(keys: [u64; 6]) -> impl Strategy<Value = u64> {
    select(keys.to_vec())
}

fn seconds(range: Range<i64>) -> impl Strategy<Value = i64> {
    range.prop_map(|seconds| seconds * 1_000_000_000)
}

fn timeout() -> impl Strategy<Value = Duration> {
    let seconds = prop_oneof![4 => 1..12u64, 1 => Just(0), 1 => Just(1_000)];
    prop_oneof![9 => seconds.prop_map(Duration::from_secs), 1 => Just(Duration::MAX)]
}

fn draft(keys: [u64; 6]) -> impl Strategy<Value = Draft> {
    let on_expiry = prop_oneof![3 => Just(OnExpiry::KeepWhileReferenced), 1 => Just(OnExpiry::Remove)];
    (key(keys), proptest::option::of(key(keys)), timeout(), on_expiry)
        .prop_map(|(key, reply, timeout, on_expiry)| Draft { key, reply, timeout, on_expiry })
}

fn reap() -> impl Strategy<Value = Step> {
    let budget = proptest::option::weighted(0.5, 0..4usize);
    (budget, any::<bool>(), any::<bool>()).prop_map(|(budget, local, keep)| Step::Reap { budget, local, keep })
}

/// Any step. Shrinks towards nothing, small keys and short times.
///
/// All flows have some of these keys.
pub fn step(keys: [u64; 6]) -> impl Strategy<Value = Step> {
    let flow = || 0..16usize;
    let (key, draft) = (|| key(keys), || draft(keys));
    let keys = || proptest::collection::vec(key(), 0..5);
    prop_oneof![
        1 => Just(Step::Skip),
        8 => key().prop_map(Step::Lookup),
        2 => keys().prop_map(Step::LookupBatch),
        12 => draft().prop_map(Step::Insert),
        8 => draft().prop_map(Step::InsertIfAbsent),
        5 => draft().prop_map(Step::GetOrInsertWith),
        5 => flow().prop_map(Step::Reinsert),
        6 => flow().prop_map(Step::Refresh),
        3 => (flow(), seconds(-5..15)).prop_map(|(flow, nanos)| Step::SetDeadline(flow, nanos)),
        3 => (flow(), timeout()).prop_map(|(flow, timeout)| Step::SetTimeout(flow, timeout)),
        4 => flow().prop_map(Step::Cancel),
        3 => key().prop_map(Step::Remove),
        3 => flow().prop_map(Step::RemoveFlow),
        8 => reap(),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Retain),
        2 => (0..8usize).prop_map(Step::SetCapacity),
        1 => Just(Step::ShrinkToFit),
        2 => flow().prop_map(Step::Clone),
        12 => flow().prop_map(Step::Drop),
        1 => Just(Step::DropAll),
        2 => flow().prop_map(Step::Upgrade),
        9 => prop_oneof![4 => seconds(0..8), 1 => seconds(-6..0)].prop_map(Step::Advance),
        3 => Just(Step::OpenBurst),
        5 => key().prop_map(Step::BurstGet),
        1 => keys().prop_map(Step::BurstGetBatch),
        2 => flow().prop_map(Step::BurstHandle),
        3 => Just(Step::CloseBurst),
    ]
}
