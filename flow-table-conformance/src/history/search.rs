//! The search for an order: depth first, and never twice from the same state with the same moments done.

use std::collections::{HashMap, HashSet};

use flow_table_api::{Status, Timestamp};

use super::crowd;
use super::parts::Timed;
use crate::model::{Fact, Model, Moment};

/// More moments than a part of a history has.
const MOST: usize = 512;

/// Which moments of a part come before.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Done([u64; MOST / 64]);

impl Done {
    const NONE: Self = Self([0; MOST / 64]);

    const fn has(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 != 0
    }

    const fn with(mut self, index: usize) -> Self {
        self.0[index / 64] |= 1 << (index % 64);
        self
    }
}

/// Searches for an order of the moments of `part` that contradicts no interval and that a correct table allows.
///
/// # Errors
///
/// There is none: the most moments that could be put in order, and which of the others could have come next, had
/// the table been in another state.
///
/// # Panics
///
/// Panics with more than 512 moments.
pub fn search(part: &[Timed], searches: &[crowd::Search]) -> Result<(), Stuck> {
    assert!(part.len() <= MOST, "{} moments: more than the set of those done has room for", part.len());
    let latest = searches.iter().map(|search| search.now).max();
    let mut search = Search { part, searches, latest, dead: HashMap::new(), stuck: Stuck::default() };
    if search.from(0, 0, Done::NONE, Model::in_a_crowd()) { Ok(()) } else { Err(search.stuck) }
}

/// Where a search ended that found no order.
#[derive(Debug, Default)]
pub struct Stuck {
    /// Moments that could be put in order.
    pub explained: usize,
    /// Moments, by their place, that could have come next then.
    pub next: Vec<usize>,
}

struct Search<'h> {
    part: &'h [Timed],
    /// Insertions of the whole history that may have expired flows of this part.
    searches: &'h [crowd::Search],
    /// The latest time of any.
    latest: Option<Timestamp>,
    /// From where there is no way.
    dead: HashMap<Done, HashSet<Model>>,
    stuck: Stuck,
}

impl Search<'_> {
    /// Whether there is an order of the moments that are not done, `count` of which are. All before `first` are
    /// done.
    fn from(&mut self, mut first: usize, mut count: usize, mut done: Done, state: Model) -> bool {
        let part = self.part;
        // What only looks, and can do so now, may as well: what began first at the front, as an insertion may make
        // room in between.
        let mut stops = Vec::new();
        let next = loop {
            while first < part.len() && done.has(first) {
                first += 1;
            }
            let next = self.next(first, done);
            // A flow that may expire for room is seen active before that, but what comes between is not known yet.
            let is_late = |fact: &Fact| match *fact {
                Fact::Status(flow, Status::Active) => {
                    self.latest.is_some_and(|now| state.expired(flow, now).is_some())
                }
                _ => false,
            };
            let looks = |&&index: &&usize| match &part[index].moment {
                Moment::Fact(fact) => state.holds(fact) && !is_late(fact),
                _ => false,
            };
            stops.push((first, count, done));
            match next.iter().filter(looks).min_by_key(|&&index| part[index].began) {
                Some(&index) => (done, count) = (done.with(index), count + 1),
                None => break next,
            }
        };
        if count == part.len() {
            return true;
        }
        if count >= self.stuck.explained {
            self.stuck = Stuck { explained: count, next: next.clone() };
        }
        if self.dead.get(&done).is_some_and(|states| states.contains(&state)) {
            return false;
        }
        for &index in &next {
            for after in state.after(&part[index].moment) {
                if self.from(first, count + 1, done.with(index), after) {
                    return true;
                }
            }
        }
        for &index in &next {
            for midway in state.underway(&part[index].moment) {
                if self.from(first, count, done, midway) {
                    return true;
                }
            }
        }
        for (first, count, done) in stops.into_iter().rev() {
            for after in self.expired_for_room(&state, done) {
                if self.from(first, count, done, after) {
                    return true;
                }
            }
        }
        self.dead.entry(done).or_default().insert(state);
        false
    }

    /// The states in which an insertion that needed room, for whatever key, has expired a flow.
    fn expired_for_room(&self, state: &Model, done: Done) -> Vec<Model> {
        if self.searches.is_empty() {
            return Vec::new();
        }
        let moments = || self.part.iter().enumerate();
        let latest = moments().filter(|(index, _)| !done.has(*index)).map(|(_, left)| left.ended).min();
        let expired = |flow| {
            // A look that came before its turn does not count, unless it saw the flow active.
            let counts = |moment: &Moment| match moment {
                Moment::Fact(fact) => matches!(fact, Fact::Status(other, Status::Active) if *other == flow),
                _ => true,
            };
            let before = moments().filter(|(index, timed)| done.has(*index) && counts(&timed.moment));
            let earliest = before.map(|(_, timed)| timed.began).max();
            let is_open = |one: &&crowd::Search| {
                Some(one.ended) >= earliest && latest.is_none_or(|latest| one.began <= latest)
            };
            // Whatever one expires, a later one does as well.
            let now = self.searches.iter().filter(is_open).map(|search| search.now).max()?;
            state.expired(flow, now)
        };
        state.active().filter_map(expired).collect()
    }

    /// The moments that may be next, the one whose interval ends first at the front: whatever begins after another
    /// one left has ended must come after it.
    fn next(&self, first: usize, done: Done) -> Vec<usize> {
        let (mut next, mut first_end): (Vec<usize>, _) = (Vec::new(), usize::MAX);
        for (index, timed) in self.part.iter().enumerate().skip(first) {
            if timed.began > first_end {
                break;
            }
            if !done.has(index) {
                first_end = first_end.min(timed.ended);
                if !timed.follows || done.has(index - 1) {
                    next.push(index);
                }
            }
        }
        next.retain(|&index| self.part[index].began <= first_end);
        next.sort_by_key(|&index| self.part[index].ended);
        next
    }
}
