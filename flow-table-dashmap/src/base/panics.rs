use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// The first of several panics.
///
/// If values, or keys, are dropped in a row and two of them panic, the second would meet the first on its way and
/// end the process. So each is dropped by itself here, and the first panic goes on when all is done (contract V4).
#[derive(Default)]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) fn catch(&mut self, action: impl FnOnce()) {
        // What a panic leaves behind is the value's own affair.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(action)) {
            self.0.get_or_insert(panic);
        }
    }

    /// Drops what `items` yields.
    pub(crate) fn drop_each(&mut self, items: impl IntoIterator) {
        items.into_iter().for_each(|item| self.catch(|| drop(item)));
    }

    /// Lets the first panic go on, unless another is on its way on this thread.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0
            && !thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

/// Drops what `items` yields, all of it, whatever panics.
pub(crate) fn drop_each(items: impl IntoIterator) {
    let mut panics = Panics::default();
    panics.drop_each(items);
    panics.resume();
}
