use std::collections::BTreeMap;

use flow_table_api::{
    Admission, Budget, Ended, Flow, FlowRef, FlowSpec, InsertError, Inserted, NewFlow, NotLive, ReinsertError,
    Table, WeakFlowRef,
};

use crate::fixture::{Ledger, TestKey, TestValue};
use crate::model::{Admitted, End, FlowId, Op, Outcome, Refusal, Sight, Spec, View};
use crate::{Backend, TestRef, TestTable};

type WeakRef<B> = <TestRef<B> as FlowRef<TestKey, TestValue>>::Weak;
type Refused<B> = InsertError<TestKey, TestValue, TestRef<B>>;
type InsertResult<B> = Result<Inserted<TestRef<B>>, Refused<B>>;
type AdmissionResult<B> = Result<Admission<TestKey, TestValue, TestRef<B>>, Refused<B>>;

/// Performs [operations](Op) on a table, and keeps the handles that they return.
pub struct Actor<'t, B: Backend> {
    /// The table.
    pub table: &'t TestTable<B>,
    /// The counts of the values of its flows.
    pub ledger: Ledger,
    /// A handle for each time that an operation returned one, without those dropped.
    pub handles: Vec<TestRef<B>>,
    /// A weak reference to each flow seen.
    pub weak: BTreeMap<FlowId, WeakRef<B>>,
}

/// The number of a flow.
pub fn id_of<B: Backend>(flow: &TestRef<B>) -> FlowId {
    FlowId(flow.value().serial())
}

impl<'t, B: Backend> Actor<'t, B> {
    /// An actor without handles.
    pub const fn new(table: &'t TestTable<B>, ledger: Ledger) -> Self {
        Self { table, ledger, handles: Vec::new(), weak: BTreeMap::new() }
    }

    /// Performs `op`. Flows in it must be ones that the actor holds.
    ///
    /// # Panics
    ///
    /// Panics if the table returns an error that it never should, and for operations on bursts, which the caller
    /// must open itself.
    pub fn perform(&mut self, op: Op) -> Outcome {
        match op {
            Op::Lookup { key, now } => {
                Outcome::Found(self.table.lookup(&TestKey::new(key), now).map(|found| self.sight(found)))
            }
            Op::Insert { flow, now } => {
                let result = self.table.insert(self.make(&flow), now);
                self.insertion(result)
            }
            Op::InsertIfAbsent { flow, now } => {
                let result = self.table.insert_if_absent(self.make(&flow), now);
                self.admission(result)
            }
            Op::GetOrInsertWith { flow, now } => {
                let make = || self.ledger.numbered(flow.id.0);
                let result = self.table.get_or_insert_with(spec_of(&flow), now, make);
                self.admission(result)
            }
            Op::Reinsert { flow, now } => {
                let result = self.table.reinsert(self.handle(flow), now);
                self.readmission(result)
            }
            Op::Refresh { flow, now } => Outcome::Granted(self.handle(flow).refresh(now)),
            Op::SetDeadline { flow, deadline } => set(self.handle(flow).set_deadline(deadline)),
            Op::SetTimeout { flow, timeout, now } => set(self.handle(flow).set_timeout(timeout, now)),
            Op::Cancel { flow } => Outcome::Granted(self.handle(flow).cancel()),
            Op::Remove { key } => {
                let removed = self.table.remove(&TestKey::new(key));
                Outcome::Removed(
                    removed.map(|flow| (flow.direction(), self.keep(flow))).map(|(key, flow)| (flow, key)),
                )
            }
            Op::RemoveFlow { flow } => {
                Outcome::Granted(self.table.remove_flow(self.handle(flow)).expect("the table's own flow"))
            }
            Op::Reap { now, budget, local } => {
                let mut ended = Vec::new();
                let budget = if budget == usize::MAX { Budget::UNLIMITED } else { Budget::flows(budget) };
                let report = if local {
                    self.table.reap_local_with(now, budget, |flow| ended.push(flow))
                } else {
                    self.table.reap_with(now, budget, |flow| ended.push(flow))
                };
                Outcome::Reaped { ended: self.ends(ended), report }
            }
            Op::ForEach => {
                let mut visited: Vec<_> = self.table.snapshot().iter().map(id_of::<B>).collect();
                visited.sort_unstable();
                Outcome::Visited(visited)
            }
            Op::SetCapacity { flows } => {
                self.table.set_capacity(flows);
                Outcome::Done
            }
            Op::Clone { flow } => {
                self.handles.push(self.handle(flow).clone());
                Outcome::Done
            }
            Op::Drop { flow } => {
                let index = self.handles.iter().position(|handle| id_of::<B>(handle) == flow);
                drop(self.handles.swap_remove(index.expect("a flow that is held")));
                Outcome::Done
            }
            Op::Upgrade { flow } => {
                let upgraded = self.weak[&flow].upgrade();
                let granted = upgraded.is_some();
                self.handles.extend(upgraded);
                Outcome::Granted(granted)
            }
            Op::OpenBurst { .. } | Op::BurstGet { .. } | Op::BurstHandle { .. } | Op::CloseBurst => {
                panic!("{op:?}: an actor has no bursts")
            }
        }
    }

    /// What can be seen of the table and of the flows held. Call it while no other thread uses the table.
    pub fn view(&self) -> View {
        let Self { table, ledger, handles, .. } = self;
        let stats = table.stats();
        let seen = |flow: &TestRef<B>| (flow.status(), flow.deadline(), flow.timeout());
        View {
            len: table.len(),
            dying: stats.dying,
            inserts: stats.inserts,
            refusals: stats.refusals,
            ended: stats.ended,
            next_deadline: table.next_deadline(),
            held: handles.iter().map(|flow| (id_of::<B>(flow), seen(flow))).collect(),
            dropped: ledger.all().into_iter().map(|(serial, dropped)| (FlowId(serial), dropped)).collect(),
        }
    }

    fn make(&self, spec: &Spec) -> NewFlow<TestKey, TestValue> {
        spec_of(spec).value(self.ledger.numbered(spec.id.0))
    }

    fn handle(&self, flow: FlowId) -> &TestRef<B> {
        self.handles.iter().find(|handle| id_of::<B>(handle) == flow).expect("a flow that is held")
    }

    /// Keeps a handle, and a weak reference for ever.
    pub fn keep(&mut self, handle: TestRef<B>) -> FlowId {
        let flow = id_of::<B>(&handle);
        self.weak.entry(flow).or_insert_with(|| handle.downgrade());
        self.handles.push(handle);
        flow
    }

    /// Keeps the flow that a look-up found.
    pub fn sight(&mut self, found: TestRef<B>) -> Sight {
        let (direction, status) = (found.direction(), found.status());
        Sight { flow: self.keep(found), direction, status }
    }

    fn ends(&mut self, ended: Vec<Ended<TestRef<B>>>) -> Vec<End> {
        ended.into_iter().map(|ended| End { reason: ended.reason, flow: self.keep(ended.flow) }).collect()
    }

    fn insertion(&mut self, result: InsertResult<B>) -> Outcome {
        match result {
            Ok(Inserted { flow, replaced, .. }) => {
                self.keep(flow);
                Outcome::Inserted(Ok(Admitted::New { replaced: replaced.map(|flow| self.keep(flow)) }))
            }
            Err(refused) => self.admission(Err(refused)),
        }
    }

    fn installed(&mut self, flow: TestRef<B>) -> Admitted {
        self.keep(flow);
        Admitted::New { replaced: None }
    }

    fn admission(&mut self, result: AdmissionResult<B>) -> Outcome {
        Outcome::Inserted(match result {
            Ok(Admission::Inserted(inserted)) => Ok(self.installed(inserted)),
            Ok(Admission::Existing { holder, key, rejected }) => {
                let Sight { flow: holder, direction, .. } = self.sight(holder);
                Ok(Admitted::Existing { holder, direction, key, rejected: rejected.is_some() })
            }
            Err(InsertError::Full { capacity, .. }) => Err(Refusal::Full { capacity }),
            Err(InsertError::IdenticalKeys { .. }) => Err(Refusal::IdenticalKeys),
            Err(InsertError::Conflict { holder, key, .. }) => {
                let Sight { flow: holder, direction, .. } = self.sight(holder);
                Err(Refusal::Conflict { holder, direction, key })
            }
            Err(other) => panic!("{other}"),
        })
    }

    fn readmission(&mut self, result: Result<TestRef<B>, ReinsertError<TestRef<B>>>) -> Outcome {
        Outcome::Inserted(match result {
            Ok(inserted) => Ok(self.installed(inserted)),
            Err(ReinsertError::Active) => Err(Refusal::Active),
            Err(ReinsertError::Cancelled) => Err(Refusal::Cancelled),
            Err(ReinsertError::Full { capacity }) => Err(Refusal::Full { capacity }),
            Err(ReinsertError::Conflict { holder, key }) => {
                let Sight { flow: holder, direction, .. } = self.sight(holder);
                Err(Refusal::Conflict { holder, direction, key })
            }
            Err(other) => panic!("{other}"),
        })
    }
}

fn spec_of(spec: &Spec) -> FlowSpec<TestKey> {
    let flow = FlowSpec::new(TestKey::new(spec.key)).timeout(spec.timeout).on_expiry(spec.on_expiry);
    if let Some(reply) = spec.reply { flow.reply(TestKey::new(reply)) } else { flow }
}

fn set(result: Result<(), NotLive>) -> Outcome {
    Outcome::Set(result.map_err(|NotLive(status)| status))
}
