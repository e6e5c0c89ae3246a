//! Names, counts, locks and panics: code that does not know flows, keys or time.

pub(crate) mod count;
pub(crate) mod id;
pub(crate) mod nesting;
pub(crate) mod open;
pub(crate) mod panics;
pub(crate) mod sync;
pub(crate) mod watermark;
