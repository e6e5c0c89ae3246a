use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flow_table_api::{Clock, Key, Table, Timestamp, Value};
use parking_lot::Mutex;

use super::{Promotion, Status};
use crate::cluster::{NodeId, Registry, claim, confirm};
use crate::codec::Codec;
use crate::feed::Shared;
use crate::transport::{Sink, Source};
use crate::{Epoch, Publisher, Replicated, ShardId, ShardSet, Standby, Sweeper, Tracked};

/// How long one attempt to enter shards in the registry may take.
const RECONCILE: Duration = Duration::from_secs(2);

/// What a [`Gateway`] is connected to.
pub struct GatewayConfig<C> {
    /// The number of this gateway.
    pub node: NodeId,
    /// The clock of the table's time: the same one whose time is passed to the table.
    pub clock: C,
    /// Where its batches go.
    pub sink: Box<dyn Sink>,
    /// Where those of others come from.
    pub source: Box<dyn Source>,
    /// Where the owners of shards are kept.
    pub registry: Box<dyn Registry>,
}

/// The replication of one table: three threads that publish, follow and sweep. They end when it is dropped.
///
/// The gateway publishes the shards that it owns and follows the others. Nobody decides here that a gateway has
/// failed: VRRP, BGP or an orchestrator does, and then calls [`promote`](Self::promote).
pub struct Gateway<K, V, T, C> {
    table: Arc<Replicated<K, V, T, C>>,
    node: NodeId,
    registry: Arc<Mutex<Box<dyn Registry>>>,
    followed: Arc<Followed>,
    /// In the order in which they end, each with the flag that ends it.
    threads: Vec<(Arc<AtomicBool>, JoinHandle<()>)>,
}

/// What the thread that follows tells.
#[derive(Default)]
struct Followed {
    behind: AtomicU64,
    /// Nanoseconds since a sweep was complete; the maximum if none was.
    sweep_age: AtomicU64,
    /// Shards taken without the registry.
    unconfirmed: Mutex<ShardSet>,
}

impl<K, V, T, C> Gateway<K, V, T, C>
where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>> + 'static,
    C: Codec<K, V>,
{
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// If the system starts no more threads.
    pub fn start<Time: Clock + Clone + Send + 'static>(
        table: Arc<Replicated<K, V, T, C>>,
        config: GatewayConfig<Time>,
    ) -> std::io::Result<Self> {
        let GatewayConfig { node, clock, sink, source, registry } = config;
        let mut gateway = Self {
            table,
            node,
            registry: Arc::new(Mutex::new(registry)),
            followed: Arc::default(),
            threads: Vec::new(),
        };
        let publisher = Publisher::new(gateway.table.feed(), sink);
        // What the publisher has sent last comes back to it before the follower ends.
        let (stop, stop_following) = (Arc::default(), Arc::default());
        gateway.spawn("flow-publish", &stop, |stop| publish(publisher, &stop))?;
        let (table, sweep_clock) = (Arc::clone(&gateway.table), clock.clone());
        let reconcile = gateway.reconciler();
        gateway.spawn("flow-sweep", &stop, move |stop| sweep(&table, &sweep_clock, reconcile, &stop))?;
        let standby = Standby::new(Arc::clone(&gateway.table), source);
        let followed = Arc::clone(&gateway.followed);
        gateway.spawn("flow-follow", &stop_following, move |stop| follow(standby, &clock, &followed, &stop))?;
        Ok(gateway)
    }

    fn spawn(
        &mut self,
        name: &str,
        stop: &Arc<AtomicBool>,
        body: impl FnOnce(Arc<AtomicBool>) + Send + 'static,
    ) -> std::io::Result<()> {
        let given = Arc::clone(stop);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(|| body(given))?;
        self.threads.push((Arc::clone(stop), thread));
        Ok(())
    }

    /// The table.
    pub const fn table(&self) -> &Arc<Replicated<K, V, T, C>> {
        &self.table
    }

    /// How the replication is doing.
    pub fn status(&self) -> Status {
        let shared = self.table.feed().shared();
        // Relaxed: gauges.
        let age = self.followed.sweep_age.load(Ordering::Relaxed);
        Status {
            counters: self.table.feed().counters(),
            owned: shared.ownership.owned(),
            unconfirmed: *self.followed.unconfirmed.lock(),
            unacknowledged: shared.health.unacknowledged(),
            unheard: shared.health.unheard(),
            behind: self.followed.behind.load(Ordering::Relaxed),
            sweep_age: (age != u64::MAX).then(|| Duration::from_nanos(age)),
        }
    }

    /// Takes shards over: enters the next epoch in the registry, tells the other gateways, applies what the former
    /// owner has published, for at most `limit` in all, and owns the shards. Their flows are in the table already,
    /// so nothing is walked over.
    ///
    /// From then on, what the former owner writes is refused by every gateway that knows of the claim. The former
    /// owner steps down when it reads the claim: see [`Ownership::take_deposed`](crate::Ownership::take_deposed).
    /// Make sure in the network that packets come to the new owner only (VRRP, BGP).
    ///
    /// If the registry or the log cannot be reached, the shards are taken from memory; the result says so.
    ///
    /// # Blocking
    ///
    /// Waits for the registry and for the log, each at most for `limit`.
    pub fn promote(&self, shards: ShardSet, limit: Duration) -> Promotion {
        let began = Instant::now();
        let shared = self.table.feed().shared();
        let known = |shard| shared.ownership.role(shard).epoch;
        let claimed = claim(&mut **self.registry.lock(), self.node, shards, known, limit);
        let confirmed = claimed.is_ok();
        let epoch = |shard: ShardId| match &claimed {
            Ok(map) => map.owner(shard).map_or(Epoch::NONE, |owner| Epoch::new(owner.epoch)),
            Err(_) => known(shard).next().unwrap_or(Epoch::MAX),
        };
        let epochs: Vec<_> = shards.iter().map(|shard| (shard, epoch(shard))).collect();
        let drained = self.drain(&epochs, limit.saturating_sub(began.elapsed()));
        let shards = self.table.feed().own(&epochs);
        if !confirmed {
            self.followed.unconfirmed.lock().extend(shards);
        }
        Promotion {
            shards,
            flows: self.table.inner().len(),
            confirmed,
            drained,
            behind: if drained { 0 } else { self.followed.behind.load(Ordering::Relaxed) },
            conflicting: self.table.feed().counters().refused,
            took: began.elapsed(),
        }
    }

    /// Publishes the claim and waits until it comes back: everything before it has been applied then.
    fn drain(&self, epochs: &[(ShardId, Epoch)], limit: Duration) -> bool {
        let feed = self.table.feed();
        let Some(number) = feed.claim(epochs) else {
            return false;
        };
        let until = Instant::now() + limit;
        while !feed.has_seen_claim(number) {
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(Duration::from_micros(200));
        }
        true
    }

    /// Enters in the registry what was taken without it.
    fn reconciler(&self) -> impl FnMut() + Send + 'static {
        let (registry, followed) = (Arc::clone(&self.registry), Arc::clone(&self.followed));
        let (table, node) = (Arc::clone(&self.table), self.node);
        move || reconcile(table.feed().shared(), node, &registry, &followed)
    }
}

impl<K, V, T, C> Drop for Gateway<K, V, T, C> {
    fn drop(&mut self) {
        for (stop, thread) in self.threads.drain(..) {
            // Relaxed: the joins order everything else.
            stop.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn stopped(stop: &AtomicBool) -> bool {
    // Relaxed: see `Gateway::drop`.
    stop.load(Ordering::Relaxed)
}

fn since(start: Instant) -> Timestamp {
    Timestamp::ZERO + start.elapsed()
}

fn publish<S: Sink>(mut publisher: Publisher<S>, stop: &AtomicBool) {
    let start = Instant::now();
    while !stopped(stop) {
        publisher.poll(since(start));
        thread::park_timeout(Duration::from_millis(2));
    }
    // What is recorded goes out; a transport that is down is not waited for.
    for _ in 0..200 {
        if !publisher.flush(since(start)) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn follow<K, V, T, C, S>(
    mut standby: Standby<K, V, T, C, S>,
    clock: &impl Clock,
    followed: &Followed,
    stop: &AtomicBool,
) where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>>,
    C: Codec<K, V>,
    S: Source,
{
    while !stopped(stop) {
        standby.poll(clock.now(), Duration::from_millis(20), 64);
        let age = standby.completed().map(|completed| clock.now().saturating_since(completed).as_nanos());
        let age = age.and_then(|age| u64::try_from(age).ok()).unwrap_or(u64::MAX);
        // Relaxed: gauges.
        followed.sweep_age.store(age, Ordering::Relaxed);
        followed.behind.store(standby.behind(), Ordering::Relaxed);
    }
}

fn sweep<K, V, T, C>(
    table: &Replicated<K, V, T, C>,
    clock: &impl Clock,
    mut reconcile: impl FnMut(),
    stop: &AtomicBool,
) where
    K: Key,
    V: Value,
    T: Table<K, Tracked<V>>,
    C: Codec<K, V>,
{
    let mut sweeper = Sweeper::new(table);
    while !stopped(stop) {
        reconcile();
        if sweeper.is_due(clock.now()) {
            sweeper.sweep(
                table,
                || clock.now(),
                || {
                    thread::sleep(Duration::from_millis(1));
                    !stopped(stop)
                },
            );
        }
        thread::park_timeout(sweeper.pause());
    }
}

fn reconcile(shared: &Shared, node: NodeId, registry: &Mutex<Box<dyn Registry>>, followed: &Followed) {
    let unconfirmed = *followed.unconfirmed.lock();
    if unconfirmed.is_empty() {
        return;
    }
    let role = |shard| shared.ownership.role(shard);
    let taken = |shard| (unconfirmed.contains(shard) && role(shard).owned).then(|| role(shard).epoch);
    let Ok(map) = confirm(&mut **registry.lock(), node, taken, RECONCILE) else {
        return;
    };
    for shard in unconfirmed.iter() {
        if let Some(owner) = map.owner(shard).filter(|owner| owner.node != node) {
            shared.ownership.step_down(shard, Epoch::new(owner.epoch));
        }
    }
    *followed.unconfirmed.lock() = ShardSet::EMPTY;
}
