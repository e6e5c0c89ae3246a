//! What gives access to a flow: counted references, weak ones, and borrows within a burst.

mod borrow;
mod strong;
mod weak;

pub(crate) use borrow::peek;
pub use strong::StrongRef;
pub use weak::WeakRef;
