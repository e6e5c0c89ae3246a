use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// Keeps the first of several panics of user code until everything that must be done is done.
#[must_use = "the panic is lost if it does not go on"]
pub(crate) struct Panics(Option<Box<dyn Any + Send>>);

impl Panics {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// Runs `step` until it returns `false`. After a step that panics, the next step runs.
    #[inline]
    pub(crate) fn repeat(&mut self, mut step: impl FnMut() -> bool) {
        // A panic may leave the user's value in an odd state; the table's own state is kept by guards.
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| while step() {})) {
            self.keep(panic);
        }
    }

    pub(crate) fn catch(&mut self, action: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(action)) {
            self.keep(panic);
        }
    }

    #[cold]
    fn keep(&mut self, panic: Box<dyn Any + Send>) {
        if self.0.is_none() {
            self.0 = Some(panic);
        } else if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            // The drop of a panic's payload has panicked. Trying again could go on for ever.
            std::mem::forget(again);
        }
    }

    /// Resumes the first panic, unless the thread is panicking already.
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

#[cfg(all(test, not(flow_table_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_done_and_the_first_panic_goes_on() {
        let (mut panics, mut steps) = (Panics::none(), 0);
        panics.repeat(|| {
            steps += 1;
            assert!(steps % 2 == 0, "step {steps}");
            steps < 6
        });
        panics.catch(|| panic!("another"));
        assert_eq!(steps, 6);
        let first = catch_unwind(AssertUnwindSafe(|| panics.resume())).expect_err("it goes on");
        assert_eq!(first.downcast_ref::<String>().map(String::as_str), Some("step 1"));
        Panics::none().resume();
    }
}
