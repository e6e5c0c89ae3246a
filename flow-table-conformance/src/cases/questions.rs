//! Reaps that ask before they end a flow, and about flows that live for long.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use flow_table_api::{Answer, Budget, EndReason, Ended, Flow, Status, Table, Timestamp};

use crate::fixture::{Fixture, TIMEOUT, TestKey, at, inject, race, rounds, secs, survive};
use crate::{Backend, Setup, TestRef};

/// Reaps at `now`, gives all the same answer, and returns the numbers of the values of those asked about, live
/// ones beside, and of those that ended.
fn ask<B: Backend>(table: &Fixture<B>, now: Timestamp, answer: Answer) -> (Vec<(usize, bool)>, Vec<usize>) {
    let (mut asked, mut ended) = (Vec::new(), Vec::new());
    let report = table.reap_asking(
        now,
        Budget::UNLIMITED,
        |flow| {
            asked.push((flow.value().serial(), flow.is_live(now)));
            answer
        },
        |flow| {
            assert_eq!((flow.flow.status(), flow.reason), (Status::Expired, EndReason::Expired));
            ended.push(flow.flow.value().serial());
        },
    );
    assert_eq!((report.expired, report.cancelled, report.more), (ended.len(), 0, false));
    assert!(report.rescheduled >= asked.len() - ended.len());
    asked.sort_unstable();
    ended.sort_unstable();
    (asked, ended)
}

/// A flow whose deadline has passed is kept if the answer says so, until the time that it says, and asked about
/// again then. Otherwise it ends as ever. Flows that have ended already are handed over without a question.
pub fn an_answer_keeps_a_flow<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 4);
    let (kept, cancelled) = (table.put(1, at(0)), table.put(2, at(0)));
    assert_eq!(ask(&table, at(59), Answer::Proceed), (vec![], vec![]), "nothing is due");
    assert_eq!(ask(&table, at(60), Answer::AskAgain(at(100))), (vec![(0, false), (1, false)], vec![]));
    assert_eq!((kept.status(), kept.deadline(), kept.timeout()), (Status::Active, at(100), TIMEOUT));
    assert!(table.is_live(1, at(99)), "look-ups find it");
    assert!(cancelled.cancel());
    let mut reasons = Vec::new();
    let early = |flow: &TestRef<B>| {
        assert_eq!((flow, flow.is_live(at(99))), (&kept, true), "no question about what has ended");
        Answer::AskAgain(at(100))
    };
    table.reap_asking(at(99), Budget::UNLIMITED, early, |ended| reasons.push(ended.reason));
    assert_eq!(reasons, [EndReason::Cancelled]);
    assert!(kept.refresh(at(99)), "until 159");
    assert_eq!(ask(&table, at(158), Answer::Proceed).1, [], "it was refreshed");
    assert_eq!(ask(&table, at(159), Answer::AskAgain(at(159))), (vec![(0, false)], vec![0]), "not later than now");
    assert_eq!((table.len(), table.stats().ended.expired), (0, 1));
    drop(table.put(3, at(200)));
    assert_eq!(ask(&table, at(260), Answer::Proceed), (vec![(2, false)], vec![2]));
    assert!(kept.status() == Status::Expired && table.find(3, at(260)).is_none());
}

/// Whatever is asked and answered, no live flow ends, and none loses time that a refresh granted.
pub fn an_answer_takes_no_time_away<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::asking(setup, 2, secs(10));
    let flow = table.put(1, at(0));
    for second in 1..200 {
        if second % 50 == 0 {
            assert!(flow.refresh(at(second)));
        }
        let deadline = flow.deadline();
        let answer = if second % 3 == 0 { Answer::Proceed } else { Answer::AskAgain(at(second + 2)) };
        assert_eq!(ask(&table, at(second), answer).1, []);
        assert_eq!((flow.status(), flow.deadline()), (Status::Active, deadline), "second {second}");
    }
    assert_eq!(ask(&table, at(210), Answer::Proceed).1, [0]);
}

/// In a table with an active timeout, a reap asks about each live flow within that time, and at the time that the
/// answer wishes for. So a program that keeps the time of the next record with the flow records it once a period,
/// however often it reaps and however busy the flow is.
pub fn long_flows_are_shown_in_each_period<B: Backend>(setup: Setup) {
    const PERIOD: u64 = 30;
    let table = Fixture::<B>::asking(setup, 20, secs(PERIOD));
    let mut recorded = HashMap::<usize, Vec<u64>>::new();
    for second in 0..300 {
        if second < 20 {
            let flow = table.flow(second).timeout(secs(if second % 2 == 0 { 10 } else { 3_600 }));
            let flow = if second < 10 { flow } else { flow.reply(TestKey::new(100 + second)) };
            drop(table.put_flow(flow, at(second)));
        }
        for id in 0..20.min(second + 1) {
            let flow = table.find(id, at(second)).expect("refreshed in time");
            assert!(second % 8 != 0 || flow.refresh(at(second)));
            // Nothing but the active timeout brings the last flows up.
            match second % 16 {
                _ if id >= 16 => {}
                3 => flow.set_deadline(at(second + 3_600)).expect("live"),
                4 => flow.set_deadline(at(second + 9)).expect("live"),
                _ => {}
            }
        }
        let record = |flow: &TestRef<B>| {
            let (id, records) = (flow.value().serial(), recorded.entry(flow.value().serial()).or_default());
            let last = records.last().copied().unwrap_or(id as u64);
            if second < last + PERIOD {
                return Answer::AskAgain(at(last + PERIOD));
            }
            records.push(second);
            Answer::AskAgain(at(second + PERIOD))
        };
        table.reap_asking(at(second), Budget::UNLIMITED, record, |_| panic!("all are live"));
    }
    for (id, times) in &recorded {
        let expected: Vec<u64> =
            (1..).map(|period| *id as u64 + period * PERIOD).take_while(|&at| at < 300).collect();
        let late = times.iter().zip(&expected).map(|(time, expected)| time - expected).max();
        assert_eq!((times.len(), late), (expected.len(), Some(0)), "{id}: {times:?}");
    }
    assert_eq!(recorded.len(), 20);
}

/// While a flow is asked about, no reap asks about it again or hands it over unless it ends, whatever happens to
/// it. What has happened counts when the answer is there.
pub fn one_question_at_a_time<B: Backend>(setup: Setup) {
    let question = |act: &dyn Fn(&Fixture<B>, &TestRef<B>), answer| {
        let table = Fixture::<B>::asking(setup, 1, secs(30));
        let flow = table.put(1, at(0));
        let mut ended = Vec::new();
        let ask = |asked: &TestRef<B>| {
            assert_eq!(asked, &flow, "one question");
            act(&table, &flow);
            let again = |other: &TestRef<B>| panic!("{other:?}: a second question");
            table.reap_asking(at(62), Budget::UNLIMITED, again, |ended| {
                assert_ne!(ended.flow.status(), Status::Expired)
            });
            answer
        };
        let hand_over = |flow: Ended<TestRef<B>>| ended.push(flow.reason);
        let report = table.reap_asking(at(60), Budget::flows(1), ask, hand_over);
        assert_eq!((report.visited(), report.expired), (1, ended.len()));
        let (status, deadline) = (flow.status(), flow.deadline());
        let mut handed_over = || {
            let mut reasons = std::mem::take(&mut ended);
            table.reap_with(deadline, Budget::UNLIMITED, |ended| reasons.push(ended.reason));
            reasons
        };
        let reasons = handed_over();
        assert!(handed_over().is_empty());
        (status, deadline, reasons)
    };
    let (again, expired) = (Answer::AskAgain(at(1_000)), vec![EndReason::Expired]);
    let kept = |deadline| (Status::Active, deadline, vec![EndReason::Expired]);
    assert_eq!(question(&|_, _| {}, Answer::Proceed), (Status::Expired, at(60), expired.clone()));
    assert_eq!(question(&|_, _| {}, again), kept(at(1_000)));
    let later = |_: &Fixture<B>, flow: &TestRef<B>| flow.set_deadline(at(61)).expect("active");
    assert_eq!(question(&later, Answer::Proceed), kept(at(61)));
    assert_eq!(question(&later, again), kept(at(61)), "it is live");
    let shorter = |_: &Fixture<B>, flow: &TestRef<B>| flow.set_deadline(at(30)).expect("active");
    assert_eq!(question(&shorter, Answer::Proceed), (Status::Expired, at(30), expired));
    assert_eq!(question(&shorter, again), kept(at(1_000)));
    let refreshed = |_: &Fixture<B>, flow: &TestRef<B>| assert!(flow.refresh(at(59)));
    assert_eq!(question(&refreshed, Answer::AskAgain(at(90))), kept(at(119)));
    let cancelled = |_: &Fixture<B>, flow: &TestRef<B>| assert!(flow.cancel());
    assert_eq!(question(&cancelled, again), (Status::Cancelled, at(60), vec![]), "the reap within took it");
    let removed = |table: &Fixture<B>, flow: &TestRef<B>| assert_eq!(table.remove_flow(flow), Ok(true));
    assert_eq!(question(&removed, again), (Status::Detached, at(60), vec![]));
    let back = |table: &Fixture<B>, flow: &TestRef<B>| {
        assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
        drop(table.reinsert(flow, at(60)).expect("it has expired"));
    };
    let (status, deadline, reasons) = question_of_one_that_comes_back::<B>(setup, &back);
    assert_eq!((status, deadline, reasons), kept(at(120)));
}

/// As above. A flow that comes back may be asked about again, for it is another stay in the table.
fn question_of_one_that_comes_back<B: Backend>(
    setup: Setup,
    back: &dyn Fn(&Fixture<B>, &TestRef<B>),
) -> (Status, Timestamp, Vec<EndReason>) {
    let table = Fixture::<B>::asking(setup, 1, secs(30));
    let (flow, mut reasons) = (table.put(1, at(0)), Vec::new());
    let ask = |flow: &TestRef<B>| {
        back(&table, flow);
        Answer::Proceed
    };
    table.reap_asking(at(60), Budget::flows(1), ask, |_| panic!("it has come back"));
    let (status, deadline) = (flow.status(), flow.deadline());
    table.reap_with(deadline, Budget::UNLIMITED, |ended| reasons.push(ended.reason));
    (status, deadline, reasons)
}

/// If a question panics, its flow and those that were next in turn are still there, and asked about by the next
/// reap.
pub fn a_panic_in_a_question_loses_nothing<B: Backend>(setup: Setup) {
    for broken in 0..6 {
        let table = Fixture::<B>::asking(setup, 6, secs(30));
        (0..6).for_each(|id| drop(table.put(id, at(0))));
        let (asked, ended) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let reap = |now, broken| {
            let question = |flow: &TestRef<B>| {
                if asked.fetch_add(1, Ordering::Relaxed) == broken {
                    flow.set_deadline(at(61)).expect("active");
                    inject();
                }
                Answer::Proceed
            };
            let hand_over = |serial| ended.lock().expect("no panic").push(serial);
            survive(|| {
                table.reap_asking(now, Budget::UNLIMITED, question, |flow| hand_over(flow.flow.value().serial()))
            })
        };
        assert!(reap(at(60), broken).is_none());
        assert_eq!(ended.lock().expect("no panic").len(), broken, "those before");
        assert!(reap(at(60), usize::MAX).is_some());
        assert_eq!(ended.lock().expect("no panic").len(), 5, "all but the one that has a second more");
        assert!(reap(at(61), usize::MAX).is_some() && table.is_empty());
        let mut ended = ended.into_inner().expect("no panic");
        ended.sort_unstable();
        assert_eq!(ended, [0, 1, 2, 3, 4, 5]);
    }
}

/// A question runs under no lock: it may use the table in every way.
pub fn the_callback_may_use_the_table<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 8);
    (0..4).for_each(|id| drop(table.put(id, at(0))));
    let mut asked = 0;
    let question = |flow: &TestRef<B>| {
        let id = asked;
        asked += 1;
        assert!(table.find(*flow.key(), at(59)).is_some());
        drop(table.put(10 + id, at(60)));
        drop((table.snapshot(), table.stats(), table.burst(at(60))));
        table.reap(at(0), Budget::UNLIMITED);
        drop(table.remove(&TestKey::new(10 + id)));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(table.find(*flow.key(), at(59)))).join().expect("no panic");
        });
        Answer::Proceed
    };
    let report = table.reap_asking(at(60), Budget::UNLIMITED, question, |ended| {
        drop(table.put(20, at(60)));
        drop(table.remove(&TestKey::new(20)));
        drop(ended);
    });
    assert_eq!((asked, report.expired, table.len()), (4, 4, 0));
}

/// Flows that are kept by answers while threads refresh, cancel, remove, replace and reap without questions: each
/// ends once, none is lost, and one question is asked at a time.
pub fn questions_beside_everything_add_up<B: Backend>(setup: Setup) {
    const KEYS: u64 = 24;
    let table = Fixture::<B>::asking(setup, 2 * KEYS as usize, secs(3));
    let asking: Vec<AtomicBool> = (0..rounds(6_000) * 4 + 1).map(|_| AtomicBool::new(false)).collect();
    let handed_over = AtomicUsize::new(0);
    race(4, |thread| {
        for round in 0..rounds(1_000) {
            let now = at(round as u64 / 8);
            let key = TestKey::new((round as u64 * 7 + thread as u64) % KEYS);
            match (thread, round % 6) {
                (0 | 1, 0..4) => {
                    let question = |flow: &TestRef<B>| {
                        let serial = flow.value().serial();
                        assert!(!asking[serial].swap(true, Ordering::AcqRel), "two questions at once");
                        std::thread::yield_now();
                        assert!(asking[serial].swap(false, Ordering::AcqRel));
                        if serial % 3 == 0 { Answer::AskAgain(now + secs(1)) } else { Answer::Proceed }
                    };
                    table.reap_asking(now, Budget::flows(10), question, |_| {
                        handed_over.fetch_add(1, Ordering::Relaxed);
                    });
                }
                (_, 0 | 1) => {
                    let flow = table.flow(key).timeout(secs(2));
                    drop(table.insert_if_absent(flow, now).map_err(|refused| drop(refused.into_flow())));
                }
                (2, 2) => drop(table.lookup(&key, now).map(|flow| flow.cancel())),
                (2, 3) => drop(table.remove(&key)),
                (3, 2) => {
                    table.reap_with(now, Budget::flows(2), |_| {
                        handed_over.fetch_add(1, Ordering::Relaxed);
                    });
                }
                (3, 3) => drop(table.lookup(&key, now).map(|flow| flow.set_deadline(now))),
                _ => drop(table.lookup(&key, now).map(|flow| flow.refresh(now))),
            }
        }
    });
    table.reap_with(at(1_000_000), Budget::UNLIMITED, |_| {
        handed_over.fetch_add(1, Ordering::Relaxed);
    });
    let ended = table.stats().ended;
    assert_eq!(handed_over.into_inner() as u64, ended.expired + ended.cancelled);
    assert_eq!((table.len(), table.next_deadline()), (0, None));
}

/// Whatever the active timeout is, a reap ends: one that asks, and one that does not.
pub fn any_active_timeout_will_do<B: Backend>(setup: Setup) {
    for period in [Duration::ZERO, Duration::from_nanos(1), Duration::from_nanos(3), secs(1), Duration::MAX] {
        let table = Fixture::<B>::asking(setup, 3, period);
        (0..3).for_each(|id| drop(table.put(id, at(0))));
        for now in [at(0), at(7), at(1), at(59)] {
            assert!(table.reap(now, Budget::flows(10_000)).visited() < 100, "{period:?}");
            let report = table.reap_asking(now, Budget::flows(10_000), |_| Answer::AskAgain(now), drop);
            assert!(report.visited() < 100 && report.expired == 0, "{period:?}: {report:?}");
        }
        assert_eq!(table.reap_asking(Timestamp::MAX, Budget::UNLIMITED, |_| Answer::Proceed, drop).expired, 3);
        assert!(table.is_empty());
    }
}

/// A question may end flows that are next in turn: there are no questions about them any more.
pub fn no_question_about_what_has_ended<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 9);
    let flows: Vec<_> = (0..9).map(|id| table.put(id, at(0))).collect();
    let mut asked = 0;
    let question = |flow: &TestRef<B>| {
        asked += 1;
        assert_eq!(flow.status(), Status::Active);
        flows.iter().filter(|other| *other != flow).for_each(|other| assert!(other.cancel()));
        table.reap(at(0), Budget::UNLIMITED);
        Answer::Proceed
    };
    assert_eq!(table.reap_asking(at(60), Budget::UNLIMITED, question, drop).expired, 1);
    assert_eq!((asked, table.len(), table.stats().ended.cancelled), (1, 0, 8));
}

/// A flow that is put back while it is asked about may be asked about again, and the answer to the first question,
/// which was about another stay in the table, neither ends nor files it.
pub fn an_answer_is_for_its_own_question<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    let asked = std::cell::Cell::new(0);
    let ask = |now, question: &dyn Fn()| {
        let question = |_: &TestRef<B>| {
            asked.set(asked.get() + 1);
            question();
            if now == at(120) { Answer::AskAgain(at(1_000)) } else { Answer::Proceed }
        };
        table.reap_asking(now, Budget::UNLIMITED, question, |_| panic!("it is kept"));
    };
    let again = std::cell::Cell::new(false);
    ask(at(60), &|| {
        if again.replace(true) {
            return;
        }
        assert_eq!(table.remove_flow(&flow), Ok(true));
        drop(table.reinsert(&flow, at(60)).expect("it was removed"));
        ask(at(120), &|| ask(at(130), &|| panic!("two questions at once")));
    });
    assert_eq!((asked.get(), flow.status(), flow.deadline()), (2, Status::Active, at(1_000)));
    assert_eq!(ask_all_at(&table, at(1_000)), 1);
}

fn ask_all_at<B: Backend>(table: &Fixture<B>, now: Timestamp) -> usize {
    table.reap_asking(now, Budget::UNLIMITED, |_| Answer::Proceed, drop).expired
}

/// The time of the next question stays when the deadline is moved, by whatever much.
pub fn a_question_outlasts_a_new_deadline<B: Backend>(setup: Setup) {
    for (first, second) in [(3_600, 3_000), (3_000, 3_600), (200, 150), (1_000_000, 101)] {
        let table = Fixture::<B>::new(setup, 1);
        let flow = table.put_flow(table.flow(1).timeout(secs(50)), at(0));
        flow.set_deadline(at(first)).expect("live");
        let asked = |now| {
            let mut asked = 0;
            let question = |_: &TestRef<B>| {
                asked += 1;
                Answer::AskAgain(at(100))
            };
            table.reap_asking(now, Budget::UNLIMITED, question, |_| panic!("it is live"));
            asked
        };
        assert!(asked(at(50)) > 0, "it comes up at its first deadline");
        flow.set_deadline(at(second)).expect("live");
        assert!(asked(at(100)) > 0, "until {first}, then until {second}");
    }
}

/// Insertions that a full table refuses look for room all the time, and put no question off.
pub fn a_flood_puts_no_question_off<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::asking(setup, 4, secs(10));
    table.set_capacity(4);
    (0..4).for_each(|id| drop(table.put_flow(table.flow(id).timeout(secs(9_000)), at(0))));
    let mut next = [10; 4];
    let mut recorded = 0;
    for second in 0..200 {
        for key in 0..16 {
            let ahead = at(second + key % 3);
            assert!(table.insert_if_absent(table.flow(100 + key), ahead).is_err(), "it is full");
        }
        let question = |flow: &TestRef<B>| {
            let next = &mut next[flow.value().serial()];
            if second >= *next {
                *next = second + 10;
                recorded += 1;
            }
            Answer::AskAgain(at(*next))
        };
        table.reap_asking(at(second), Budget::UNLIMITED, question, |_| panic!("all are live"));
    }
    assert_eq!(recorded, 4 * 19, "every ten seconds");
}

/// A full table that asks makes room from what has ended or is due, as any other does.
pub fn room_is_made_beside_questions<B: Backend>(setup: Setup) {
    for live in [0, 3] {
        let table = Fixture::<B>::asking(setup, 6, secs(30));
        table.set_capacity(3 + live);
        (0..live as u64).for_each(|id| drop(table.put_flow(table.flow(10 + id).timeout(secs(9_000)), at(0))));
        let [cancelled, looked_up] = [1, 2].map(|id| table.put(id, at(0)));
        drop(table.put_flow(table.flow(3).timeout(secs(40)), at(0)));
        assert!(cancelled.cancel() && table.insert_if_absent(table.flow(20), at(1)).is_ok(), "cancelled");
        assert_eq!(table.status_of(2, at(60)), Some(Status::Expired));
        assert!(table.insert_if_absent(table.flow(21), at(60)).is_ok(), "expired by a look-up, or due");
        assert!(table.insert_if_absent(table.flow(22), at(60)).is_ok(), "due, or expired by a look-up");
        assert_eq!((table.len(), table.stats().dying, table.stats().refusals), (3 + live, 3, 0));
        assert_eq!(looked_up.status(), Status::Expired);
        let (mut asked, mut ended) = (0, 0);
        let question = |_: &TestRef<B>| {
            asked += 1;
            Answer::Proceed
        };
        table.reap_asking(at(60), Budget::UNLIMITED, question, |_| ended += 1);
        assert!(ended == 3 && asked >= live, "{asked} questions about {live} live flows");
    }
}

/// What `ask` wished for stays, in a table without an active timeout too: beside insertions that look for room,
/// and if a question about a live flow panics.
pub fn wishes_are_kept<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::exactly(setup, 1);
    let flow = table.put(1, at(0));
    flow.set_deadline(at(9_000)).expect("live");
    let reap = |now, panics: bool| {
        let mut asked = 0;
        let question = |_: &TestRef<B>| {
            asked += 1;
            if panics {
                inject();
            }
            Answer::AskAgain(at(100))
        };
        let ended = |_: Ended<TestRef<B>>| panic!("it is live");
        let survived = survive(|| table.reap_asking(now, Budget::UNLIMITED, question, ended)).is_some();
        (asked > 0, survived)
    };
    assert_eq!(reap(at(60), false), (true, true), "it comes up at its first deadline");
    for _ in 0..20 {
        assert!(table.insert_if_absent(table.flow(2), at(101)).is_err(), "it is full");
    }
    assert!(!reap(at(100), true).1);
    assert_eq!(reap(at(100), false), (true, true), "the next reap asks again");
}
