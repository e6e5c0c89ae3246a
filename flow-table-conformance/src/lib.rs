#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod actor;
mod backend;
mod cases;
mod fixture;
mod flood;
mod handles;
pub mod history;
mod instantiate;
pub mod model;
pub mod random;
pub mod registry;
mod rules;
mod setup;
mod sync;

pub use flow_table_api as api;
pub use rstest;

pub use actor::Actor;
pub use backend::{Backend, TestRef, TestTable};
pub use fixture::{Ledger, TestKey, TestValue};
pub use flood::{floods, resident, stalls, survivors};
pub use handles::a_million_handles_outlive_the_table;
pub use instantiate::run;
pub use registry::{CASES, Case, CaseInfo};
pub use rules::Rule;
pub use setup::Setup;
