//! The ways to a flow: counted references, weak references, and borrows within a burst.

mod borrow;
mod counted;
mod flow;

pub(crate) use borrow::{peek, peek_live};
pub use counted::{StrongRef, WeakRef};
