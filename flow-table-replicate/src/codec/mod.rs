//! Keys and values as bytes.

mod flow_key;
mod postcard;
mod raw;
mod traits;

pub use flow_key::FlowKeys;
pub use postcard::Postcard;
pub use raw::Raw;
pub use traits::{Codec, KeyCodec, Malformed, ValueCodec};
