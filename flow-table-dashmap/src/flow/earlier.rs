use std::sync::atomic::{AtomicU32, Ordering, fence};

/// Whether there is a note that a flow's deadline was brought forward. With it, a flow has one such note at most
/// for each thread that is writing one, however often its deadline changes before a reap.
///
/// A thread changes the deadline, and writes a note unless this says that one is there. The queue takes a note,
/// says so here, and reads the deadline. If the first thread finds a note, it looked here before the queue took
/// the note away, so the queue reads the new deadline. Each side writes one word and then reads the other's: all
/// accesses are sequentially consistent for that, or come after a fence that is.
///
/// ```text
///  31                            1    0
/// +------------------------------+-------+
/// |  number of notes taken       | there |
/// +------------------------------+-------+
/// ```
#[derive(Default)]
pub(crate) struct Earlier(AtomicU32);

const THERE: u32 = 1;

impl Earlier {
    /// Calls `write`, which writes a note, unless one is there. The deadline has been changed.
    pub(crate) fn note(&self, write: impl FnOnce()) {
        let before = self.0.load(Ordering::SeqCst);
        if before & THERE == 0 {
            write();
            // If this fails, either another note is there, or the queue has taken one and reads the deadline next.
            let _ = self.0.compare_exchange(before, before | THERE, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// The queue has taken a note, or files the flow anew, and is about to read the deadline.
    pub(crate) fn taken(&self) {
        let next = |word: u32| Some((word | THERE).wrapping_add(1));
        // `next` never returns `None`.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        // The deadline is read by an Acquire load, which must not come before the change above.
        fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_is_there_at_most() {
        let (earlier, mut notes) = (Earlier::default(), 0);
        for round in 1..4 {
            for _ in 0..5 {
                earlier.note(|| notes += 1);
            }
            assert_eq!(notes, round);
            earlier.taken();
        }
    }

    #[test]
    fn a_note_that_is_taken_while_it_is_written_does_not_count_as_there() {
        let (earlier, mut notes) = (Earlier::default(), 0);
        earlier.note(|| earlier.taken());
        earlier.note(|| notes += 1);
        assert_eq!(notes, 1);
    }
}
