//! The sequential reference model: what a table does, in the simplest terms, without a hash, a lock or a queue.
//!
//! The contract leaves a table some choices: which flows a limited reap takes, which one gives up its place to
//! make room, whether a look-up hides a flow that it did not find. So the model is not a function but a relation:
//! [`Model::step`] takes an [operation](Op) and the [outcome](Outcome) that was seen, and returns every state in
//! which a correct table may be after it; none if no correct table could have given that outcome. Whoever follows
//! a table keeps all of them, as the property tests of the suite do; a checker of concurrent histories searches
//! for an order of operations along which some state is left.
//!
//! Which flows are dying cannot be seen until one is put back. So a state says how many are, and which flows may
//! be among them; what cannot be told apart is one state.

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
