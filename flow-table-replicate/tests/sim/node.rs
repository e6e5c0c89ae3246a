//! One gateway of the simulation, with a clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flow_table_api::{Budget, Flow as _, FlowKey, NewFlow, OnExpiry, Table, TableConfig, Timestamp};
use flow_table_replicate::codec::{FlowKeys, Postcard};
use flow_table_replicate::{Life, Publisher, Replicated, Settings, Standby, Sweeper, Tracked};

use super::net::{Net, SimSink, SimSource};

pub type Value = AtomicU64;
pub type Simulated<T> = Replicated<FlowKey, Value, T>;
type Handle<T> = <Simulated<T> as Table<FlowKey, Value>>::Ref;

pub struct Node<T: Table<FlowKey, Tracked<Value>> + 'static> {
    pub table: Arc<Simulated<T>>,
    publisher: Publisher<SimSink>,
    standby: Standby<FlowKey, Value, T, (FlowKeys, Postcard), SimSource>,
    sweeper: Sweeper,
    /// What this machine's clock shows beyond true time.
    offset: Duration,
    handles: Vec<Handle<T>>,
}

/// What can be compared of a flow.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    reply: Option<FlowKey>,
    value: u64,
    pub timeout: Duration,
    on_expiry: OnExpiry,
    life: Life,
}

/// Flows by their keys, with the time that is left to each.
pub type View = BTreeMap<FlowKey, (Seen, Duration)>;

const KEYS: u8 = 40;

fn key(id: u8) -> FlowKey {
    format!("udp 10.0.0.{id}:1000 > 10.9.9.9:53").parse().unwrap()
}

impl<T: Table<FlowKey, Tracked<Value>> + 'static> Node<T> {
    pub fn new(net: &Net, settings: Settings, offset: Duration) -> Self {
        let config = TableConfig::new(100).hash_seed(1);
        let table = Arc::new(Simulated::<T>::with_settings(config, settings, (FlowKeys, Postcard)));
        Self {
            publisher: Publisher::new(table.feed(), net.sink()),
            standby: Standby::new(Arc::clone(&table), net.source()),
            sweeper: Sweeper::new(&table),
            table,
            offset,
            handles: Vec::new(),
        }
    }

    const fn local(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.offset)
    }

    /// A packet, or what else happens on a gateway.
    pub fn act(&mut self, dice: &mut fastrand::Rng, now: Timestamp) {
        let (now, table) = (self.local(now), &self.table);
        let id = dice.u8(0..KEYS);
        let timeout = Duration::from_millis(dice.u64(1..20_000));
        let new = |dice: &mut fastrand::Rng| {
            let flow = NewFlow::new(key(id), Value::new(dice.u64(..))).timeout(timeout);
            let flow = if dice.bool() { flow.on_expiry(OnExpiry::Remove) } else { flow };
            // Both directions, an address of a pool under NAT, or one direction only.
            match dice.u8(0..3) {
                0 => flow.reply(key(id).reversed()),
                1 => flow.reply(key(200 + dice.u8(0..20))),
                _ => flow,
            }
        };
        match dice.u32(0..12) {
            0 => drop(table.insert(new(dice), now)),
            1..4 => {
                if let Ok(admission) = table.insert_if_absent(new(dice), now) {
                    let flow = admission.into_flow();
                    if dice.u8(0..4) == 0 {
                        self.handles.push(flow);
                    }
                }
            }
            4 => drop(table.remove(&key(id))),
            5..8 => {
                if let Some(flow) = table.lookup(&key(id), now)
                    && flow.refresh(now)
                {
                    match dice.u8(0..6) {
                        0 => {
                            // Relaxed: one thread.
                            flow.value().store(dice.u64(..), Ordering::Relaxed);
                            table.touch(&flow, now);
                        }
                        1 => drop((flow.set_timeout(timeout, now), table.touch(&flow, now))),
                        2 => drop(flow.cancel()),
                        _ => {}
                    }
                }
            }
            8 => drop(table.reap(now, Budget::flows(10))),
            9 => drop(table.reap_local(now, Budget::UNLIMITED)),
            10 => {
                if let Some(flow) = self.handles.pop() {
                    let _ = table.reinsert(&flow, now);
                }
            }
            _ => self.handles.truncate(3),
        }
    }

    pub fn publish(&mut self, now: Timestamp) {
        let now = self.local(now);
        self.publisher.poll(now);
    }

    pub fn follow(&mut self, now: Timestamp, batches: usize) -> usize {
        let now = self.local(now);
        self.standby.poll(now, Duration::ZERO, batches)
    }

    pub fn flush(&mut self, now: Timestamp) -> bool {
        let now = self.local(now);
        self.publisher.flush(now)
    }

    /// A sweep, if it is due; with `patience` turns of the publisher when the outbox is full.
    pub fn sweep(&mut self, now: Timestamp, force: bool, mut patience: u32) -> bool {
        let now = self.local(now);
        let Self { publisher, sweeper, table, .. } = self;
        if !force && !sweeper.is_due(now) {
            return false;
        }
        sweeper.sweep(
            table,
            || now,
            || {
                publisher.poll(now);
                patience = patience.saturating_sub(1);
                patience > 0
            },
        )
    }

    pub fn reap(&self, now: Timestamp) {
        self.table.reap(self.local(now), Budget::UNLIMITED);
    }

    /// What the table holds.
    pub fn view(&self, now: Timestamp) -> View {
        let now = self.local(now);
        let mut view = View::new();
        self.table.for_each(|flow| {
            let seen = Seen {
                reply: flow.reply_key().copied(),
                value: flow.value().load(Ordering::Relaxed),
                timeout: flow.timeout(),
                on_expiry: flow.on_expiry(),
                life: flow.inner().value().life(),
            };
            view.insert(*flow.key(), (seen, flow.deadline().saturating_since(now)));
        });
        view
    }
}
