//! What threads do, and what the results must be.

mod ends;
mod handles;
mod insert;
mod limits;
mod lookup;
mod reap;
mod stable;
mod walk;
