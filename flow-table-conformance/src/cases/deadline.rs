use flow_table_api::{Burst, Flow, NotLive, Status, Table};

use crate::fixture::{Dice, Fixture, Meeting, TIMEOUT, TestKey, at, race, rounds, secs};
use crate::{Backend, Setup};

/// A refresh moves the deadline to `now + timeout`, but never back.
pub fn refresh_moves_to_now_plus_timeout<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(100));
    for (now, deadline) in [(100, 160), (120, 180), (110, 180), (0, 180), (179, 239), (180, 240)] {
        assert!(flow.refresh(at(now)), "live at {now}");
        assert_eq!(flow.deadline(), at(deadline), "refreshed at {now}");
    }
    assert_eq!(table.reap_all(at(239)).expired, 0);
    assert_eq!(table.reap_all(at(240)).expired, 1);
}

/// A refresh of a flow that is not live is refused and changes nothing, even before anybody has noticed its end.
pub fn a_refused_refresh_changes_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    assert!(!flow.refresh(at(60)), "its deadline has passed");
    assert_eq!((flow.status(), flow.deadline()), (Status::Active, at(60)));
    assert_eq!(table.status_of(1, at(60)), Some(Status::Expired));
    assert!(!flow.refresh(at(0)) && !flow.refresh(at(60)));
    assert_eq!((flow.status(), flow.deadline()), (Status::Expired, at(60)));
}

/// A thousand refreshes at one `now` leave `now + timeout`.
pub fn busy_flows_accumulate_no_time<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    for _ in 0..1_000 {
        assert!(flow.refresh(at(10)));
    }
    assert_eq!(flow.deadline(), at(70));
    assert_eq!(table.reap_all(at(70)).expired, 1);
}

/// A reap at the old deadline leaves a refreshed flow alone, and one at the new deadline finds it.
pub fn a_refreshed_flow_expires_at_its_new_deadline<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 3);
    let flow = table.put(1, at(0));
    for now in [30, 60, 100, 150, 209] {
        assert!(flow.refresh(at(now)));
        let report = table.reap_all(at(now + 59));
        assert_eq!((report.expired, report.more), (0, false), "refreshed at {now}");
    }
    drop(flow);
    assert!(table.is_live(1, at(268)), "the table still holds it");
    assert_eq!(table.reap_all(at(269)).expired, 1);
    assert_eq!(table.len(), 0);
}

/// A granted refresh is honoured, even if a reap or a look-up runs at the same moment.
pub fn a_granted_refresh_outruns_expiry<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    for round in 0..rounds(500) {
        let flow = table.put(1, at(0));
        let granted = race(3, |thread| match thread {
            0 => flow.refresh(at(59)),
            1 => table.reap_all(at(60)).expired > 0,
            _ => table.find(1, at(60)).is_some_and(|flow| flow.status() == Status::Active),
        });
        if granted[0] {
            assert_eq!((flow.status(), flow.deadline()), (Status::Active, at(119)), "round {round}");
            assert!(!granted[1], "round {round}: reaped in spite of its refresh");
            assert!(table.is_live(1, at(118)), "round {round}");
            assert_eq!(table.remove_flow(&flow), Ok(true));
        } else {
            assert_eq!(flow.status(), Status::Expired, "round {round}");
            table.reap_all(at(60));
        }
        assert_eq!(table.len(), 0, "round {round}");
    }
}

/// While another thread stands still in the middle of an insertion, in `Eq`, a flow under the same key can be
/// refreshed.
pub fn a_refresh_waits_for_no_lock<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    let meeting = Meeting::default();
    race(2, |thread| {
        if thread == 0 {
            let replaced = meeting.pause_in_eq(|| table.insert(table.flow(1), at(1)).expect("replaces").replaced);
            assert_eq!(replaced.as_ref(), Some(&flow));
        } else {
            meeting.during_the_pause(|| {
                assert!(flow.refresh(at(30)) && flow.is_live(at(80)));
                assert_eq!((flow.deadline(), flow.clone().status()), (at(90), Status::Active));
            });
        }
    });
}

/// `set_timeout` may shorten: the table expires the flow at the earlier time, and refreshes use the new timeout.
pub fn a_shorter_timeout_takes_effect_at_once<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 2);
    let flow = table.put(1, at(0));
    drop(table.put(2, at(0)));
    flow.set_timeout(secs(5), at(10)).expect("live");
    assert_eq!((flow.deadline(), flow.timeout()), (at(15), secs(5)));
    assert!(table.next_deadline() <= Some(at(15)), "the table knows");
    assert!(flow.refresh(at(12)));
    assert_eq!(table.reap_all(at(16)).expired, 0);
    drop(flow);
    assert_eq!(table.reap_all(at(17)).expired, 1, "without waiting for the old deadline");
    assert_eq!(table.len(), 1);
}

/// `set_deadline` moves the deadline either way, and the table follows; later refreshes work as before.
pub fn a_deadline_can_be_moved_either_way<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    flow.set_deadline(at(500)).expect("live");
    assert_eq!(table.reap_all(at(499)).expired, 0);
    flow.set_deadline(at(20)).expect("live");
    assert_eq!((flow.deadline(), flow.timeout()), (at(20), TIMEOUT));
    assert!(flow.refresh(at(19)));
    assert_eq!(flow.deadline(), at(79));
    for earlier in [70, 50, 30] {
        flow.set_deadline(at(earlier)).expect("live");
    }
    assert_eq!(table.reap_all(at(29)).expired, 0);
    assert_eq!(table.reap_all(at(30)).expired, 1);
}

/// Neither setter revives a flow that is not live. Only the timeout of an ended flow changes, for a later
/// `reinsert`.
pub fn setters_revive_nothing<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::new(setup, 1);
    let flow = table.put(1, at(0));
    assert_eq!(
        flow.set_timeout(secs(100), at(60)),
        Err(NotLive(Status::Active)),
        "due, though nobody has noticed"
    );
    assert_eq!((flow.deadline(), flow.timeout()), (at(60), secs(100)));
    assert_eq!(table.reap_all(at(60)).expired, 1);
    for now in [at(0), at(60)] {
        assert_eq!(flow.set_timeout(secs(9), now), Err(NotLive(Status::Expired)));
        assert_eq!(flow.set_deadline(at(900)), Err(NotLive(Status::Expired)));
    }
    assert_eq!((flow.status(), flow.deadline()), (Status::Expired, at(60)));
    drop(table.reinsert(&flow, at(100)).expect("there is room"));
    assert_eq!(flow.deadline(), at(109));
    assert!(flow.cancel());
    assert_eq!(flow.set_deadline(at(900)), Err(NotLive(Status::Cancelled)));
    assert_eq!(flow.deadline(), at(109), "of an ended flow, its last deadline");
}

/// A refresh for another timeout moves the deadline of a live flow later, and nothing else.
pub fn refreshed_for_once_is_extended_only<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::with_slack(setup, 1, secs(10));
    let flow = table.put(1, at(0));
    assert!(flow.refresh_for(secs(10), at(5)));
    assert_eq!(flow.deadline(), at(60), "it had longer already");
    assert!(flow.refresh_for(secs(100), at(5)));
    assert_eq!((flow.deadline(), flow.timeout()), (at(105), TIMEOUT), "its own timeout stays");
    assert_eq!(table.reap_all(at(104)).expired, 0);
    assert!(table.burst(at(104)).get(&TestKey::new(1)).is_some_and(|flow| flow.refresh_for(secs(6), at(104))));
    assert!(flow.is_live(at(109)) && !flow.refresh_for(secs(6), at(110)) && flow.deadline() == at(110));
    assert_eq!(table.reap_all(at(110)).expired, 1);
    assert!(!flow.refresh_for(secs(6), at(0)), "ended");
}

/// With slack, a flow lives at least its timeout after the last granted refresh, and at most that and the slack.
pub fn slack_prolongs_within_bounds<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::with_slack(setup, 1, secs(10));
    for round in 0..rounds(50) {
        let (mut dice, mut now) = (Dice::new(round, 0), 0);
        let flow = table.put(1, at(0));
        for _ in 0..dice.below(20) {
            let most = [2, 12, 60][dice.below(3)];
            now += dice.below(most) as u64;
            assert!(flow.refresh(at(now)), "round {round}: live at {now}");
            let deadline = flow.deadline();
            assert!(at(now + 60) <= deadline && deadline <= at(now + 70), "round {round}: {deadline:?} at {now}");
        }
        drop(flow);
        assert_eq!(table.reap_all(at(now + 59)).expired, 0, "round {round}");
        assert!(table.is_live(1, at(now + 59)), "round {round}: too early");
        assert_eq!(table.reap_all(at(now + 70)).expired, 1, "round {round}: too late");
    }
}

/// Slack is for refreshes only.
pub fn slack_leaves_setters_exact<B: Backend>(setup: Setup) {
    let table = Fixture::<B>::with_slack(setup, 1, secs(10));
    let flow = table.put(1, at(0));
    assert_eq!(flow.deadline(), at(60));
    flow.set_deadline(at(20)).expect("live");
    assert_eq!(flow.deadline(), at(20));
    flow.set_timeout(secs(5), at(10)).expect("live");
    assert_eq!((flow.deadline(), flow.timeout()), (at(15), secs(5)));
    assert!(flow.refresh(at(12)));
    assert!((at(17)..=at(27)).contains(&flow.deadline()), "{:?}", flow.deadline());
    flow.set_timeout(TIMEOUT, at(13)).expect("live");
    assert_eq!(flow.deadline(), at(73));
}
