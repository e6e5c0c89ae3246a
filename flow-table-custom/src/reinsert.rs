use flow_table_api::{Direction, Flow, Inserted, Key, ReinsertError, Status, Timestamp, Value};

use crate::admit::Hashes;
use crate::core::Core;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::insert::Mode;
use crate::install::conflict;
use crate::locks::Borrowings;
use crate::page::Page;
use crate::room::Room;

type ReinsertResult<K, V> = Result<Inserted<StrongRef<K, V>>, ReinsertError<StrongRef<K, V>>>;

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn reinsert(&self, flow: &StrongRef<K, V>, now: Timestamp) -> ReinsertResult<K, V> {
        let (entry, (_, index)) = (flow.entry(), Page::of(flow.entry()));
        let ended = || match flow.state().load() {
            word if word.is_live(now) => Err(ReinsertError::Active),
            word if word.status == Status::Cancelled => Err(ReinsertError::Cancelled),
            _ => Ok(()),
        };
        ended()?;
        let hashes = Hashes {
            forward: self.hash_in(index, Direction::Forward),
            reply: index.is_pair().then(|| self.hash_in(index, Direction::Reply)),
        };
        let mut room = Room::new(self, now);
        loop {
            let mut borrowings = Borrowings::new();
            let keys = (flow.key(), flow.reply_key());
            let mut found = self.find_holders(keys, hashes, Some(now), &mut borrowings);
            self.expire(entry, now);
            ended()?;
            if let Some((holder, key)) = conflict(&found, Mode::IfAbsent) {
                // Another thread put the flow back before this one had the lock, and a look-up at a later time has expired it
                // since it was found. It was active then.
                if holder.entry == entry {
                    return Err(ReinsertError::Active);
                }
                return Err(ReinsertError::Conflict { holder: holder.handle(), key });
            }
            // Under the lock of the flow's shard, which `found` has.
            let held = entry.options().own(HELD);
            if !held && !self.capacity.reserve() {
                drop(found);
                drop(borrowings);
                if room.make() {
                    continue;
                }
                self.shards[self.shard_of(hashes.forward)].counters.refusals.add(1);
                return Err(ReinsertError::Full { capacity: self.capacity.limit() });
            }
            let deadline = now + entry.options().timeout();
            let slots = self.reserve_slots(&mut found.locks, hashes);
            let timers = &mut found.locks.shard(self.shard_of(hashes.forward)).timers;
            if held && slots.is_ok() {
                timers.disarm(index, &mut self.filed());
                timers.rearm(index, deadline, &mut self.filed());
            } else if slots.and_then(|()| timers.arm(index, deadline, &mut self.filed())).is_ok() {
                entry.refs().clone_one();
                entry.options().set_own(HELD);
            } else {
                self.capacity.give_back(usize::from(!held));
                return Err(ReinsertError::OutOfMemory);
            }
            self.unlink_locked(&mut found.locks, index);
            self.install(&mut found, index, hashes, deadline);
            drop(found);
            let mut inserted = Inserted::new(flow.forward());
            inserted.made_room = room.take();
            return Ok(inserted);
        }
    }
}
