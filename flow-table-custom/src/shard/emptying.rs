//! Which page of a shard is being emptied (P15), and how far that is.

/// Pages are emptied whatever the shard's memory looks like, and also within themselves. It is for explored
/// schedules and for tests, whose tables are small.
pub(super) const ALWAYS: bool = cfg!(any(flow_table_shuttle, flow_table_stall, flow_table_moving));

/// After a pass that moved few flows, some reaps do not begin another one: others hold the flows. So many at
/// first, and after each such pass twice as many, up to the most.
const REST: u32 = if ALWAYS { 0 } else { 64 };
const MOST_REST: u32 = if ALWAYS { 0 } else { 1 << 16 };
/// A pass that moves one in so many flows, at least, is worth while.
const WORTH: usize = 16;

/// A page is gone through so often, at most, while open bursts keep its flows from being moved.
pub(super) const TRIES: u32 = 4;

/// The page that is being emptied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Emptied {
    pub(super) page: u32,
    pub(super) pair: bool,
}

/// What comes next, for the flows of the page from the one with this number on.
#[derive(Clone, Copy)]
pub(crate) enum Stage {
    /// They are marked.
    Mark { next: u32 },
    /// Those that are still marked are moved, if no burst can see them that was opened in this epoch or before.
    Move { next: u32, epoch: u64 },
}

/// A shard's pass over its pages, from the highest down.
#[derive(Default)]
pub(super) struct Emptying {
    pub(super) page: Option<(Emptied, Stage)>,
    /// The pages of each kind from here on are done with.
    pub(super) done_from: [Option<u32>; 2],
    pub(super) some_marked: bool,
    /// A burst keeps a flow of the page where it is.
    pub(super) waits: bool,
    pub(super) tries: u32,
    /// The flows of the table that this pass has looked at, and those that it has moved.
    pub(super) visited: usize,
    pub(super) moved: usize,
    /// So many reaps do not begin another pass, and so many do not after the next pass that is not worth while.
    pub(super) rest: u32,
    pub(super) next_rest: u32,
}

impl Emptying {
    /// Returns `true` amid a pass.
    pub(super) const fn has_begun(&self) -> bool {
        self.page.is_some() || self.done_from[0].is_some() || self.done_from[1].is_some()
    }

    pub(super) fn begin(&mut self, page: Emptied) {
        self.page = Some((page, Stage::Mark { next: 0 }));
        (self.some_marked, self.waits, self.tries) = (false, false, 0);
    }

    /// Is done with the page, whether it is empty or not.
    pub(super) fn end_page(&mut self) {
        if let Some((Emptied { page, pair }, _)) = self.page.take() {
            self.done_from[usize::from(pair)] = Some(page);
        }
    }

    pub(super) fn end_pass(&mut self) {
        (self.rest, self.next_rest) = match self.moved.saturating_mul(WORTH) < self.visited {
            true => (self.next_rest.max(REST), (2 * self.next_rest.max(REST)).min(MOST_REST)),
            false => (0, 0),
        };
        (self.page, self.done_from, self.visited, self.moved) = (None, [None; 2], 0, 0);
    }

    pub(super) fn is_moving(&self, page: Emptied, epoch: u64) -> bool {
        matches!(self.page, Some((of, Stage::Move { epoch: since, .. })) if of == page && since == epoch)
    }
}
