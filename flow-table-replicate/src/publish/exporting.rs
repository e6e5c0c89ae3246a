use flow_table_api::Timestamp;

/// How far the final records are that were set aside last: see `feed/exports.rs`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exporting {
    /// None are set aside.
    Idle,
    /// The buffers of all threads are to be handed over: the ends of these flows are in them, or further on. So
    /// many losses were known before.
    Buffered(u64),
    /// What was handed over is to be sent.
    Queued(u64),
    /// The batches up to this number are to be stored.
    Sent { losses: u64, last: u64 },
    /// A heartbeat with this number or a later one is to come back. The last one was sent then.
    Stored { marker: u64, sent: Timestamp },
}
