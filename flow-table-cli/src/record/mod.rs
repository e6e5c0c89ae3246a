//! What is recorded about flows.

mod end;
mod flow;
mod orientation;
mod state;
mod tally;
mod value;

pub use end::End;
pub use flow::FlowRecord;
pub use orientation::{Orientation, Oriented};
pub use state::TcpState;
pub use tally::Tally;
pub use value::Record;
pub(crate) use value::{Happened, Rules};
