use async_nats::jetstream::consumer;
use futures_util::TryStreamExt;

use super::connection::{NatsTransport, stream_name};

/// What a cluster's log holds, and who reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogState {
    /// The batches in it.
    pub batches: u64,
    /// The bytes in it.
    pub bytes: u64,
    /// The number of the first batch in it, from its beginning on.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// Who reads it, and how many batches each has not read yet.
    pub readers: Vec<(String, u64)>,
}

impl NatsTransport {
    /// What the log holds, and who reads it.
    ///
    /// # Errors
    ///
    /// What NATS says.
    ///
    /// # Blocking
    ///
    /// Waits for the servers. Must not be called within an async runtime.
    pub fn log(&self) -> Result<LogState, String> {
        let text = |error: &dyn ToString| error.to_string();
        self.runtime.block_on(async {
            let stream =
                self.context.get_stream(stream_name(&self.cluster)).await.map_err(|error| text(&error))?;
            let state = stream.cached_info().state.clone();
            let consumers: Vec<consumer::Info> =
                stream.consumers().try_collect().await.map_err(|error| text(&error))?;
            let readers = consumers.into_iter().map(|reader| (reader.name, reader.num_pending)).collect();
            let (batches, bytes) = (state.messages, state.bytes);
            Ok(LogState { batches, bytes, first: state.first_sequence, last: state.last_sequence, readers })
        })
    }
}
