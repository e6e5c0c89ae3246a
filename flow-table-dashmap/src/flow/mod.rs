//! A flow, the counted references to it, and the part of the table that flows know.

pub(crate) mod earlier;
pub(crate) mod handle;
pub(crate) mod home;
pub(crate) mod record;
pub(crate) mod strong;
