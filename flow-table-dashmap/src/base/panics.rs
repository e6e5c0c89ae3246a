use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The first of several panics.
///
/// If several values or keys are dropped and two of them panic, the second panic would come while the first
/// unwinds, and end the process. So each is dropped separately here, and the first panic continues when everything
/// is done (contract V4).
#[derive(Default)]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) fn catch(&mut self, action: impl FnOnce()) {
        // The value is responsible for the state in which its panic leaves it.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(action)) {
            self.0.get_or_insert(panic);
        }
    }

    /// Drops everything that `items` yields.
    pub(crate) fn drop_each(&mut self, items: impl IntoIterator) {
        items.into_iter().for_each(|item| self.catch(|| drop(item)));
    }

    /// Continues the first panic, unless this thread is already unwinding.
    #[inline]
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0 {
            resume_or_drop(panic);
        }
    }
}

#[cold]
#[inline(never)]
fn resume_or_drop(panic: Box<dyn Any + Send>) {
    if !thread::panicking() {
        resume_unwind(panic);
    }
}

/// Drops everything that `items` yields, even if some drops panic.
pub(crate) fn drop_each(items: impl IntoIterator) {
    let mut panics = Panics::default();
    panics.drop_each(items);
    panics.resume();
}
