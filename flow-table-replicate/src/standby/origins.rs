use std::collections::VecDeque;

use crate::record::{Header, Kind, Mark};

/// The most writers whose batches are told apart. Of more, the one heard least lately is forgotten; that costs a
/// sweep.
const ORIGINS: usize = 64;

/// The most batches of a sweep: 2²² of 512 records each.
const MOST_BATCHES: u32 = 1 << 22;

/// What has come from each writer.
#[derive(Default)]
pub struct Origins {
    origins: VecDeque<Origin>,
    /// The tags given to sweeps so far: a flow's mark holds the tag of the sweep that named it last.
    tags: u64,
}

struct Origin {
    id: u64,
    /// The number of the next batch, if none is missing.
    next: u64,
    sweep: Sweep,
}

#[derive(Default)]
struct Sweep {
    number: u64,
    tag: u64,
    received: Vec<u64>,
    count: u32,
    end: Option<(u32, Vec<Mark>)>,
}

/// A sweep of which everything has come.
pub struct Complete {
    pub tag: u64,
    pub marks: Vec<Mark>,
}

impl Origins {
    fn origin(&mut self, id: u64) -> &mut Origin {
        let origin = match self.origins.iter().position(|origin| origin.id == id) {
            Some(at) => self.origins.remove(at),
            None => None,
        };
        if self.origins.len() == ORIGINS {
            self.origins.pop_back();
        }
        self.origins.push_front(origin.unwrap_or(Origin { id, next: 0, sweep: Sweep::default() }));
        &mut self.origins[0]
    }

    /// A batch with this header has come. Returns how many batches before it have not.
    pub fn count(&mut self, header: &Header) -> u64 {
        let origin = self.origin(header.origin);
        // The first one that comes says nothing about those before it.
        let gap = if origin.next == 0 { 0 } else { header.number.saturating_sub(origin.next) };
        origin.next = origin.next.max(header.number.saturating_add(1));
        gap
    }

    /// The tag of the sweep to which the batch with this header belongs: `None` if it is none, or an old one.
    pub fn tag(&mut self, header: &Header) -> Option<u64> {
        if !matches!(header.kind, Kind::Sweep | Kind::SweepBegin | Kind::SweepEnd) {
            return None;
        }
        let fresh = self.tags + 1;
        let sweep = &mut self.origin(header.origin).sweep;
        if header.sweep > sweep.number {
            *sweep = Sweep { number: header.sweep, tag: fresh, ..Sweep::default() };
            self.tags = fresh;
        }
        let sweep = &self.origin(header.origin).sweep;
        (header.sweep == sweep.number).then_some(sweep.tag)
    }

    /// The records of a batch of the latest sweep have been applied, or its end marker has come. Returns the
    /// sweep if that was all of it.
    pub fn swept(&mut self, header: &Header, marks: impl Iterator<Item = Mark>) -> Option<Complete> {
        let sweep = &mut self.origin(header.origin).sweep;
        match header.kind {
            Kind::Sweep if header.index < MOST_BATCHES => {
                let (word, bit) = (header.index as usize / 64, 1 << (header.index % 64));
                if sweep.received.len() <= word {
                    sweep.received.resize(word + 1, 0);
                }
                sweep.count += u32::from(sweep.received[word] & bit == 0);
                sweep.received[word] |= bit;
            }
            Kind::SweepEnd => sweep.end = Some((header.index, marks.collect())),
            _ => {}
        }
        if sweep.end.as_ref().is_none_or(|(batches, _)| *batches != sweep.count) {
            return None;
        }
        // Once: what comes again later finds no end.
        let (_, marks) = sweep.end.take()?;
        Some(Complete { tag: sweep.tag, marks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, Life, ShardId};

    const fn header(kind: Kind, number: u64, sweep: u64, index: u32) -> Header {
        Header { kind, records: 1, origin: 5, number, sweep, index }
    }

    #[test]
    fn a_sweep_is_complete_once_in_whatever_order_it_comes() {
        let mark = Mark { shard: ShardId::new(1), epoch: Epoch::new(1), last: Life::NONE };
        let mut origins = Origins::default();
        let mut come = |kind, sweep, index| {
            let header = header(kind, 1, sweep, index);
            let tag = origins.tag(&header)?;
            let complete = origins.swept(&header, [mark].into_iter())?;
            assert_eq!((complete.tag, complete.marks), (tag, vec![mark]));
            Some(tag)
        };
        assert_eq!([come(Kind::SweepEnd, 1, 2), come(Kind::Sweep, 1, 1), come(Kind::Sweep, 1, 1)], [None; 3]);
        assert_eq!(
            [come(Kind::Sweep, 1, 0), come(Kind::Sweep, 1, 0), come(Kind::Live, 1, 0)],
            [Some(1), None, None]
        );
        assert_eq!(
            [come(Kind::Sweep, 2, 0), come(Kind::Sweep, 1, 7), come(Kind::SweepEnd, 2, 1)],
            [None, None, Some(2)]
        );
        assert_eq!([come(Kind::SweepEnd, 3, 0), come(Kind::SweepEnd, 2, 0)], [Some(3), None], "of an empty table");
    }

    #[test]
    fn gaps_are_counted_from_the_first_batch_on() {
        let mut origins = Origins::default();
        let gaps = [9, 10, 13, 12, 11, 14].map(|number| origins.count(&header(Kind::Live, number, 0, 0)));
        assert_eq!(gaps, [0, 0, 2, 0, 0, 0]);
        for origin in 100..100 + ORIGINS as u64 {
            origins.count(&Header { origin, ..header(Kind::Live, 1, 0, 0) });
        }
        assert_eq!((origins.origins.len(), origins.count(&header(Kind::Live, 99, 0, 0))), (ORIGINS, 0));
    }
}
