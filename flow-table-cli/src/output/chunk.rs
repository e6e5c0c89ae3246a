/// How much is written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// One message that fits into a frame of Ethernet.
    Datagram,
    /// About this many bytes.
    Bytes(usize),
}

impl Chunk {
    /// For files and pipes.
    pub const DEFAULT: Self = Self::Bytes(1 << 16);
}
