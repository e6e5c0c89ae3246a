use super::traits::{Malformed, ValueCodec};

/// Values that are bytes already, and flows without a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl<const N: usize> ValueCodec<[u8; N]> for Raw {
    fn encode_value(&self, value: &[u8; N], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(value);
    }

    fn decode_value(&self, bytes: &[u8]) -> Result<[u8; N], Malformed> {
        bytes.try_into().map_err(|_| Malformed)
    }
}

impl ValueCodec<Vec<u8>> for Raw {
    fn encode_value(&self, value: &Vec<u8>, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(value);
    }

    fn decode_value(&self, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        Ok(bytes.to_vec())
    }
}

impl ValueCodec<()> for Raw {
    fn encode_value(&self, (): &(), _: &mut Vec<u8>) {}

    fn decode_value(&self, bytes: &[u8]) -> Result<(), Malformed> {
        if bytes.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}
