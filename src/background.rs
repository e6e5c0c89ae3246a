//! A thread that does something again and again until it is dropped.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What follows a round.
pub(crate) enum Next {
    /// The next round at once.
    Round,
    /// The next round after the interval.
    Sleep,
    /// The end.
    End,
}

/// The thread. When it is dropped, the thread ends after its round, and the drop waits for it.
#[derive(Debug)]
pub(crate) struct Background {
    // Nothing is ever sent. The drop of the sender is the request to stop.
    stop: Option<Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub(crate) fn spawn(
        name: &str,
        interval: Duration,
        mut round: impl FnMut() -> Next + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel::<Infallible>();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                let runs_on = match round() {
                    Next::Round => stopped.try_recv() == Err(TryRecvError::Empty),
                    Next::Sleep => stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout),
                    Next::End => false,
                };
                if !runs_on {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // The thread itself drops this if what it runs owned it. Then it ends by itself.
            if thread.thread().id() != thread::current().id() {
                // An error is a panic of the round. It has been reported.
                let _ = thread.join();
            }
        }
    }
}
