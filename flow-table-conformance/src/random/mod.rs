//! Random runs against the [model](crate::model).

mod driver;
mod execute;
mod step;

pub use driver::{Disagreement, Driver};
pub use step::{Draft, Step, step};
