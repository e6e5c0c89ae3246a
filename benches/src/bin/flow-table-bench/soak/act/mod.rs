//! What threads do, and what must come of it.

mod ends;
mod handles;
mod insert;
mod limits;
mod lookup;
mod reap;
mod stable;
mod walk;
