use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not complete, or not a packet.
    Malformed,
    /// Its source or destination cannot be on its side, or must not be forwarded.
    Spoofed,
    /// It belongs to no flow, and cannot begin one: a TCP segment without SYN, an ICMP error.
    NoFlow,
    /// It comes from the outside, and nothing there leads to the inside.
    Unsolicited,
    /// A rule forbids it.
    Denied,
    /// The table is full.
    TableFull,
    /// Its source has as many flows as it may have.
    SourceLimit,
    /// No outside port is free.
    PortsExhausted,
    /// Its translation is in use.
    Conflict,
    /// Its first fragment is not known, or too many packets are in fragments.
    Fragment,
    /// It would end a TCP connection, and has a wrong sequence number.
    Sequence,
    /// It is an ICMP error with a wrong checksum, or does not belong to the packet that it quotes.
    BadError,
    /// The gateway stands by.
    Standby,
}

impl Refusal {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Spoofed,
        Self::NoFlow,
        Self::Unsolicited,
        Self::Denied,
        Self::TableFull,
        Self::SourceLimit,
        Self::PortsExhausted,
        Self::Conflict,
        Self::Fragment,
        Self::Sequence,
        Self::BadError,
        Self::Standby,
    ];

    /// The name in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Spoofed => "spoofed",
            Self::NoFlow => "no_flow",
            Self::Unsolicited => "unsolicited",
            Self::Denied => "denied",
            Self::TableFull => "table_full",
            Self::SourceLimit => "source_limit",
            Self::PortsExhausted => "ports_exhausted",
            Self::Conflict => "conflict",
            Self::Fragment => "fragment",
            Self::Sequence => "sequence",
            Self::BadError => "bad_error",
            Self::Standby => "standby",
        }
    }
}

/// Counters of a gateway. Workers add to them once for each burst or dropped packet.
#[derive(Debug, Default)]
pub struct Counters {
    forwarded: AtomicU64,
    forwarded_bytes: AtomicU64,
    errors_sent: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    // Relaxed throughout: counters order nothing.

    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn forward(&self, packets: u64, bytes: u64) {
        self.forwarded.fetch_add(packets, Ordering::Relaxed);
        self.forwarded_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn send_error(&self) {
        self.errors_sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Packets that were forwarded. A packet that the system has yet to cut into segments counts as one.
    pub fn forwarded(&self) -> u64 {
        self.forwarded.load(Ordering::Relaxed)
    }

    /// Their bytes, with IP headers.
    pub fn forwarded_bytes(&self) -> u64 {
        self.forwarded_bytes.load(Ordering::Relaxed)
    }

    /// ICMP errors that the gateway sent.
    pub fn errors_sent(&self) -> u64 {
        self.errors_sent.load(Ordering::Relaxed)
    }

    /// Packets that were dropped for this reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Ordering::Relaxed)
    }
}
