//! Records concurrent histories, and checks that they can be explained.
//!
//! Threads record what they did to a table, each operation with the interval in which it ran. The history is
//! linearizable if there is an order of all moments at which operations took effect, one that contradicts no
//! interval, along which the [model](crate::model) allows each outcome that was seen ([`explain`]).
//!
//! Keys are explained separately. They share only the places of the table. Refusals, the limit and the room that
//! insertions make are explained by intervals, over the whole history.
//!
//! * A [`Seed`] says what the threads of a history do: how many keys there are, from one that all threads want to
//!   many; whether flows have one key or two; and how full the table is.
//! * A [`Stage`] makes the history, on whatever threads call it.
//! * [`run`] does both on real threads, for many seeds. [`campaign`] does so for as many operations as the
//!   environment asks for, and [`histories_test!`](crate::histories_test) makes a test of it.

mod campaign;
mod check;
mod crew;
mod crowd;
mod event;
mod gate;
mod lane;
mod parts;
mod script;
mod search;
mod stage;
#[cfg(test)]
mod tests;

pub use campaign::campaign;
pub use check::{Unexplained, explain};
pub use crew::{Tally, run};
pub use event::{Event, History, Recorder};
pub(crate) use gate::Gate;
pub use script::{Fill, PROFILES, Profile, Seed};
pub use stage::Stage;
