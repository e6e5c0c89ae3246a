use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt;

use super::config::SILENCE;
use super::connection::{NatsTransport, stream_name};
use crate::transport::{Event, Source};

/// The most batches that were read and not applied yet.
const READ: usize = 64;

/// Reads the log: see [`NatsTransport::source`].
#[derive(Debug)]
pub struct NatsSource {
    read: Receiver<Read>,
    behind: u64,
    /// The reading task ends with the runtime, and that with the last user of the transport.
    _transport: NatsTransport,
}

#[derive(Debug)]
enum Read {
    /// A batch, and how many are in the log after it.
    Batch(Bytes, u64),
    Event(Event),
}

impl NatsTransport {
    /// A source of the batches of all gateways, from the oldest one that the log has.
    pub fn source(&self) -> NatsSource {
        self.source_from(DeliverPolicy::All)
    }

    /// A source of the batches that gateways publish from now on.
    pub fn source_of_new(&self) -> NatsSource {
        self.source_from(DeliverPolicy::New)
    }

    fn source_from(&self, start: DeliverPolicy) -> NatsSource {
        let transport = self.clone();
        let (send, read) = sync_channel(READ);
        transport.runtime.spawn(follow(transport.context.clone(), stream_name(&transport.cluster), start, send));
        NatsSource { read, behind: 0, _transport: transport }
    }
}

impl Source for NatsSource {
    fn receive(
        &mut self,
        wait: Duration,
        limit: usize,
        deliver: &mut dyn FnMut(&[u8]),
        event: &mut dyn FnMut(Event),
    ) -> usize {
        let mut received = 0;
        while received < limit {
            let next = if received == 0 {
                self.read.recv_timeout(wait)
            } else {
                self.read.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            };
            match next {
                Ok(Read::Batch(batch, behind)) => {
                    self.behind = behind;
                    deliver(&batch);
                    received += 1;
                }
                Ok(Read::Event(told)) => event(told),
                Err(_) => break,
            }
        }
        received
    }

    fn behind(&self) -> u64 {
        self.behind
    }
}

/// The standby does not listen any more.
struct Gone;

/// Reads the log from `next` on, and starts again there whenever something is wrong with the consumer: its
/// leader is gone, the connection is silent, a message is missing.
async fn follow(context: Context, stream: String, start: DeliverPolicy, send: SyncSender<Read>) {
    let mut next = 0;
    let mut pause = Duration::from_millis(50);
    loop {
        let before = next;
        if let Err(Gone) = read(&context, &stream, start, &mut next, &send).await {
            return;
        }
        pause = if next > before { Duration::from_millis(50) } else { (2 * pause).min(SILENCE) };
        tokio::time::sleep(pause).await;
        if hand_over(&send, Read::Event(Event::Reconnected)).await.is_err() {
            return;
        }
    }
}

/// Reads until something is wrong.
async fn read(
    context: &Context,
    stream: &str,
    start: DeliverPolicy,
    next: &mut u64,
    send: &SyncSender<Read>,
) -> Result<(), Gone> {
    let policy = match *next {
        0 => start,
        start_sequence => DeliverPolicy::ByStartSequence { start_sequence },
    };
    let config = pull::Config {
        deliver_policy: policy,
        ack_policy: AckPolicy::None,
        inactive_threshold: Duration::from_secs(30),
        memory_storage: true,
        num_replicas: 1,
        ..Default::default()
    };
    let opened = tokio::time::timeout(SILENCE, async {
        let consumer = context.get_stream_no_info(stream).await.ok()?.create_consumer(config).await.ok()?;
        consumer.stream().max_messages_per_batch(256).heartbeat(SILENCE / 2).messages().await.ok()
    });
    let Ok(Some(mut messages)) = opened.await else {
        return Ok(());
    };
    let mut expected = 1;
    // Without heartbeats of the server or of an owner, the consumer is gone.
    while let Ok(Some(Ok(message))) = tokio::time::timeout(SILENCE, messages.next()).await {
        let Ok(info) = message.info() else { return Ok(()) };
        if info.consumer_sequence != expected {
            return Ok(());
        }
        expected += 1;
        let missed = if *next == 0 { 0 } else { info.stream_sequence.saturating_sub(*next) };
        let (sequence, pending) = (info.stream_sequence, info.pending);
        if missed > 0 {
            hand_over(send, Read::Event(Event::Truncated(missed))).await?;
        }
        hand_over(send, Read::Batch(message.message.payload, pending)).await?;
        *next = sequence + 1;
    }
    Ok(())
}

/// Waits for room without keeping the runtime's thread.
async fn hand_over(send: &SyncSender<Read>, mut read: Read) -> Result<(), Gone> {
    loop {
        match send.try_send(read) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(Gone),
            Err(TrySendError::Full(back)) => read = back,
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
