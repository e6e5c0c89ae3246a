//! The suite's locks and counted references. They are std's; under `--cfg flow_table_tsan` ThreadSanitizer
//! understands them.

#[cfg(flow_table_tsan)]
pub(crate) use flow_table_api::tsan::{Arc, Mutex, MutexGuard, Weak};
#[cfg(not(flow_table_tsan))]
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, Weak};
