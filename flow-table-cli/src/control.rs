//! What a user wants of a running program: that it ends, or that it prints how far it is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::signal;
use signal_hook::flag;

/// Requests from signals and from closed pipes. All clones share them.
///
/// The flags are independent of any other memory, so relaxed orderings suffice.
#[derive(Clone, Debug, Default)]
pub struct Control {
    stop: Arc<AtomicUsize>,
    print: Arc<AtomicBool>,
}

/// Stands for a closed pipe where a signal's number is expected. No signal has this number.
const CLOSED_PIPE: usize = usize::MAX;

impl Control {
    /// Requests that come from signals: `SIGINT` and `SIGTERM` end the program with a summary, and `SIGUSR1` asks
    /// for one. A second `SIGINT` or `SIGTERM` ends the program at once.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if a handler cannot be installed.
    pub fn of_signals() -> io::Result<Self> {
        let control = Self::default();
        let armed = Arc::new(AtomicBool::new(false));
        for number in [signal::SIGINT, signal::SIGTERM] {
            // The order matters: the first signal arms the second.
            flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&armed))?;
            flag::register(number, Arc::clone(&armed))?;
            flag::register_usize(number, Arc::clone(&control.stop), number as usize)?;
        }
        #[cfg(unix)]
        flag::register(signal::SIGUSR1, Arc::clone(&control.print))?;
        Ok(control)
    }

    /// Asks the program to end because nobody reads its output any more.
    pub fn pipe_closed(&self) {
        self.stop.store(CLOSED_PIPE, Ordering::Relaxed);
    }

    /// Returns `true` if the program is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// The number of the signal that ended the program.
    pub fn signal(&self) -> Option<u8> {
        u8::try_from(self.stop.load(Ordering::Relaxed)).ok().filter(|number| *number != 0)
    }

    /// Returns `true` once for each request to print a summary.
    pub fn take_print(&self) -> bool {
        self.print.load(Ordering::Relaxed) && self.print.swap(false, Ordering::Relaxed)
    }
}
