//! Look-ups within a burst: as those of `lookup`, but nothing is counted.

use flow_table_api::{Direction, Flow, Key, Timestamp, Value};

use crate::core::Core;
use crate::entry::FlowEntry;
use crate::hash::KeyHash;
use crate::lookup::has_key;
use crate::segment::Glance;
use crate::slot::Slot;

/// A borrowed flow, and which of its keys was looked up.
type Found<'b, K, V> = (&'b FlowEntry<K, V>, Direction);

impl<K: Key, V: Value> Core<K, V> {
    /// As [`lookup`](Self::lookup), borrowing.
    ///
    /// # Safety
    ///
    /// 1. The caller has a burst open, announced before this call, for as long as it uses the result.
    #[inline]
    pub(crate) unsafe fn borrow<'b>(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<Found<'b, K, V>> {
        let glance = self.segment(hash).glance(hash, |slot| {
            // SAFETY: by (1).
            let flow = unsafe { self.peek(slot) }?;
            has_key(flow, slot.direction(), key)
                .then(|| if flow.is_live(now) { Ok((flow, slot.direction())) } else { Err(()) })
        });
        match glance {
            Glance::Met(Ok(found)) => Some(found),
            Glance::Miss => None,
            // SAFETY: by (1).
            _ => unsafe { self.search_borrowed(key, hash, now) },
        }
    }

    /// The flow in `slot`, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow).
    #[inline]
    unsafe fn peek<'b>(&self, slot: Slot) -> Option<&'b FlowEntry<K, V>> {
        let entry = self.entry(slot.entry());
        // SAFETY: by (1), and the count was not zero after the burst was announced.
        entry.refs().is_referenced().then(|| unsafe { entry.flow() })
    }

    /// As [`follow`](Self::follow), borrowing.
    ///
    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow).
    #[inline]
    pub(crate) unsafe fn follow_borrowed<'b>(
        &self,
        key: &K,
        hash: KeyHash,
        glance: Glance<Slot>,
        now: Timestamp,
    ) -> Option<Found<'b, K, V>> {
        match glance {
            Glance::Miss => return None,
            Glance::Met(slot) => {
                // SAFETY: by (1).
                let flow = unsafe { self.peek(slot) };
                if let Some(flow) = flow.filter(|flow| has_key(flow, slot.direction(), key) && flow.is_live(now)) {
                    return Some((flow, slot.direction()));
                }
            }
            Glance::Unsure => {}
        }
        // SAFETY: by (1).
        unsafe { self.search_borrowed(key, hash, now) }
    }

    /// # Safety
    ///
    /// As for [`borrow`](Self::borrow).
    #[inline(never)]
    unsafe fn search_borrowed<'b>(&self, key: &K, hash: KeyHash, now: Timestamp) -> Option<Found<'b, K, V>> {
        // SAFETY: by (1).
        self.search_by(key, hash, now, 0, |slot| unsafe { self.peek(slot) })
    }
}
