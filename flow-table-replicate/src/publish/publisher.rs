use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flow_table_api::Timestamp;

use super::exporting::Exporting;
use crate::feed::{Feed, Parcel, Shared};
use crate::record::{Header, Kind, seal};
use crate::transport::{Outcome, Sink};

/// After this long without a batch, a heartbeat tells standbys that the owner is there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// For how long a thread's records wait in a buffer that is not full.
const COLLECT: Duration = Duration::from_millis(2);

/// The first pause before a batch is offered again that the transport did not take.
const PAUSE: Duration = Duration::from_millis(20);

/// Publishes what a table records. Poll it every two milliseconds, on a thread of its own; a
/// [`Gateway`](crate::Gateway) does. The packet path wakes nobody. What all threads have recorded between two
/// polls becomes one batch, as far as it fits.
///
/// Several batches are under way at once, and are acknowledged in any order. A batch that is not acknowledged in
/// time is published again, with growing pauses and some chance in them, and given up after a while. Then the next
/// sweep repeats what was in its shards. A claim is not given up: somebody waits until it comes back.
///
/// While the window is full, records stay in the threads' buffers until these are full: so the ring holds full
/// ones, and an engine that stalls costs no records before it has stalled for as long as they last.
pub struct Publisher<S> {
    shared: Arc<Shared>,
    sink: S,
    pending: BTreeMap<u64, Pending>,
    next: u64,
    outcomes: Vec<Outcome>,
    random: fastrand::Rng,
    /// When a batch was sent last, and when one was stored last.
    sent: Timestamp,
    stored: Timestamp,
    /// When the buffers of all threads were handed over last.
    collected: Option<Timestamp>,
    /// Some batch was refused since the transport resumed last.
    refused: bool,
    exporting: Exporting,
}

/// A batch that is not acknowledged yet.
struct Pending {
    parcel: Parcel,
    since: Timestamp,
    /// When it is sent again.
    due: Timestamp,
    attempts: u32,
    /// The transport has not taken it, or has not stored it.
    refused: bool,
    is_claim: bool,
}

impl<S: Sink> Publisher<S> {
    /// Publishes what this feed records.
    pub fn new<C>(feed: &Feed<C>, sink: S) -> Self {
        let shared = Arc::clone(feed.shared());
        Self {
            random: fastrand::Rng::with_seed(shared.origin),
            shared,
            sink,
            pending: BTreeMap::new(),
            next: 1,
            outcomes: Vec::new(),
            sent: Timestamp::ZERO,
            stored: Timestamp::ZERO,
            collected: None,
            refused: false,
            exporting: Exporting::Idle,
        }
    }

    /// Does what is to be done at `now`, on any clock that goes forward. Returns `true` if batches are under way,
    /// or final records wait. Does not wait.
    pub fn poll(&mut self, now: Timestamp) -> bool {
        self.settle(now);
        if self.collected.is_none_or(|collected| now.saturating_since(collected) >= COLLECT) {
            if self.has_room() {
                self.collect(now);
            }
            self.shared.outbox.stock();
        }
        self.repeat(now);
        let sent_all = self.publish(now);
        self.export(now, sent_all);
        // Nothing was stored since then, though something was to be stored.
        let oldest = self.pending.values().map(|pending| pending.since).min();
        self.shared
            .health
            .report(oldest.map_or(Duration::ZERO, |oldest| now.saturating_since(oldest.max(self.stored))));
        !self.pending.is_empty() || self.has_exports()
    }

    /// As [`poll`](Self::poll), with all buffers handed over first.
    pub fn flush(&mut self, now: Timestamp) -> bool {
        self.collect(now);
        self.poll(now)
    }

    fn collect(&mut self, now: Timestamp) {
        self.shared.outbox.collect(&self.shared.counting);
        self.collected = Some(now);
    }

    /// Takes in the outcomes.
    fn settle(&mut self, now: Timestamp) {
        self.sink.outcomes(&mut self.outcomes);
        let mut resumed = false;
        for Outcome { token, stored } in self.outcomes.drain(..) {
            if stored {
                // Absent if an earlier attempt was acknowledged after all, or if it was given up.
                if let Some(pending) = self.pending.remove(&token) {
                    self.shared.counting.published.add(1);
                    self.shared.outbox.recycle(pending.parcel.bytes);
                }
                self.stored = now;
                resumed |= self.refused;
            } else if let Some(pending) = self.pending.get_mut(&token) {
                (pending.refused, self.refused) = (true, true);
                pending.due = pending.due.min(now + pause(&mut self.random, pending.attempts));
            }
        }
        if resumed {
            self.resume(now);
        }
    }

    /// The transport stores again: what it refused is older than what it gets from now on, and goes first.
    fn resume(&mut self, now: Timestamp) {
        self.refused = false;
        let refused = self.pending.values_mut().filter(|pending| pending.refused);
        refused.for_each(|pending| pending.due = now);
    }

    /// Sends again what was not acknowledged in time, and gives up what is too old.
    fn repeat(&mut self, now: Timestamp) {
        let settings = &self.shared.settings;
        let due = self.pending.iter().filter(|(_, pending)| pending.due <= now);
        let due: Vec<u64> = due.map(|(token, _)| *token).collect();
        for token in due {
            let pending = self.pending.get_mut(&token).expect("it was there");
            if !pending.is_claim && now.saturating_since(pending.since) >= settings.give_up {
                let Pending { parcel, .. } = self.pending.remove(&token).expect("it was there");
                self.shared.counting.given_up.add(1);
                self.shared.outbox.lose(parcel.records.into(), parcel.shards, &self.shared.counting);
                continue;
            }
            pending.attempts += 1;
            self.shared.counting.repeated.add(1);
            let sent = self.sink.send(token, &pending.parcel.bytes);
            let wait = match sent {
                Ok(()) => settings.acknowledgement,
                Err(_) => pause(&mut self.random, pending.attempts),
            };
            pending.refused = sent.is_err();
            self.refused |= pending.refused;
            pending.due = now + wait;
        }
    }

    /// Whether one more batch may be under way.
    fn has_room(&self) -> bool {
        self.pending.len() < self.shared.settings.window
    }

    fn has_exports(&self) -> bool {
        let waits = || self.shared.exports.as_ref().is_some_and(|exports| exports.is_waiting());
        !matches!(self.exporting, Exporting::Idle) || waits()
    }

    /// Takes the final records a step further. `sent_all` says that no batch waits to be sent.
    fn export(&mut self, now: Timestamp, sent_all: bool) {
        let Some(exports) = self.shared.exports.clone() else { return };
        let shared = Arc::clone(&self.shared);
        let outbox = &shared.outbox;
        let losses = outbox.losses();
        self.exporting = match self.exporting {
            Exporting::Idle if outbox.is_repaired(losses) && exports.is_waiting() => {
                exports.seal();
                Exporting::Buffered(losses)
            }
            Exporting::Buffered(losses) if outbox.collect(&shared.counting) => Exporting::Queued(losses),
            Exporting::Queued(losses) if sent_all => Exporting::Sent { losses, last: self.next - 1 },
            Exporting::Sent { losses: before, last } => match self.pending.first_key_value() {
                Some((oldest, _)) if *oldest <= last => return,
                _ if before != losses => {
                    exports.unseal();
                    Exporting::Idle
                }
                _ => Exporting::Stored { marker: self.heartbeat(now), sent: now },
            },
            Exporting::Stored { marker, .. } if outbox.has_seen_own(marker) => {
                exports.release(&shared.ownership, &shared.counting);
                Exporting::Idle
            }
            Exporting::Stored { marker, sent } if now.saturating_since(sent) >= HEARTBEAT => {
                self.heartbeat(now);
                Exporting::Stored { marker, sent: now }
            }
            waiting => waiting,
        };
    }

    /// Sends a batch without records, and returns its number.
    fn heartbeat(&mut self, now: Timestamp) -> u64 {
        let number = self.next;
        self.send(now, Kind::Heartbeat, (0, 0), Parcel::marker([]));
        number
    }

    /// Sends what waits in the ring. Returns `true` if nothing waits any more.
    fn publish(&mut self, now: Timestamp) -> bool {
        let mut sent_all = false;
        while self.has_room() {
            let outbox = &self.shared.outbox;
            let next = outbox.pop_claim().or_else(|| {
                let live = outbox.pop().map(|parcel| (Kind::Live, 0, 0, parcel));
                live.or_else(|| outbox.pop_sweep())
            });
            let Some((kind, sweep, index, parcel)) = next else {
                sent_all = true;
                break;
            };
            self.send(now, kind, (sweep, index), parcel);
        }
        if self.pending.is_empty() && now.saturating_since(self.sent) >= HEARTBEAT {
            self.heartbeat(now);
        }
        sent_all
    }

    fn send(&mut self, now: Timestamp, kind: Kind, (sweep, index): (u64, u32), mut parcel: Parcel) {
        let token = self.next;
        self.next += 1;
        let Parcel { records, .. } = parcel;
        let header = Header { kind, records, origin: self.shared.origin, number: token, sweep, index };
        seal(&mut parcel.bytes, header);
        let sent = self.sink.send(token, &parcel.bytes);
        let wait = match sent {
            Ok(()) => self.shared.settings.acknowledgement,
            Err(_) => pause(&mut self.random, 0),
        };
        let refused = sent.is_err();
        self.refused |= refused;
        self.sent = now;
        let is_claim = kind == Kind::Claim;
        self.pending
            .insert(token, Pending { parcel, since: now, due: now + wait, attempts: 0, refused, is_claim });
    }
}

/// A pause that doubles with each attempt, up to 64 times the first, of which half is chance.
fn pause(random: &mut fastrand::Rng, attempts: u32) -> Duration {
    let most = PAUSE * (1 << attempts.min(6));
    most.mul_f64(0.5 + random.f64() / 2.0)
}
