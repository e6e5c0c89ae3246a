use std::time::Duration;

use serde::Deserialize;

use super::duration::seconds;

/// How long flows live without a packet. The file has whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// TCP.
    pub tcp: TcpTimeouts,
    /// UDP, while no reply has come. RFC 4787 (REQ-5) asks for at least 120.
    #[serde(deserialize_with = "seconds")]
    pub udp_unreplied: Duration,
    /// UDP, from the first reply on. RFC 4787 recommends 300.
    #[serde(deserialize_with = "seconds")]
    pub udp: Duration,
    /// Echo requests and their replies. RFC 5508 (REQ-1) asks for at least 60.
    #[serde(deserialize_with = "seconds")]
    pub icmp: Duration,
    /// Every other protocol.
    #[serde(deserialize_with = "seconds")]
    pub other: Duration,
    /// Fragmented packets, from their first fragment on.
    #[serde(deserialize_with = "seconds")]
    pub fragment: Duration,
}

/// How long TCP connections live without a packet, by their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TcpTimeouts {
    /// Before both ends have answered. RFC 5382 (REQ-5) asks for 240. A shorter time withstands more half-open
    /// connections.
    #[serde(deserialize_with = "seconds")]
    pub opening: Duration,
    /// Open. RFC 5382 asks for at least 7,440.
    #[serde(deserialize_with = "seconds")]
    pub established: Duration,
    /// One end has closed.
    #[serde(deserialize_with = "seconds")]
    pub closing: Duration,
    /// Both ends have closed, or one has reset the connection.
    #[serde(deserialize_with = "seconds")]
    pub closed: Duration,
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: TcpTimeouts::default(),
            udp_unreplied: secs(120),
            udp: secs(300),
            icmp: secs(60),
            other: secs(600),
            fragment: secs(15),
        }
    }
}

impl Default for TcpTimeouts {
    fn default() -> Self {
        Self { opening: secs(240), established: secs(7_440), closing: secs(240), closed: secs(10) }
    }
}
