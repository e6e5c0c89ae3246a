use flow_table::{Timeout, Timestamp};

use crate::Workload;
use crate::data::Key;
use crate::subject::Subject;

/// A peer that this build has not. It declines all workloads.
pub struct Absent;

impl Subject for Absent {
    type Scratch = ();

    fn new(_: usize, _: usize) -> Self {
        Self
    }

    fn cannot(_: Workload) -> Option<&'static str> {
        Some("this build has it not")
    }

    fn insert(&self, _: Key, _: Timeout, _: Timestamp) {}

    fn hit(&self, _: &Key, _: Timestamp) -> bool {
        false
    }

    fn find(&self, _: &Key, _: Timestamp) -> bool {
        false
    }

    fn held(&self) -> usize {
        0
    }
}
