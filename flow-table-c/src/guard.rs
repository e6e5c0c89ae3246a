//! The border that no panic crosses.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`. If it panics, returns `otherwise`: the panic hook has reported it, and tables stay consistent
/// (contract V4).
#[inline]
pub(crate) fn guard<R>(otherwise: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::resume_unwind;

    #[test]
    fn a_panic_goes_no_further() {
        assert_eq!(guard(1, || 2), 2);
        assert_eq!(guard(1, || resume_unwind(Box::new("not shown: no panic hook runs"))), 1);
    }
}
