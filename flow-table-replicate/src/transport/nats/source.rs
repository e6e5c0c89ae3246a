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

/// How long an attempt to make a consumer may take. The servers may choose one of them that does not run any more
/// as its place, and then they do not answer: the next attempt is at chance again.
const ATTEMPT: Duration = Duration::from_millis(750);

/// The pause after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

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
    /// A batch, and how many are in the log after it, if that is known.
    Batch(Bytes, Option<u64>),
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
                    self.behind = behind.unwrap_or(self.behind);
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

/// What ends the reading of a consumer.
enum End {
    /// Nothing has come for a while. It may go on: there may be no owner, or the log's leader is being elected.
    Silent,
    /// Its heartbeats are missing, or a message is.
    Broken,
}

/// Messages from a consumer of ours, of which `expected` is the next one.
struct Consumer {
    messages: pull::Stream,
    expected: u64,
}

/// Reads the log, and goes on with another consumer whenever something is wrong with the one that it has: its
/// leader is gone, the connection is silent, a message is missing. While the servers elect a leader of theirs they
/// make no consumers, for up to nine seconds. Until then the log's own leader is asked for one message after the
/// other, and a consumer that is only silent is kept. A log that has lost its end is read again from its
/// beginning.
async fn follow(context: Context, stream: String, start: DeliverPolicy, send: SyncSender<Read>) {
    let (mut next, mut current, mut silence) = (0, None, SILENCE);
    loop {
        if let Some(consumer) = &mut current {
            match read(consumer, silence, &mut next, &send).await {
                Ok(End::Silent) => {}
                Ok(End::Broken) => current = None,
                Err(Gone) => return,
            }
        }
        if ask(&context, &stream, &mut next, &send).await.is_err() {
            return;
        }
        match tokio::time::timeout(ATTEMPT, open(&context, &stream, start, next)).await {
            Ok(Some(messages)) => {
                let reopened = current.is_some() || next > 0;
                if has_lost_its_end(&context, &stream, next).await {
                    (next, current) = (0, None);
                } else {
                    current = Some(Consumer { messages, expected: 1 });
                }
                if reopened && hand_over(&send, Read::Event(Event::Reconnected)).await.is_err() {
                    return;
                }
                silence = SILENCE;
            }
            refused => {
                silence = PAUSE;
                if refused.is_ok() || current.is_none() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// Whether the log ends before the last message that was read. A server that stopped at once, without power, may
/// have lost what it had acknowledged; and somebody may have deleted the log and made it anew. What is stored then
/// has places that were read already.
async fn has_lost_its_end(context: &Context, stream: &str, next: u64) -> bool {
    for _ in 0..3 {
        let Ok(Ok(log)) = tokio::time::timeout(ATTEMPT, context.get_stream(stream)).await else { return false };
        if log.cached_info().state.last_sequence + 1 >= next {
            return false;
        }
        // A leader that was elected just now may not have applied yet all that it has.
        tokio::time::sleep(ATTEMPT).await;
    }
    true
}

/// Asks for one message after the other until there is none.
async fn ask(context: &Context, stream: &str, next: &mut u64, send: &SyncSender<Read>) -> Result<(), Gone> {
    if *next == 0 {
        return Ok(());
    }
    let answer = tokio::time::timeout(ATTEMPT, context.get_stream_no_info(stream));
    let Ok(Ok(log)) = answer.await else { return Ok(()) };
    while let Ok(Ok(message)) = tokio::time::timeout(ATTEMPT, log.get_raw_message(*next)).await {
        hand_over(send, Read::Batch(message.payload, None)).await?;
        *next += 1;
    }
    Ok(())
}

async fn open(context: &Context, stream: &str, start: DeliverPolicy, next: u64) -> Option<pull::Stream> {
    let policy = match next {
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
    let consumer = context.get_stream_no_info(stream).await.ok()?.create_consumer(config).await.ok()?;
    consumer.stream().max_messages_per_batch(256).heartbeat(SILENCE / 2).messages().await.ok()
}

/// Reads until nothing comes for `silence`, or something is wrong.
async fn read(
    consumer: &mut Consumer,
    silence: Duration,
    next: &mut u64,
    send: &SyncSender<Read>,
) -> Result<End, Gone> {
    loop {
        let message = match tokio::time::timeout(silence, consumer.messages.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(_) => return Ok(End::Broken),
            Err(_) => return Ok(End::Silent),
        };
        let Ok(info) = message.info() else { return Ok(End::Broken) };
        if info.consumer_sequence != consumer.expected {
            return Ok(End::Broken);
        }
        consumer.expected += 1;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        if sequence < *next {
            // It was asked for meanwhile.
            continue;
        }
        let missed = if *next == 0 { 0 } else { sequence - *next };
        if missed > 0 {
            hand_over(send, Read::Event(Event::Truncated(missed))).await?;
        }
        hand_over(send, Read::Batch(message.message.payload, Some(pending))).await?;
        *next = sequence + 1;
    }
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
