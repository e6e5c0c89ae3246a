//! The sequential reference model. It says what a table does in the simplest terms, without a hash, a lock or a
//! queue.
//!
//! The contract leaves a table some choices: which flows a limited reap takes, which flow gives up its place to
//! make room, and whether a look-up hides a flow that it did not find. So the model is not a function but a
//! relation. [`Model::step`] takes an [operation](Op) and the [outcome](Outcome) that was seen, and returns every
//! state in which a correct table may be after it. It returns none if no correct table could have that outcome.
//! The property tests of the suite keep all these states. The checker of concurrent histories searches for an
//! order of operations along which some state is left.
//!
//! Nobody can see which flows are dying until one is put back. So a state contains how many are dying, and which
//! flows may be among them. Situations that cannot be distinguished are one state.

mod end;
mod insert;
mod lookup;
mod moment;
mod op;
mod reap;
mod room;
mod state;
mod step;
mod switch;
mod view;

pub use moment::{Fact, Moment};
pub use op::{Admitted, End, FlowId, Op, Outcome, Refusal, Sight, Spec};
pub use state::Model;
use state::{Entry, Switch, Worlds, one};
pub use view::View;
