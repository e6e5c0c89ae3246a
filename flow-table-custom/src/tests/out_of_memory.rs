//! Memory is refused at every request that a table makes for it: insertions fail with an error that returns
//! their flows, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use flow_table_api::{Budget, Flow, InsertError, NewFlow, ReinsertError, Table, TableConfig, Timestamp};

use crate::memory::refusing;
use crate::{FlowTable, StrongRef};

/// Every value holds a part of it, so that lost and dropped ones are noticed.
type Witness = Arc<()>;
/// Large, so that flows that replace others need chunks of their own.
type Payload = (Witness, [u64; 120]);
type Flows = FlowTable<u64, Payload>;
type Handle = StrongRef<u64, Payload>;

const FLOWS: u64 = 3_000;
const NOW: Timestamp = Timestamp::from_secs(1);

/// The reply keys of pairs begin here.
const REPLY: u64 = 1 << 32;

/// One key or two, and timeouts that lead to every part of the timer queue.
fn flow(id: u64, witness: &Witness) -> NewFlow<u64, Payload> {
    let flow = NewFlow::new(id, (Arc::clone(witness), [id; 120])).timeout(Duration::from_millis(1 << (id % 32)));
    if id.is_multiple_of(3) { flow.reply(REPLY + id) } else { flow }
}

fn empty(shards: usize) -> Flows {
    // A seed, so that the same requests are made each time.
    Flows::with_config(TableConfig::new(1 << 20).shards(shards).hash_seed(1))
}

fn insert(table: &Flows, id: u64, witness: &Witness) -> Option<Handle> {
    let result = match id % 4 {
        0 => table.insert_if_absent(flow(id, witness), NOW).map(|admission| admission.into_flow()),
        _ => table.insert(flow(id, witness), NOW).map(|inserted| inserted.flow),
    };
    match result {
        Ok(flow) => Some(flow),
        Err(InsertError::OutOfMemory { flow: back }) => {
            assert!(back == flow(id, witness) && Arc::ptr_eq(&back.value().0, witness), "another flow came back");
            None
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Exactly these flows are found, all of them by all their keys.
fn assert_holds(table: &Flows, expected: impl Fn(u64) -> bool) {
    for id in 0..FLOWS {
        assert_eq!(table.lookup(&id, NOW).is_some(), expected(id), "flow {id}");
        assert_eq!(table.lookup(&(REPLY + id), NOW).is_some(), expected(id) && id.is_multiple_of(3), "reply {id}");
    }
    let count = (0..FLOWS).filter(|&id| expected(id)).count();
    assert_eq!((table.len(), table.snapshot().len()), (count, count));
    let stats = table.stats();
    assert_eq!(stats.inserts - stats.ended.total(), count as u64, "{stats:?}");
}

/// As if nothing had been: everything can be inserted, and goes again, and no entry is left in use.
fn assert_usable(table: &Flows, witness: &Witness) {
    assert_eq!(
        fill_and_empty(table, witness),
        fill_and_empty(&empty(table.stats().shards), witness),
        "bytes when empty again"
    );
}

fn fill_and_empty(table: &Flows, witness: &Witness) -> usize {
    for id in 0..FLOWS {
        assert!(insert(table, id, witness).is_some(), "there is memory again");
    }
    assert_holds(table, |_| true);
    assert_eq!(table.reap(Timestamp::MAX, Budget::UNLIMITED).expired, FLOWS as usize);
    assert_eq!((table.len(), Arc::strong_count(witness)), (0, 1));
    table.shrink_to_fit();
    table.memory()
}

#[test]
fn insertions_refuse_and_lose_nothing() {
    for shards in [1, 4] {
        for requests in 0.. {
            let (table, witness) = (empty(shards), Witness::default());
            let insert_all = || (0..FLOWS).map(|id| insert(&table, id, &witness).is_some()).collect::<Vec<_>>();
            let (inserted, enough) = refusing::after(requests, insert_all);
            assert_eq!(enough, inserted.iter().all(|&inserted| inserted), "{requests} requests");
            assert_holds(&table, |id| inserted[id as usize]);
            assert_usable(&table, &witness);
            if enough {
                assert!(requests > 10, "the table grew in {requests} steps only");
                break;
            }
        }
    }
}

#[test]
fn replacements_refuse_and_keep_what_is_there() {
    for requests in 0.. {
        let (table, witness) = (empty(2), Witness::default());
        let old: Vec<_> = (0..FLOWS).map(|id| insert(&table, id, &witness).expect("there is memory")).collect();
        let replace = |id| match table.insert(flow(id, &witness), NOW) {
            Ok(inserted) => assert_eq!(inserted.replaced.as_ref(), Some(&old[id as usize])),
            Err(InsertError::OutOfMemory { .. }) => {}
            Err(other) => panic!("{other:?}"),
        };
        // The old flows are held, so the new ones need as much memory again.
        let ((), enough) = refusing::after(requests, || (0..FLOWS).for_each(replace));
        assert_holds(&table, |_| true);
        drop(old);
        assert_eq!(Arc::strong_count(&witness), 1 + FLOWS as usize);
        assert!((0..FLOWS).all(|id| table.remove(&id).is_some()));
        assert_usable(&table, &witness);
        if enough {
            assert!(requests > 0, "no memory was needed");
            break;
        }
    }
}

#[test]
fn removing_needs_no_memory() {
    let (table, witness) = (empty(2), Witness::default());
    (0..FLOWS).for_each(|id| assert!(insert(&table, id, &witness).is_some()));
    let remove =
        |id| if id % 2 == 0 { table.remove(&id).is_some() } else { table.lookup(&id, NOW).unwrap().cancel() };
    let (removed, _) = refusing::after(0, || (0..FLOWS).all(remove));
    assert!(removed, "a flow could not be removed for want of memory");
    assert_eq!(refusing::after(0, || table.reap(NOW, Budget::UNLIMITED)).0.cancelled, FLOWS as usize / 2);
    assert_holds(&table, |_| false);
    assert_usable(&table, &witness);
}

#[test]
fn reinsertions_refuse_and_change_nothing() {
    for requests in 0.. {
        let (table, witness) = (empty(2), Witness::default());
        let flows: Vec<_> = (0..FLOWS).map(|id| insert(&table, id, &witness).expect("there is memory")).collect();
        assert_eq!(table.retain(|_| false), FLOWS as usize);
        table.shrink_to_fit();
        let (back, enough) = refusing::after(requests, || {
            flows.iter().map(|flow| table.reinsert(flow, NOW).map(drop)).collect::<Vec<_>>()
        });
        for (flow, back) in flows.iter().zip(&back) {
            assert_eq!(flow.is_live(NOW), back.is_ok());
            assert!(matches!(back, Ok(()) | Err(ReinsertError::OutOfMemory)));
        }
        assert_holds(&table, |id| back[id as usize].is_ok());
        assert_eq!(table.retain(|_| false), back.iter().filter(|back| back.is_ok()).count());
        drop(flows);
        assert_usable(&table, &witness);
        if enough {
            assert!(requests > 0, "no memory was needed");
            break;
        }
    }
}
