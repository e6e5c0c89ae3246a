//! The list of cases. It alone says which cases exist, and which rules each is about.
//!
//! Everything else is made from it: the tests of a backend, the list for programs, and the documentation. A case
//! that is not listed is dead code, which the compiler reports.

use crate::{Backend, Rule, Setup};

/// A case by name, without a backend to run it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseInfo {
    /// Module and function.
    pub name: &'static str,
    /// The rules it is about.
    pub rules: &'static [Rule],
}

/// A case for one backend.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is.
    pub info: CaseInfo,
    /// Runs it in one configuration. Panics if the backend fails.
    pub run: fn(Setup),
}

macro_rules! registry {
    ($($module:ident { $($case:ident [$($rule:ident)+];)+ })+) => {
        /// Every case.
        pub const CASES: &[CaseInfo] = &[$($(CaseInfo {
            name: concat!(stringify!($module), "::", stringify!($case)),
            rules: &[$(Rule::$rule),+],
        },)+)+];

        /// Every case for one backend, for programs that run cases themselves. Tests come from
        /// [`conformance_tests!`](crate::conformance_tests).
        pub fn all<B: Backend>() -> Vec<Case> {
            let run: &[fn(Setup)] = &[$($(crate::cases::$module::$case::<B>,)+)+];
            CASES.iter().zip(run).map(|(&info, &run)| Case { info, run }).collect()
        }

        $(
            #[doc = concat!("The cases of the theme *", stringify!($module), "*.")]
            pub mod $module {
                $(
                    #[doc = concat!("Contract: ", $(stringify!($rule), " "),+)]
                    #[doc = ""]
                    pub use crate::cases::$module::$case;
                )+
            }
        )+
    };
}

/// Hands the list to the macro whose path stands in the brackets, after the other arguments.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ([$($then:tt)+] $($args:tt)*) => {
        $($then)+! { $($args)*
            time {
                live_until_the_deadline [T3 L1 L2];
                the_table_reads_no_clock [T1];
                time_saturates [T2];
                an_older_now_expires_nothing [T2 D1];
                an_older_now_revives_nothing [T2 L2];
                a_timeout_of_zero_is_due_at_once [T3 I1];
            }
            status {
                a_flow_is_what_was_inserted [S2 I6 V2];
                only_the_documented_edges_exist [S1];
                active_exactly_while_findable [S2 D4];
                each_end_is_counted_once [S3 C5];
                cancelled_is_final [S1 I5 E1];
                one_of_many_ends_wins [S1 S3 X1];
            }
            lookup {
                finds_the_flow_under_its_key [L1];
                expires_what_is_due_on_the_spot [L2 R4];
                expired_is_found_while_referenced [L3];
                the_tables_own_reference_does_not_count [L3];
                expired_is_not_found_if_so_wished [L3];
                a_new_flow_hides_the_expired_one [L3 I2];
                finds_no_dead_slot_and_none_stays [L4];
                a_filled_slot_is_not_dead [L4 R3];
                a_batch_is_so_many_lookups [L5];
                a_batch_follows_the_rules_of_lookup [L5 L2 I4];
                a_lookup_waits_for_no_lookup [L6];
            }
            forms {
                a_key_is_found_by_any_form_of_it [L7 U1];
                a_carried_hash_serves_look_ups [L8 U1];
                the_callers_hash_serves_a_flow_for_life [L8 I5 R3];
            }
            bursts {
                lookups_follow_the_rules [U1 L2 L3];
                a_batch_is_so_many_lookups [U1 L5];
                a_handle_outlives_the_burst [U1 V1];
                a_borrowed_flow_is_ended_and_moved [U1 D4 E1 E2];
                an_open_burst_blocks_nothing_on_its_thread [U2 V3];
                an_open_burst_blocks_no_other_thread [U2 V3];
                values_wait_for_the_burst_and_no_longer [U1 U2 V1];
                many_bursts_on_one_thread [U3 U2];
                many_bursts_on_many_threads [U3 U1 X2];
            }
            stalls {
                a_stalled_burst_holds_back_little [U4 U1 U2];
                short_bursts_wait_for_no_stalled_one [U4 U3];
                a_leaked_burst_costs_its_share_once [U4 C3];
                the_oldest_burst_is_told [U4 C5];
            }
            insert {
                replaces_the_live_flow [I1 C5];
                the_replacement_is_kept [I1 R3];
                the_replaced_value_is_dropped_at_once [I1 V1];
                replacing_an_ended_flow_loses_nothing [I1 R4];
                if_absent_displaces_nothing_live [I2];
                every_live_flow_is_found_among_many [I2 L1];
                what_is_not_live_blocks_nothing [I2 L3];
                one_of_many_threads_installs [I2 I3 X1];
                get_or_insert_makes_only_on_a_miss [I3 I4];
                make_runs_under_no_lock [I3 I2];
                what_is_not_made_is_not_inserted [I3 E3];
                a_flow_stands_under_its_own_keys [I6 I3];
                a_hash_is_carried_to_the_insertion [L5 I1 I2 I3];
            }
            reinsert {
                puts_ended_flows_back [I5 S1];
                displaces_nothing_live [I5 I4];
                outlasts_the_reap_that_let_go [I5 V4 X1];
            }
            prepared {
                a_prepared_flow_is_nowhere_until_it_is_put_in [I5 S1 V5 C1];
                flows_are_linked_before_they_are_found [I5 V2 V5];
                only_what_was_in_the_table_is_recorded [I5 R7];
            }
            two_keys {
                both_keys_find_the_flow [I4 L1];
                both_keys_end_together [I4 S3];
                both_keys_share_one_deadline [I4 L3 D1];
                identical_keys_are_refused [I4];
                a_conflict_installs_neither_key [I4];
                if_absent_names_the_key_and_its_holder [I4 I2];
                a_replaced_pair_goes_with_both_keys [I4 I1];
                an_ended_pair_loses_both_keys [I4 L3];
                ended_flows_block_no_pair [I4 I2];
                crossing_pairs_are_not_torn [I4 I2 X1];
                no_observer_sees_half_a_pair [I4 X1];
            }
            deadline {
                refresh_moves_to_now_plus_timeout [D1];
                a_refused_refresh_changes_nothing [D1 D2];
                busy_flows_accumulate_no_time [D3];
                a_refreshed_flow_expires_at_its_new_deadline [D2 R1];
                a_granted_refresh_outruns_expiry [D2 X1];
                a_refresh_waits_for_no_lock [D1];
                a_shorter_timeout_takes_effect_at_once [D4];
                a_deadline_can_be_moved_either_way [D4];
                setters_revive_nothing [D4 I5];
                refreshed_for_once_is_extended_only [D1 D4];
                slack_prolongs_within_bounds [D5 D1 D3];
                slack_leaves_setters_exact [D5 D4];
            }
            reap {
                removes_what_is_due_and_reports_it [R1];
                keeps_to_its_budget [R1];
                an_idle_reap_does_not_walk_the_table [R1];
                covers_all_threads [R2 X2];
                a_local_reap_does_its_share [R2];
                follows_a_flow_to_another_thread [R2 R3 I5 D4];
                works_by_identity [R3];
                one_late_reap_collects_everything [R5 R2];
                next_deadline_is_a_lower_bound [R6];
                equal_deadlines_and_hashes_hide_nothing [R1 C4];
            }
            export {
                hands_each_ended_flow_over_once [R4 S3];
                the_callback_may_use_the_table [R4 V3];
            }
            questions {
                an_answer_keeps_a_flow [R8 R4 L2];
                an_answer_takes_no_time_away [R8 D2];
                long_flows_are_shown_in_each_period [R8 D4];
                one_question_at_a_time [R8 D4 E1 E2 I5];
                a_panic_in_a_question_loses_nothing [R8 V4];
                the_callback_may_use_the_table [R8 V3];
                questions_beside_everything_add_up [R8 X2 S3 R4];
                any_active_timeout_will_do [R8 R1 T2];
                no_question_about_what_has_ended [R8 R4];
                an_answer_is_for_its_own_question [R8 I5];
                a_question_outlasts_a_new_deadline [R8 D4];
                a_flood_puts_no_question_off [R8 C2];
                room_is_made_beside_questions [R8 C2];
                wishes_are_kept [R8 C2 V4];
            }
            waking {
                earlier_work_wakes_who_sleeps [R6];
                a_waker_may_use_the_table [R6 V3];
                no_work_is_slept_through [R6 X2];
                each_registration_counts [R6 V3];
            }
            evicting {
                the_lowest_rank_goes [C6 C2 S3];
                samples_go_round [C6 E3];
                nothing_is_lost_under_a_flood [C6 C1 X2];
            }
            early_end {
                cancel_takes_effect_at_once [E1 R4];
                cancel_is_idempotent [E1 S3];
                cancel_hides_an_expired_flow [E1 L3];
                cancel_leaves_a_detached_flow_alone [E1 S1 L3];
                cancelled_flows_keep_to_the_budget [R1 E1];
                cancel_is_not_lost_to_the_insertion [E1 S1 X1];
                remove_releases_at_once [E2 I4];
                remove_reaches_other_threads_flows [E2 R2];
                remove_flow_goes_by_identity [E2 R3];
                remove_looks_at_no_deadline [E2 R4];
            }
            records {
                each_flow_leaves_one_with_its_reason [R7 S3];
                a_record_waits_for_holders_and_bursts [R7 U2 V2];
                none_is_lost_with_the_table [R7 V5];
                a_record_may_use_the_table [R7 V1 V4];
                every_count_is_in_one_record [R7 X2];
            }
            iteration {
                visits_each_flow_once [E3];
                retain_removes_the_rest [E3 E2];
                callbacks_may_use_the_table [E3 V3];
                is_exact_for_what_stays [E3 X2];
                may_end_early [E3];
                lists_are_whole_and_in_order [E3];
            }
            values {
                dropped_once_when_all_let_go [V1];
                a_refused_value_comes_back [V1 C2];
                the_table_drops_what_it_holds [V1];
                drop_may_call_the_table [V1 V3];
                drop_may_use_handles_after_the_table [V1 V5];
                keys_and_values_of_any_shape [V1 L1];
                the_ready_flow_key_works [L1 I4];
            }
            handles {
                compare_by_identity [V2];
                weak_ones_keep_nothing_alive [V2 V1];
                weak_ones_never_lead_to_another_flow [V2 R3];
                go_to_any_thread [V2 X2];
                held_ones_block_nothing [V3];
                of_other_tables_are_refused [V5];
                outlive_the_table [V5 V2 S1];
                of_tables_gone_are_refused [V5];
                may_go_while_the_table_goes [V5 V1];
            }
            hostile {
                time_goes_anywhere [T2 T3 D1 R1 R6];
                a_flood_is_refused_and_then_let_in [C1 C2 R4 S3];
                the_limit_goes_anywhere [C1 C2 I1];
                the_limit_moves_under_a_race [C1 C2 X1];
                a_slow_drop_delays_nobody_else [V1 V3 X2];
                a_slow_callback_delays_nobody_else [V3 R4 E3 I3];
                callbacks_may_nest [R4 E3 I3 V3];
                drops_may_follow_each_other [V1 V3];
            }
            panics {
                any_call_may_panic [V4 V1 I3 E3 R4];
                any_drop_of_a_key_may_panic [V4 V1];
                hash_and_eq_may_panic_while_growing [V4];
                callbacks_may_panic [V4 I3 E3];
                a_reap_survives_its_callback [V4 R4];
                an_interrupted_insertion_loses_no_ended_flow [V4 R4 C2];
                drop_may_panic [V4 V1];
                drop_may_panic_with_the_table [V4 V1];
                a_reap_survives_a_drop [V4 V1];
            }
            drops {
                a_batch_goes_though_each_panics [V4 V1];
                a_burst_lets_go_though_each_panics [V4 V1 U2];
                the_table_goes_though_each_panics [V4 V1];
                what_made_room_goes_though_each_panics [V4 C2];
                nothing_leaks_where_an_operation_lets_go_last [V4 V1];
                do_not_nest [V1 U2];
            }
            capacity {
                a_full_table_refuses [C1 C2];
                a_full_table_still_replaces [C2 I1];
                a_full_table_makes_room [C2 R4];
                room_is_made_until_nothing_is_due [C2 R2];
                refusals_cost_no_place [C1 C2];
                the_limit_can_be_moved [C1];
                asking_the_size_does_not_walk_the_table [C1 C5 R6];
                reinsert_needs_room_too [C2 I5];
                never_exceeded_under_a_race [C1 X1];
            }
            dying {
                as_many_as_the_limit_may_die [C2];
                dying_flows_are_found_as_ended_ones [C2 L3 E1 E2 E3];
                dying_flows_can_be_put_back [C2 I5 R4];
                what_has_its_place_keeps_it [C2 I5];
                dying_flows_keep_to_the_budget [C2 R1 R4];
                dying_flows_are_work_that_waits [C2 R6 C5];
                the_table_drops_those_that_die [C2 V1];
                a_lowered_limit_takes_several_places [C2 C1 R4];
                a_reap_of_the_dying_survives_its_callback [C2 V4 R4];
                no_record_is_lost_by_who_ignores_results [C2 R4];
                a_race_for_room_loses_nothing [C2 C1 X1 R4];
            }
            room {
                hits_take_no_place [C2 I2 I3];
                replacements_take_no_place [C2 I1];
                reinsertions_take_no_second_place [C2 I5];
            }
            memory {
                memory_goes_back_after_a_flood [C3];
                memory_follows_those_that_live_on [C3A C3 E3 R1];
                dead_slots_do_not_prevent_shrinking [C3 L4];
                one_packet_flows_leave_nothing [C3 C4 R5];
                a_flood_stays_within_bounds [C4 C1 C2];
                hash_seeds_are_random [C4];
                counters_tell_what_happened [C5];
                memory_follows_the_flows [C5 C3];
            }
            stable {
                found_while_drops_insert [L1 V1 I2];
                found_under_churn [L1 X1 I2];
                pairs_found_under_churn [L1 X1 I4];
            }
            rest {
                nothing_waits_without_a_burst [U2 I1 C5];
                a_forgotten_burst_holds_nothing_up [V3 U2];
                ends_taken_back_pile_nothing_up [C5 R1 I5];
                ends_and_removals_pile_nothing_up [C5 R1 E2];
                ends_and_cancellations_pile_nothing_up [C5 R1 E1];
            }
            concurrency {
                histories_of_one_key_are_linearizable [X1];
                histories_of_pairs_are_linearizable [X1 I4];
                a_replaced_key_is_never_missing [X1 I1 I4];
                no_flow_conflicts_with_itself [X1 I5];
                nobody_loses_a_flow_to_a_dead_one [X1 L4 R3 I2];
            }
            stress {
                everything_at_once_adds_up [X2 X1 V1 S3 R4 C1];
                everything_at_once_with_reinsertion_adds_up [X2 I5 V1 C1];
                everything_at_once_with_forgotten_bursts_goes_on [X2 U2 V3 V1];
            }
            random {
                runs_in_a_small_table_agree_with_the_model [X1 T2 S1 S3 L2 L3 I1 I2 I4 I5 D4 R1 R4 R6 V1 C1 C2];
                runs_in_a_large_table_agree_with_the_model [X1 T2 S1 S3 L2 L3 U1 U2 I4 I5 D4 R1 R4 R6 V1 C5];
                runs_of_colliding_keys_agree_with_the_model [X1 C4 L1 L4 I1 I2 I4 I5 R3 V1 C2];
                runs_of_keys_alike_agree_with_the_model [X1 C4 L1 L4 I1 I2 I4 I5 R3 V1 C2];
            }
        }
    };
}

crate::__cases! { [registry] }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rule_is_without_a_case() {
        let covered: Vec<Rule> = CASES.iter().flat_map(|case| case.rules).copied().collect();
        let missing: Vec<_> = Rule::ALL.iter().filter(|rule| !covered.contains(rule)).collect();
        assert!(missing.is_empty(), "no case is about {missing:?}");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
