//! A program that depends on the facade, or takes a backend from it, needs no other crate. The whole API is
//! re-exported, and every name means the same thing everywhere.

use std::any::TypeId;

/// The types at `at` are those of the API crate.
macro_rules! same_types {
    ($($name:ident $(<$($arg:tt),+>)?)+) => {$(
        assert_eq!(
            TypeId::of::<at::$name $(<$($arg),+>)?>(),
            TypeId::of::<flow_table_api::$name $(<$($arg),+>)?>(),
            stringify!($name)
        );
    )+};
}

/// The traits at `at` are those of the API crate: types that implement these implement those. The compiler checks
/// this.
macro_rules! same_traits {
    ($($name:ident $(<$($arg:tt),+>)?)+) => {$({
        fn _given<T: flow_table_api::$name $(<$($arg),+>)?>() {
            fn wanted<T: at::$name $(<$($arg),+>)?>() {}
            wanted::<T>();
        }
    })+};
}

macro_rules! whole_api_at {
    ($module:ident, $at:path) => {
        mod $module {
            use super::*;
            use $at as at;

            #[test]
            fn the_whole_api_is_there() {
                same_types! {
                    Admission<u8, u8, u8> Borrowed<'static, u8> Budget Direction EndCounts EndReason Ended<u8>
                    FinalRecord<u8, u8> FlowKey FlowKeyError FlowKeyView<'static> ForeignFlow
                    InsertError<u8, u8, u8> Inserted<u8> KeyHash KeyHasher ManualClock MonotonicClock
                    NewFlow<u8, u8> NewFlowParts<u8, u8> NotLive OnExpiry ReapReport ReinsertError<u8>
                    Stats Status TableConfig Tenant Timeout Timestamp
                }
                same_traits! {
                    Burst<u8, u8> Clock Flow<u8, u8> FlowRef<u8, u8> Key KeyForm<u8> Table<u8, u8> Value
                    WeakFlowRef<u8, u8>
                }
                let _ = at::state::FlowState::new;
            }
        }
    };
}

whole_api_at!(facade, flow_table);

#[cfg(feature = "dashmap")]
whole_api_at!(dashmap, flow_table::dashmap::flow_table_api);

#[cfg(feature = "custom")]
whole_api_at!(custom, flow_table::custom::api);

/// The table at `backend` works with nothing but what is at `at`.
#[cfg(any(feature = "dashmap", feature = "custom"))]
macro_rules! works_alone {
    ($name:ident, $backend:path, $at:path) => {
        #[test]
        fn $name() {
            use at::{Flow as _, Table as _};
            use $at as at;
            use $backend as backend;

            type Flows = backend::FlowTable<u8, u8>;
            let table = Flows::new(1);
            let admission: at::AdmissionOf<u8, u8, Flows> = table
                .get_or_insert_with(at::FlowSpec::new(1), at::Timestamp::ZERO, || 10)
                .expect("the table has room");
            let refused: at::InsertErrorOf<u8, u8, Flows> =
                table.insert(at::NewFlow::new(2, 20), at::Timestamp::ZERO).expect_err("the table is full");
            assert_eq!(*refused.into_flow().value(), 20);
            let flow = table.lookup(&1, at::Timestamp::ZERO).expect("inserted above");
            assert_eq!((&flow, *flow.value()), (admission.flow(), 10));
            assert!(flow.cancel());
            assert_eq!(table.reap(at::Timestamp::ZERO, at::Budget::UNLIMITED).cancelled, 1);
        }
    };
}

#[cfg(any(feature = "dashmap", feature = "custom"))]
works_alone!(the_alias_works_alone, flow_table, flow_table);

#[cfg(feature = "dashmap")]
works_alone!(dashmap_works_alone, flow_table::dashmap, flow_table::dashmap::flow_table_api);

#[cfg(feature = "custom")]
works_alone!(custom_works_alone, flow_table::custom, flow_table::custom::api);

#[test]
#[cfg(feature = "custom")]
fn custom_is_selected_whenever_it_is_on() {
    assert_eq!(
        TypeId::of::<flow_table::FlowTable<u8, u8>>(),
        TypeId::of::<flow_table::custom::FlowTable<u8, u8>>()
    );
}

#[test]
#[cfg(all(feature = "dashmap", not(feature = "custom")))]
fn dashmap_is_selected_if_it_is_alone() {
    assert_eq!(
        TypeId::of::<flow_table::FlowTable<u8, u8>>(),
        TypeId::of::<flow_table::dashmap::FlowTable<u8, u8>>()
    );
}
