use flow_table_api::{Direction, Flow, Key, ReinsertError, Status, Timestamp, Value};

use crate::admit::Hashes;
use crate::core::Core;
use crate::entry::HELD;
use crate::handle::StrongRef;
use crate::insert::Mode;
use crate::install::conflict;
use crate::locks::Borrowings;
use crate::page::Page;
use crate::memory::AllocError;
use crate::room::Room;
use crate::shard::ShardInner;
use crate::timer::Entries as _;

type ReinsertResult<K, V> = Result<StrongRef<K, V>, ReinsertError<StrongRef<K, V>>>;

impl<K: Key, V: Value> Core<K, V> {
    pub(crate) fn reinsert(&self, flow: &StrongRef<K, V>, now: Timestamp) -> ReinsertResult<K, V> {
        let (_, index) = Page::of(flow.entry());
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
            let attempt =
                |borrowings: &mut Borrowings<K, V>| self.try_reinsert(flow, hashes, ended, &mut room, borrowings);
            match Borrowings::lend(attempt) {
                Some(result) => return result.map(|()| flow.forward()),
                None if room.make() => {}
                None => {
                    self.shards[self.shard_of(hashes.forward)].counters.refusals.add(1);
                    return Err(ReinsertError::Full { capacity: self.capacity.limit() });
                }
            }
        }
    }

    /// Puts the flow back, unless the table is full.
    fn try_reinsert(
        &self,
        flow: &StrongRef<K, V>,
        hashes: Hashes,
        ended: impl Fn() -> Result<(), ReinsertError<StrongRef<K, V>>>,
        room: &mut Room<'_, K, V>,
        borrowings: &mut Borrowings<K, V>,
    ) -> Option<Result<(), ReinsertError<StrongRef<K, V>>>> {
        let (now, entry, (_, index)) = (room.now(), flow.entry(), Page::of(flow.entry()));
        let mut found = self.find_holders((flow.key(), flow.reply_key()), hashes, Some(now), borrowings);
        self.expire(entry, now);
        if let Err(error) = ended() {
            return Some(Err(error));
        }
        if let Some((holder, key)) = conflict(&found, Mode::IfAbsent) {
            // Another thread put the flow back before this one had the lock, and a look-up at a later time has expired it
            // since it was found. It was active then.
            let is_itself = holder.entry == entry;
            let conflict = || ReinsertError::Conflict { holder: holder.handle(), key };
            return Some(Err(if is_itself { ReinsertError::Active } else { conflict() }));
        }
        // Under the lock of the flow's shard, which `found` has.
        let held = entry.options().own(HELD);
        let has_place = held && !self.filed().position(index).is_dying();
        if !has_place && room.is_missing() {
            return None;
        }
        let deadline = now + entry.options().timeout();
        if self.reserve_slots(&mut found.locks, hashes).is_err() {
            return Some(Err(ReinsertError::OutOfMemory));
        }
        let ShardInner { timers, dying, .. } = found.locks.shard(self.shard_of(hashes.forward));
        if timers.disarm(index, &mut self.filed()) {
            timers.rearm(index, deadline, &mut self.filed());
        } else {
            let was_dying = dying.remove(index, &mut self.filed());
            let armed = timers.arm(index, deadline, &mut self.filed());
            let has_room = has_place || armed.is_ok() && room.reserve();
            if armed.is_err() || !has_room {
                timers.disarm(index, &mut self.filed());
                if was_dying {
                    dying.push(index, &mut self.filed());
                }
                return armed.err().map(|AllocError| Err(ReinsertError::OutOfMemory));
            }
            if was_dying {
                self.capacity.sub_dying(1);
            }
        }
        if !held {
            entry.refs().clone_one();
            entry.options().set_own(HELD);
        }
        self.install(&mut found, index, hashes, deadline);
        Some(Ok(()))
    }
}
