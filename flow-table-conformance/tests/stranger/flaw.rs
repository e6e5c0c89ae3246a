//! Ways to break this backend, for `tests/teeth.rs`. Elsewhere no table has one.

use std::cell::Cell;

/// Hands the list to a macro: each flaw, with the case that must find it.
macro_rules! each_flaw {
    ($with:ident) => {
        $with! {
            // What this design suffered from in the field.
            /// Queueing a replacement keeps the old flow and changes only its time.
            ReplacementNotQueued => "insert::the_replacement_is_kept",
            /// A thread that releases a flow leaves its slots until somebody looks up its keys.
            ReapLeavesSlots => "memory::one_packet_flows_leave_nothing",
            /// What is left in the queue of a replaced flow removes whatever has its key.
            StaleEntryRemovesByKey => "reap::works_by_identity",
            /// A look-up that has met the slot of a dead flow removes whatever has its key by then.
            LookupClearsByKey => "concurrency::nobody_loses_a_flow_to_a_dead_one",
            /// The same when the dead flow is released.
            DeadSlotRemovesByKey => "lookup::a_filled_slot_is_not_dead",
            /// A removed flow stays held until its deadline.
            RemovedFlowsStay => "early_end::remove_releases_at_once",
            /// A cancelled one too.
            CancelledFlowsLinger => "early_end::cancel_takes_effect_at_once",
            /// A refresh adds the timeout to the old deadline.
            RefreshAccumulates => "deadline::busy_flows_accumulate_no_time",
            /// A refresh for a shorter time than is left takes time away.
            RefreshForShortens => "deadline::refreshed_for_once_is_extended_only",
            /// With slack, a refresh is left out if it would move the deadline by less than that.
            SlackShortens => "deadline::slack_prolongs_within_bounds",
            /// With slack, each refresh adds it.
            SlackAccumulates => "deadline::slack_prolongs_within_bounds",
            /// With a `now` from before the flow's last refresh, its age wraps around.
            AgeWrapsAround => "time::an_older_now_expires_nothing",
            /// An insertion stores `Active` when the flow can be found already.
            ActivatesLast => "early_end::cancel_is_not_lost_to_the_insertion",
            /// The limit is checked first, and acted on later.
            ChecksThenActs => "capacity::never_exceeded_under_a_race",
            /// Replacing a flow of a full table is refused.
            ReplacingNeedsRoom => "capacity::a_full_table_still_replaces",
            /// Every reap looks at every flow.
            ReapScansAll => "reap::an_idle_reap_does_not_walk_the_table",
            /// A flow that was removed or replaced leaves no record.
            RemovedFlowsLeaveNoRecord => "records::each_flow_leaves_one_with_its_reason",
            /// Nor does one that is let go after its table.
            RecordsGoWithTheTable => "records::none_is_lost_with_the_table",
            /// A lock is held while a record is made.
            RecordsUnderLock => "records::a_record_may_use_the_table",
            /// A look-up finds nothing by other forms of a key.
            FindsByKeysAlone => "forms::a_key_is_found_by_any_form_of_it",
            /// A look-up with a hash computes another one.
            HashesAgain => "forms::a_carried_hash_serves_look_ups",
            /// A reinsertion computes the hashes again.
            ReinsertsByItsOwnHash => "forms::the_callers_hash_serves_a_flow_for_life",
            /// A thread reaps what it inserted, and nothing else.
            ReapsOwnOnly => "reap::covers_all_threads",
            /// A pair is installed one key after the other.
            PairInTwoSteps => "concurrency::histories_of_pairs_are_linearizable",
            /// Two pairs that cross each get half of their keys.
            IgnoresTheReplyKey => "two_keys::crossing_pairs_are_not_torn",
            /// When the reply key is found to be taken, the flow under the forward key is gone.
            ConflictHalfDone => "two_keys::a_conflict_installs_neither_key",
            /// The latest time seen is taken for the present.
            TimeOnlyGrows => "hostile::time_goes_anywhere",
            /// One reap keeps others out.
            ReapsOneAtATime => "hostile::a_slow_callback_delays_nobody_else",
            /// A reap collects what it finds in a buffer of the table.
            SharesItsBuffer => "hostile::callbacks_may_nest",
            /// Hash seeds are the same in every table.
            FixedSeed => "memory::hash_seeds_are_random",

            // Time and status.
            /// Deadlines wrap around.
            DeadlineWraps => "time::time_saturates",
            /// A look-up does not look at the deadline.
            FindsTheExpired => "time::live_until_the_deadline",
            /// Time passes by itself.
            ReadsAClock => "time::the_table_reads_no_clock",
            /// A refresh brings back what is due.
            RefreshRevives => "deadline::a_refused_refresh_changes_nothing",
            /// Expiry looks only at the time that was queued.
            IgnoresRefreshes => "deadline::a_refreshed_flow_expires_at_its_new_deadline",
            /// Expiry is checked first, and acted on later.
            LosesRefreshes => "deadline::a_granted_refresh_outruns_expiry",
            /// The queue is not told of earlier deadlines.
            MissesEarlierDeadlines => "deadline::a_shorter_timeout_takes_effect_at_once",
            /// A reap counts the ends that look-ups have counted.
            CountsEndsTwice => "status::each_end_is_counted_once",
            /// `cancel` counts each call.
            CountsCancelsTwice => "early_end::cancel_is_idempotent",
            /// `reinsert` takes cancelled flows.
            RevivesTheCancelled => "status::cancelled_is_final",
            /// The table goes without telling its flows.
            LeavesFlowsActive => "handles::outlive_the_table",

            // Look-up and references.
            /// An expired flow is found while the table itself holds it.
            CountsItsOwnReference => "lookup::the_tables_own_reference_does_not_count",
            /// `OnExpiry::Remove` is ignored.
            IgnoresTheOption => "lookup::expired_is_not_found_if_so_wished",
            /// A flow that a look-up expires is released at once.
            LookupForgetsEnds => "export::hands_each_ended_flow_over_once",
            /// A look-up keeps others out.
            LookupsExclude => "lookup::a_lookup_waits_for_no_lookup",
            /// Handles are equal if their keys are.
            ComparesByKey => "handles::compare_by_identity",
            /// Each match is said to be one of the forward key.
            ForgetsDirections => "two_keys::both_keys_find_the_flow",
            /// Flows of any table are taken.
            TakesForeignFlows => "handles::of_other_tables_are_refused",
            /// Values are dropped under the lock.
            DropsUnderLock => "values::drop_may_call_the_table",
            /// The value of a removed flow is never dropped.
            LeaksRemovedValues => "values::dropped_once_when_all_let_go",
            /// An open burst holds the lock for reading.
            BurstHoldsTheLock => "bursts::an_open_burst_blocks_nothing_on_its_thread",

            // Insertion, removal, limits.
            /// An expired flow that somebody holds keeps its key.
            EndedFlowsBlock => "insert::what_is_not_live_blocks_nothing",
            /// Of a pair, only one key is removed.
            UnlinksOneKey => "memory::one_packet_flows_leave_nothing",
            /// A panic in `Eq` takes a place away.
            PanicTakesAPlace => "panics::any_call_may_panic",
            /// Memory is never given back.
            NeverShrinks => "memory::memory_goes_back_after_a_flood",
            /// Memory goes back in pages, and flows stay in theirs.
            FlowsKeepTheirPages => "memory::memory_follows_those_that_live_on",
            /// The slots of flows that made room pile up.
            DeadSlotsPileUp => "memory::a_flood_stays_within_bounds",

            // Flows that stay, places, values that panic, and what waits.
            /// An insertion that meets a dead slot clears another one with the same tag.
            InsertingClearsByTag => "stable::found_while_drops_insert",
            /// While the table grows, nothing is in it.
            GrowsInTwoSteps => "stable::found_under_churn",
            /// To unlink a reply key clears another slot with the same tag.
            UnlinkingClearsByTag => "stable::pairs_found_under_churn",
            /// A conditional insertion takes a place before it looks.
            LookingTakesAPlace => "room::hits_take_no_place",
            /// So does one that replaces.
            ReplacingTakesAPlace => "room::replacements_take_no_place",
            /// So does a reinsertion.
            PuttingBackTakesAPlace => "room::reinsertions_take_no_second_place",
            /// Of the flows that a burst lets go, those after one that panics are leaked.
            ClosingLeaksTheRest => "drops::a_burst_lets_go_though_each_panics",
            /// Of the flows that the table lets go, those after one that panics are leaked.
            TableLeaksTheRest => "drops::the_table_goes_though_each_panics",
            /// A flow that made room is never dropped.
            MakingRoomLeaks => "drops::what_made_room_goes_though_each_panics",
            /// What an operation returns is leaked if the last of what it has looked at panics.
            PanicLeaksTheResult => "drops::nothing_leaks_where_an_operation_lets_go_last",
            /// The end of a burst within a drop collects what another one's end is collecting.
            CollectingNests => "drops::do_not_nest",
            /// What a reap lets go beside the end of the last burst waits for the next one.
            StrandsInLimbo => "rest::nothing_waits_without_a_burst",
            /// What ends while any burst is open waits for all of them.
            BurstsHoldEverything => "stalls::a_stalled_burst_holds_back_little",
            /// A burst that has closed keeps what it has borrowed while another one is open.
            BurstsWaitForEachOther => "stalls::short_bursts_wait_for_no_stalled_one",
            /// The time of the latest burst is told.
            TellsTheLatestBurst => "stalls::the_oldest_burst_is_told",
            /// A table waits for its bursts as it goes.
            TableWaitsForBursts => "rest::a_forgotten_burst_holds_nothing_up",
            /// A note of each reinsertion is kept until the next reap.
            PuttingBackLeavesANote => "rest::ends_taken_back_pile_nothing_up",
            /// A note of each removal is.
            RemovingLeavesANote => "rest::ends_and_removals_pile_nothing_up",
            /// A note of each cancellation is.
            CancellingLeavesANote => "rest::ends_and_cancellations_pile_nothing_up",

            /// A note of each insertion is kept for ever.
            KeepsNotesOfAll => "concurrency::histories_of_one_key_are_linearizable",
            /// The last place is refused.
            RefusesTheLastPlace => "concurrency::histories_of_one_key_are_linearizable",
            /// A full table refuses some that could have room made for them.
            SometimesMakesNoRoom => "concurrency::histories_of_pairs_are_linearizable",
            /// One place more than the limit is given, and not told of.
            ExceedsTheLimit => "concurrency::histories_of_pairs_are_linearizable",
            /// What waits for a burst that was forgotten is leaked with the table.
            TableLeaksWhatWaits => "stress::everything_at_once_with_forgotten_bursts_goes_on",
            /// The hash that is told for the first key is taken for both.
            ToldHashForBothKeys => "insert::a_hash_is_carried_to_the_insertion",
            /// Keys with the same hash are one key.
            FindsByHash => "random::runs_of_colliding_keys_agree_with_the_model",
            /// A removal clears another slot with the same tag.
            RemovingClearsByTag => "random::runs_of_keys_alike_agree_with_the_model",

            // What can be broken from outside: see `teeth/broken.rs`.
            /// A batch is looked up from its end.
            BatchBackwards => "lookup::a_batch_is_so_many_lookups",
            /// A batch adds to what was found before.
            BatchAppends => "lookup::a_batch_is_so_many_lookups",
            /// `make` is called under a lock.
            MakesUnderLock => "insert::make_runs_under_no_lock",
            /// `make` is called on a hit as well.
            MakesOnAHit => "insert::get_or_insert_makes_only_on_a_miss",
            /// `insert_if_absent` replaces.
            DisplacesTheLive => "insert::if_absent_displaces_nothing_live",
            /// A full table lets go of live flows.
            EvictsTheLive => "capacity::a_full_table_refuses",
            /// A full table never makes room.
            MakesNoRoom => "capacity::a_full_table_makes_room",
            /// What made room is handed to nobody.
            LosesWhatMadeRoom => "capacity::a_full_table_makes_room",
            /// What made room is handed over twice.
            HandsTheDyingOverTwice => "dying::no_record_is_lost_by_who_ignores_results",
            /// Any number of flows may die.
            IgnoresTheAllowance => "dying::as_many_as_the_limit_may_die",
            /// A flow that dies takes a place away.
            DyingTakesAPlace => "dying::a_race_for_room_loses_nothing",
            /// A dying flow is put back as if it had its place.
            DyingNeedsNoRoom => "dying::dying_flows_can_be_put_back",
            /// A dying flow that was put back is handed over for its earlier end.
            HandsOverWhatCameBack => "dying::dying_flows_can_be_put_back",
            /// An ended flow needs room to come back, though it has its place.
            ComingBackNeedsRoom => "dying::what_has_its_place_keeps_it",
            /// Dying flows cost a reap nothing of its budget.
            DyingCostNothing => "dying::dying_flows_keep_to_the_budget",
            /// When nothing has a place, nothing is said to wait, whatever dies.
            DyingAreNoWork => "dying::dying_flows_are_work_that_waits",
            /// The table leaks those that die as it goes.
            TableLeaksTheDying => "dying::the_table_drops_those_that_die",
            /// Whatever the limit was lowered to, one place given up is enough.
            OnePlaceIsEnough => "dying::a_lowered_limit_takes_several_places",
            /// When the callback panics, the rest of the dying flows is lost.
            PanicLosesTheDying => "dying::a_reap_of_the_dying_survives_its_callback",
            /// A dying flow is out of reach of look-ups.
            DyingAreHidden => "dying::dying_flows_are_found_as_ended_ones",
            /// A lower limit evicts.
            LoweringEvicts => "capacity::the_limit_can_be_moved",
            /// A limit of zero means that there is none.
            ZeroIsNoLimit => "hostile::the_limit_goes_anywhere",
            /// `remove_flow` removes by key.
            RemovesByKey => "early_end::remove_flow_goes_by_identity",
            /// The budget of a reap is ignored.
            IgnoresTheBudget => "reap::keeps_to_its_budget",
            /// A reap never says that there is more.
            GivesUpEarly => "reap::keeps_to_its_budget",
            /// Ended flows are handed over twice.
            HandsOverTwice => "export::hands_each_ended_flow_over_once",
            /// A reap calls back under a lock.
            CallsBackUnderLock => "export::the_callback_may_use_the_table",
            /// When the callback panics, the rest of the reaped flows is lost.
            PanicLosesTheRest => "panics::a_reap_survives_its_callback",
            /// When a value's `Drop` panics, the rest of the reaped flows is leaked.
            PanicLeaksTheRest => "drops::a_batch_goes_though_each_panics",
            /// `next_deadline` is a second late.
            NextDeadlineLate => "reap::next_deadline_is_a_lower_bound",
            /// Flows with two keys are visited twice.
            VisitsPairsTwice => "iteration::visits_each_flow_once",
            /// Iteration calls back under a lock.
            VisitsUnderLock => "iteration::callbacks_may_use_the_table",
            /// A reap asks about no live flow.
            AsksOnlyAboutTheDue => "questions::long_flows_are_shown_in_each_period",
            /// What a question is answered makes no difference.
            IgnoresAnswers => "questions::an_answer_keeps_a_flow",
            /// An answer takes time from a live flow.
            AnswersShorten => "questions::an_answer_takes_no_time_away",
            /// Two reaps ask about a flow at a time.
            AsksTwiceAtOnce => "questions::one_question_at_a_time",
            /// A reap asks under a lock.
            AsksUnderLock => "questions::the_callback_may_use_the_table",
            /// When a question panics, its flow is never looked at again.
            PanicOfAQuestionLosesTheFlow => "questions::a_panic_in_a_question_loses_nothing",
            /// A prepared flow takes a place.
            PreparedFlowsTakeAPlace => "prepared::a_prepared_flow_is_nowhere_until_it_is_put_in",
            /// Look-ups find a prepared flow.
            PreparedFlowsAreFound => "prepared::a_prepared_flow_is_nowhere_until_it_is_put_in",
            /// A prepared flow that never was in the table leaves a record.
            PreparedFlowsAreRecorded => "prepared::only_what_was_in_the_table_is_recorded",
            /// An insertion wakes nobody.
            InsertingWakesNobody => "waking::earlier_work_wakes_who_sleeps",
            /// A cancellation wakes nobody.
            CancellingWakesNobody => "waking::earlier_work_wakes_who_sleeps",
            /// Only much earlier work wakes anybody.
            WakesForTheLatest => "waking::earlier_work_wakes_who_sleeps",
            /// Whoever sleeps is woken under a lock.
            WakesUnderLock => "waking::a_waker_may_use_the_table",
            /// Evicted flows are counted as removed.
            EvictedCountAsRemoved => "evicting::the_lowest_rank_goes",
            /// The flow with the highest rank goes.
            EvictsTheHighest => "evicting::the_lowest_rank_goes",
            /// What is evicted is not handed over.
            LosesTheEvicted => "evicting::nothing_is_lost_under_a_flood",
            /// Each sample is the same.
            SamplesTheSame => "evicting::samples_go_round",
            /// Iteration cannot be left early.
            IteratesToTheEnd => "iteration::may_end_early",
            /// A list for people lacks a flow.
            DumpsLackOne => "iteration::lists_are_whole_and_in_order",
            /// Refusals are not counted.
            ForgetsRefusals => "memory::counters_tell_what_happened",
        }
    };
}

macro_rules! flaw_enum {
    ($($(#[$doc:meta])+ $flaw:ident => $case:literal,)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flaw {
            $($(#[$doc])+ $flaw,)+
        }
    };
}

each_flaw!(flaw_enum);

thread_local! {
    static CHOSEN: Cell<Option<Flaw>> = const { Cell::new(None) };
}

/// Breaks the tables that `body` makes on this thread.
pub fn with<R>(flaw: Flaw, body: impl FnOnce() -> R) -> R {
    CHOSEN.set(Some(flaw));
    let result = body();
    CHOSEN.set(None);
    result
}

/// The flaw of the tables made now.
pub fn chosen() -> Option<Flaw> {
    CHOSEN.get()
}
