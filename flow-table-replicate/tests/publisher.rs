//! What a publisher does with a transport that takes batches at some times only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_table_api::{FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::record::{Batch, Kind};
use flow_table_replicate::transport::{Busy, Outcome, Sink};
use flow_table_replicate::{ClusterKey, Epoch, Publisher, ReplicatedTable, Settings, ShardId, Tracked};

type Flows = ReplicatedTable<u64, flow_table_custom::FlowTable<FlowKey, Tracked<u64>>>;

#[derive(Default)]
struct State {
    takes: bool,
    taken: Vec<u64>,
    kinds: Vec<Kind>,
    outcomes: Vec<Outcome>,
}

/// Takes batches only while it is told to.
#[derive(Clone, Default)]
struct Fickle(Arc<Mutex<State>>);

impl Sink for Fickle {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        let mut state = self.0.lock().unwrap();
        if !state.takes {
            return Err(Busy);
        }
        state.taken.push(token);
        state.kinds.push(Batch::parse(batch).expect("a batch").header.kind);
        Ok(())
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.append(&mut self.0.lock().unwrap().outcomes);
    }
}

#[test]
fn what_was_refused_goes_first_and_at_once_when_the_transport_is_back() {
    let patient = Duration::from_secs(60);
    let settings = Settings::new(ClusterKey::new([4; 16])).acknowledgement(patient).give_up(patient);
    let table = Flows::with_settings(TableConfig::new(100), settings, (FlowKeys, Postcard));
    let sink = Fickle::default();
    let state = Arc::clone(&sink.0);
    let mut publisher = Publisher::new(table.feed(), sink);
    let insert = |id: u8| {
        let key = format!("udp 10.0.0.{id}:1000 > 10.9.9.9:53").parse().unwrap();
        drop(table.insert(NewFlow::new(key, 1), Timestamp::ZERO).unwrap());
    };
    let at = Timestamp::from_millis;
    state.lock().unwrap().takes = true;
    insert(1);
    publisher.flush(at(0));
    state.lock().unwrap().takes = false;
    for id in 2..5 {
        insert(id);
        publisher.flush(at(id.into()));
    }
    // It is refused again and again, with pauses that grow to more than half a second.
    for tenths in 1..80 {
        publisher.poll(at(100 * tenths));
    }
    assert_eq!(state.lock().unwrap().taken, [1]);

    let mut back = state.lock().unwrap();
    (back.takes, back.outcomes) = (true, vec![Outcome { token: 1, stored: true }]);
    drop(back);
    insert(5);
    publisher.flush(at(8_000));
    assert_eq!(state.lock().unwrap().taken, [1, 2, 3, 4, 5]);
}

/// Who takes shards over waits until the claim comes back, for as long as it likes: servers that elect a leader
/// may take nothing for longer than the publisher tries to publish records.
#[test]
fn a_claim_is_not_given_up() {
    let settings = Settings::new(ClusterKey::new([4; 16])).standby().give_up(Duration::from_secs(5));
    let table = Flows::with_settings(TableConfig::new(100), settings, (FlowKeys, Postcard));
    let sink = Fickle::default();
    let state = Arc::clone(&sink.0);
    let mut publisher = Publisher::new(table.feed(), sink);
    table.feed().claim(&[(ShardId::new(1), Epoch::new(1))]).unwrap();
    for tenths in 0..90 {
        publisher.poll(Timestamp::from_millis(100 * tenths));
    }
    assert_eq!(state.lock().unwrap().kinds, []);
    state.lock().unwrap().takes = true;
    for tenths in 90..110 {
        publisher.poll(Timestamp::from_millis(100 * tenths));
    }
    assert!(state.lock().unwrap().kinds.contains(&Kind::Claim), "{:?}", table.feed().counters());
}

/// Takes everything, and tells so later.
struct Late {
    after: Duration,
    now: Arc<Mutex<Timestamp>>,
    under_way: VecDeque<(u64, Timestamp)>,
}

impl Sink for Late {
    fn send(&mut self, token: u64, _: &[u8]) -> Result<(), Busy> {
        let at = *self.now.lock().unwrap() + self.after;
        self.under_way.push_back((token, at));
        Ok(())
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        let now = *self.now.lock().unwrap();
        let later = self.under_way.partition_point(|(_, at)| *at <= now);
        outcomes.extend(self.under_way.drain(..later).map(|(token, _)| Outcome { token, stored: true }));
    }
}

/// What waits meanwhile is published in fewer batches, so that the window is no limit to what is recorded.
#[test]
fn acknowledgements_that_take_long_cost_no_record() {
    let settings = Settings::new(ClusterKey::new([4; 16]));
    let table = Flows::with_settings(TableConfig::new(100), settings, (FlowKeys, Postcard));
    let now = Arc::new(Mutex::new(Timestamp::ZERO));
    let sink = Late { after: Duration::from_millis(900), now: Arc::clone(&now), under_way: VecDeque::new() };
    let mut publisher = Publisher::new(table.feed(), sink);
    let flow = || NewFlow::new("udp 10.0.0.1:1000 > 10.9.9.9:53".parse().unwrap(), 1);
    // 20,000 flows begin and end in a second.
    for at in (0..3_000).step_by(2).map(Timestamp::from_millis) {
        *now.lock().unwrap() = at;
        for _ in 0..40 {
            let inserted = table.insert(flow(), at).unwrap();
            table.remove_flow(&inserted.flow).unwrap();
        }
        publisher.poll(at);
    }
    for at in (3_000..6_000).step_by(2).map(Timestamp::from_millis) {
        *now.lock().unwrap() = at;
        publisher.flush(at);
    }
    let counters = table.feed().counters();
    assert_eq!((counters.dropped, counters.repeated, counters.recorded), (0, 0, 120_000));
}
