use super::ip::Skip;

/// A position in a frame. Reading past the captured bytes returns [`Skip::CutOff`].
#[derive(Clone, Copy)]
pub(super) struct Cursor<'f> {
    pub(super) frame: &'f [u8],
    pub(super) at: usize,
}

impl<'f> Cursor<'f> {
    pub(super) const fn new(frame: &'f [u8]) -> Self {
        Self { frame, at: 0 }
    }

    /// The next `N` bytes, not consumed.
    pub(super) fn peek<const N: usize>(&self) -> Result<&'f [u8; N], Skip> {
        self.rest().first_chunk().ok_or(Skip::CutOff)
    }

    /// The next `N` bytes, consumed.
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'f [u8; N], Skip> {
        let bytes = self.peek()?;
        self.at += N;
        Ok(bytes)
    }

    /// Everything captured from here on.
    pub(super) fn rest(&self) -> &'f [u8] {
        self.frame.get(self.at..).unwrap_or_default()
    }
}
