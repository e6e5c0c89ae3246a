use std::fmt::{self, Write as _};

use flow_table_api::{EndCounts, EndReason};

use super::crowd::Crowd;
use super::parts::{Timed, parts};
use super::search::{Stuck, search};
use super::{Event, History};
use crate::model::{Admitted, FlowId, Op, Outcome};

/// Why a history has no explanation, in words, with everything that happened to the keys concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained(String);

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unexplained {}

/// Searches for a sequential explanation of what threads did to a table that held nothing before and holds nothing
/// now: for each group of keys an order of all moments that contradicts no event's interval, and along which the
/// [model](crate::model) allows each; and for the whole table, that refusals and the limit may be as they are.
///
/// # Errors
///
/// Returns an error if there is none.
pub fn explain(history: &History) -> Result<(), Unexplained> {
    let crowd = Crowd::of(history);
    let adds_up = adds_up(history).and_then(|()| crowd.adds_up());
    adds_up.map_err(|why| Unexplained(format!("{why}{}", list(history.events.iter()))))?;
    let searches = crowd.searches();
    for part in parts(history, &searches).values() {
        search(part, &searches).map_err(|stuck| told(history, part, &stuck))?;
    }
    Ok(())
}

/// Checks what needs no order: the counters, and the reports of each reap and each walk.
fn adds_up(History { events, end, .. }: &History) -> Result<(), String> {
    let (mut inserts, mut refusals, mut ended) = (0, 0, EndCounts::default());
    for event in events {
        inserts += u64::from(event.installed().is_some());
        refusals += u64::from(event.seen.is_full());
        match (&event.op, &event.seen) {
            (_, Outcome::Inserted(Ok(Admitted::New { replaced }))) => {
                ended.replaced += u64::from(replaced.is_some())
            }
            (Op::Cancel { .. }, Outcome::Granted(true)) => ended.cancelled += 1,
            (Op::RemoveFlow { .. }, Outcome::Granted(true)) | (_, Outcome::Removed(Some(_))) => ended.removed += 1,
            (&Op::Reap { budget, .. }, Outcome::Reaped { ended, report }) => {
                let count = |reason| ended.iter().filter(|end| end.reason == reason).count();
                let counts = (count(EndReason::Expired), count(EndReason::Cancelled));
                let spent = report.visited() <= budget && (!report.more || report.visited() == budget);
                if counts != (report.expired, report.cancelled) || !spent {
                    return Err(format!("{event:?} reports something else than it did"));
                }
            }
            (_, Outcome::Visited(visited)) => {
                let twice = |pair: &[FlowId]| pair[0] == pair[1] && !comes_back(pair[0], events, event);
                if visited.windows(2).any(twice) {
                    return Err(format!("{event:?} visited a flow twice"));
                }
            }
            _ => {}
        }
    }
    // In the end all have ended.
    ended.expired = inserts - (ended.replaced + ended.cancelled + ended.removed).min(inserts);
    let (counted, seen) =
        ((inserts, refusals, ended, 0, 0), (end.inserts, end.refusals, end.ended, end.len, end.dying));
    if counted != seen {
        return Err(format!(
            "inserts, refusals, ends, and flows left with a place and without should be {counted:?}, but are \
             {seen:?}"
        ));
    }
    Ok(())
}

/// Whether `flow` is put back during `event`: what walks over the table may come upon it at its old place and at
/// its new one.
fn comes_back(flow: FlowId, events: &[Event], event: &Event) -> bool {
    let back = |other: &Event| matches!(other.op, Op::Reinsert { flow: back, .. } if back == flow);
    events.iter().any(|other| back(other) && other.overlaps(event))
}

fn told(history: &History, part: &[Timed], stuck: &Stuck) -> Unexplained {
    let mut places: Vec<_> = part.iter().map(|timed| timed.event).collect();
    places.sort_unstable();
    places.dedup();
    let mut told = list(places.iter().filter_map(|&place| history.events.get(place)));
    let _ = write!(told, "\n{} of {} moments can be explained, then none of these:", stuck.explained, part.len());
    for &next in &stuck.next {
        let _ = write!(told, "\n  {:?}", part[next].moment);
    }
    Unexplained(told)
}

/// The events in the order in which they began, one below the other.
fn list<'e>(events: impl Iterator<Item = &'e Event>) -> String {
    let mut events: Vec<_> = events.collect();
    events.sort_by_key(|event| event.began);
    let mut list = String::from("\nthread  from    to");
    for Event { thread, op, seen, began, ended } in events {
        let _ = write!(list, "\n{thread:>6}{began:>6}{ended:>6}  {op:?} -> {seen:?}");
    }
    list
}
