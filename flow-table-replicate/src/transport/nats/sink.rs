use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use bytes::Bytes;
use crossbeam::queue::SegQueue;
use tokio::sync::mpsc;

use super::config::SILENCE;
use super::connection::NatsTransport;
use crate::cluster::NodeId;
use crate::transport::{Busy, Outcome, Sink};

/// The most batches that wait for the connection.
const WAITING: usize = 64;

/// Publishes the batches of one gateway: see [`NatsTransport::sink`].
#[derive(Debug)]
pub struct NatsSink {
    client: Client,
    /// The publishing task ends with the runtime, and that with the last user of the transport.
    _transport: NatsTransport,
    batches: mpsc::Sender<(u64, Bytes)>,
    answers: Arc<Answers>,
}

/// What the publishing task tells.
#[derive(Debug)]
struct Answers {
    outcomes: SegQueue<Outcome>,
    start: Instant,
    /// Milliseconds from the start to the last batch stored.
    answered: AtomicU64,
}

impl NatsTransport {
    /// A sink for the batches of this gateway.
    pub fn sink(&self, node: NodeId) -> NatsSink {
        let transport = self.clone();
        let (batches, received) = mpsc::channel(WAITING);
        let start = Instant::now();
        let answers = Arc::new(Answers { outcomes: SegQueue::new(), start, answered: AtomicU64::new(0) });
        let task = publish(transport.context.clone(), transport.subject(node), received, Arc::clone(&answers));
        transport.runtime.spawn(task);
        NatsSink { client: transport.context.client(), _transport: transport, batches, answers }
    }
}

impl Sink for NatsSink {
    fn send(&mut self, token: u64, batch: &[u8]) -> Result<(), Busy> {
        // A client that is not connected would keep everything until it is.
        if self.client.connection_state() != State::Connected {
            return Err(Busy);
        }
        self.batches.try_send((token, Bytes::copy_from_slice(batch))).map_err(|_| Busy)
    }

    fn outcomes(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.extend(std::iter::from_fn(|| self.answers.outcomes.pop()));
    }
}

impl Answers {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn answer(&self, token: u64, stored: bool) {
        if stored {
            // Relaxed: a gauge.
            self.answered.store(self.now(), Ordering::Relaxed);
        }
        self.outcomes.push(Outcome { token, stored });
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.answered.load(Ordering::Relaxed)))
    }
}

/// Sends batches in their order, and awaits each acknowledgement by itself. If none comes for a while although
/// batches were sent, the connection is made anew: it may be half open.
async fn publish(
    context: Context,
    subject: String,
    mut batches: mpsc::Receiver<(u64, Bytes)>,
    answers: Arc<Answers>,
) {
    let mut reconnected = Instant::now();
    while let Some((token, batch)) = batches.recv().await {
        let sent = tokio::time::timeout(SILENCE, context.publish(subject.clone(), batch)).await;
        match sent {
            Ok(Ok(acknowledgement)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    // It waits for as long as a request may take: a batch that was repeated meanwhile counts as
                    // stored when either acknowledgement comes.
                    answers.answer(token, acknowledgement.await.is_ok());
                });
            }
            _ => answers.answer(token, false),
        }
        // An owner sends a heartbeat every second at least.
        if answers.silence() > 2 * SILENCE && reconnected.elapsed() > 2 * SILENCE {
            reconnected = Instant::now();
            // If it is not connected, it is at it already.
            let _ = context.client().force_reconnect().await;
        }
    }
}
