//! What a publisher does with a transport that takes batches at some times only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flow_table_api::{FlowKey, NewFlow, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::transport::{Busy, Outcome, Sink};
use flow_table_replicate::{ClusterKey, Publisher, ReplicatedTable, Settings, Tracked};

type Flows = ReplicatedTable<u64, flow_table_custom::FlowTable<FlowKey, Tracked<u64>>>;

#[derive(Default)]
struct State {
    takes: bool,
    taken: Vec<u64>,
    outcomes: Vec<Outcome>,
}

/// Takes batches only while it is told to.
#[derive(Clone, Default)]
struct Fickle(Arc<Mutex<State>>);

impl Sink for Fickle {
    fn send(&mut self, token: u64, _: &[u8]) -> Result<(), Busy> {
        let mut state = self.0.lock().unwrap();
        if !state.takes {
            return Err(Busy);
        }
        state.taken.push(token);
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
