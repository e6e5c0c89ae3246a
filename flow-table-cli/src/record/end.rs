use std::fmt;

/// Why a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// No packet came within the idle timeout.
    IdleTimeout,
    /// The flow had lasted for the active timeout. It goes on in another record.
    ActiveTimeout,
    /// Both directions of a TCP connection, or the one that is a flow of its own, sent FIN.
    TcpFin,
    /// A TCP connection was reset.
    TcpRst,
    /// The capture was over.
    EndOfCapture,
}

impl End {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 5] =
        [Self::IdleTimeout, Self::ActiveTimeout, Self::TcpFin, Self::TcpRst, Self::EndOfCapture];
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdleTimeout => "idle timeout",
            Self::ActiveTimeout => "active timeout",
            Self::TcpFin => "tcp fin",
            Self::TcpRst => "tcp reset",
            Self::EndOfCapture => "end of capture",
        })
    }
}
