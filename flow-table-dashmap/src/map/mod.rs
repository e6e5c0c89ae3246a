//! The way from a key to what stands under it, and the locks of those who change that.

pub(crate) mod slots;
pub(crate) mod stripes;
