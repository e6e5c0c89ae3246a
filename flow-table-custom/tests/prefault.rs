//! A table that was told to prefault: up to so many flows, an insertion neither calls the system nor waits for a
//! page.

#![cfg(all(target_os = "linux", not(any(miri, flow_table_portable, flow_table_tsan))))]

use std::io::{Read, Write, pipe};
use std::time::Duration;

use flow_table_custom::FlowTable;
use flow_table_custom::api::{Budget, NewFlow, Table, TableConfig, Timestamp};

type Key = [u64; 5];
type TestTable = FlowTable<Key, [u64; 3]>;

const SINGLES: usize = 100_000;
const PAIRS: usize = 20_000;

fn key(number: usize, reply: bool) -> Key {
    [number as u64, u64::from(reply), 0, 1, 2]
}

/// Flows with timeouts of 10 s to 10 min, every sixth one with two keys.
fn flows() -> Vec<NewFlow<Key, [u64; 3]>> {
    let timeout = |number: usize| Duration::from_millis(10_000 + number as u64 * 7_919 % 590_000);
    let flow = |number| {
        let flow = NewFlow::new(key(number, false), [7; 3]).timeout(timeout(number));
        if number % 6 == 0 { flow.reply(key(number, true)) } else { flow }
    };
    (0..SINGLES + PAIRS).map(flow).collect()
}

fn config() -> TableConfig {
    TableConfig::new(SINGLES + PAIRS).shards(8)
}

fn ready() -> TestTable {
    TestTable::with_config(config().prefault(SINGLES).prefault_pairs(PAIRS))
}

/// The list keeps its memory.
fn insert_all(table: &TestTable, flows: &mut Vec<NewFlow<Key, [u64; 3]>>, now: Timestamp) {
    flows.drain(..).for_each(|flow| drop(table.insert(flow, now).expect("there is room")));
}

/// Page faults of this thread so far.
fn faults() -> i64 {
    // SAFETY: all zeros are a value of this type.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes to `usage` only.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    usage.ru_minflt + usage.ru_majflt
}

fn faults_while_filling(table: &TestTable) -> i64 {
    let mut flows = flows();
    let before = faults();
    insert_all(table, &mut flows, Timestamp::ZERO);
    faults() - before
}

#[test]
fn insertions_into_a_prefaulted_table_wait_for_no_page() {
    // The first time, the program itself comes from its file, and the stack grows.
    faults_while_filling(&ready());
    // What the kernel moves elsewhere is a fault, too, so there are more rounds than one.
    let fewest = (0..3).map(|_| faults_while_filling(&ready())).min();
    assert_eq!(fewest, Some(0));
    let without = faults_while_filling(&TestTable::with_config(config()));
    assert!(without > 100, "{without} faults without memory that was made ready");
}

/// Deadlines that come before the queue's next bucket are in another part of it.
#[test]
fn flows_that_are_due_soon_have_their_memory_too() {
    let soon = |table: &TestTable| {
        let mut flows: Vec<_> = (0..SINGLES - 64)
            .map(|number| NewFlow::new(key(number, false), [7; 3]).timeout(Duration::from_millis(1_200)))
            .collect();
        let first = |number| NewFlow::new(key(SINGLES + number, false), [7; 3]).timeout(Duration::from_secs(3));
        insert_all(table, &mut (0..64).map(first).collect(), Timestamp::ZERO);
        // The last bucket that was looked at ends later than some of the flows.
        table.reap(Timestamp::from_millis(3_010), Budget::UNLIMITED);
        let (before, memory) = (faults(), table.memory());
        insert_all(table, &mut flows, Timestamp::from_millis(3_010));
        (faults() - before, table.memory() - memory)
    };
    soon(&ready());
    assert_eq!((0..3).map(|_| soon(&ready())).min(), Some((0, 0)));
    assert!(soon(&TestTable::with_config(config())).1 > 0);
}

/// Without memory from the beginning, a reap makes some ready before it is needed, and no more than once.
#[test]
fn a_reap_makes_the_next_memory_ready() {
    const CHUNK: usize = 2 << 20;
    let table = TestTable::with_config(config());
    insert_all(&table, &mut flows(), Timestamp::ZERO);
    let after_a_reap = || {
        table.reap(Timestamp::ZERO, Budget::UNLIMITED);
        table.memory()
    };
    let before = after_a_reap() - CHUNK;
    assert!(before > 12 << 20);
    assert_eq!([(); 3].map(|()| after_a_reap() - before), [CHUNK; 3]);
    table.shrink_to_fit();
    assert!(table.memory() < before);
}

/// Fills the table in a process of its own that may call the system to write and to exit only: the kernel ends a
/// process that makes another call. Returns whether it has filled the table.
fn fills_without_a_call(table: &TestTable) -> bool {
    let mut flows = flows();
    let (mut reader, mut writer) = pipe().expect("a pipe");
    // SAFETY: the child has this thread only, which holds no lock, and nobody else is in the table. The system's
    // allocator stays usable in a child of a process with threads.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "a process");
    if child == 0 {
        // SAFETY: restricts the calls of this process, which is the test's own.
        let restricted = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) } == 0;
        if restricted {
            insert_all(table, &mut flows, Timestamp::ZERO);
        }
        let _ = writer.write_all(&[u8::from(restricted)]);
        // SAFETY: ends the only thread of the process at once.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
    drop(writer);
    let mut told = Vec::new();
    reader.read_to_end(&mut told).expect("what the child says, or nothing");
    let mut status = 0;
    // SAFETY: `child` is a child of this process that nobody else waits for, and `status` is this function's own.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_ne!(told, [0], "the kernel restricts calls");
    told == [1]
}

#[test]
fn insertions_into_a_prefaulted_table_make_no_call() {
    assert!(fills_without_a_call(&ready()));
    assert!(!fills_without_a_call(&TestTable::with_config(config())), "calls are noticed");
}

/// Whatever comes and goes, the memory stays, and is enough again.
#[test]
fn prefaulted_memory_is_enough_and_stays() {
    let table = ready();
    let before = table.memory();
    assert!(before > SINGLES * size_of::<(Key, [u64; 3])>() + PAIRS * size_of::<(Key, Key, [u64; 3])>());
    for round in 0..3 {
        insert_all(&table, &mut flows(), Timestamp::from_secs(1_000 * round));
        assert_eq!((table.len(), table.memory()), (SINGLES + PAIRS, before), "round {round}");
        let later = Timestamp::from_secs(1_000 * (round + 1));
        assert_eq!(table.reap(later, Budget::UNLIMITED).expired, SINGLES + PAIRS);
        table.shrink_to_fit();
        assert_eq!(table.memory(), before, "round {round}");
    }
}

/// Memory that was made ready is no limit, and what comes on top of it goes back.
#[test]
fn more_flows_than_were_prefaulted_for_get_memory_as_they_come() {
    const READY: usize = 1_000;
    let table = TestTable::with_config(config().prefault(READY));
    let before = table.memory();
    for round in 0..2 {
        insert_all(&table, &mut flows(), Timestamp::from_secs(1_000 * round));
        assert_eq!(table.len(), SINGLES + PAIRS);
        assert!(table.memory() > 2 * before);
        let later = Timestamp::from_secs(1_000 * (round + 1));
        assert_eq!(table.reap(later, Budget::UNLIMITED).expired, SINGLES + PAIRS);
        table.shrink_to_fit();
        assert!(table.memory() < before + (64 << 10), "{} bytes at first, {} left", before, table.memory());
    }
}
