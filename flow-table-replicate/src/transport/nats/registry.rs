use std::future::Future;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};

use super::connection::{NatsTransport, bucket};
use crate::cluster::{Registry, ShardMap, Unreachable};

const KEY: &str = "shards";

/// Keeps the owners of shards in a key-value bucket: see [`NatsTransport::registry`].
#[derive(Debug)]
pub struct NatsRegistry {
    transport: NatsTransport,
    store: Option<Store>,
}

fn unreachable(error: impl ToString) -> Unreachable {
    Unreachable(error.to_string())
}

impl NatsTransport {
    /// The registry of owners.
    pub fn registry(&self) -> NatsRegistry {
        NatsRegistry { transport: self.clone(), store: None }
    }
}

impl NatsRegistry {
    /// Runs a request of the bucket, for at most `limit`.
    fn run<R, F: Future<Output = Result<R, Unreachable>>>(
        &mut self,
        limit: Duration,
        request: impl FnOnce(Store) -> F,
    ) -> Result<R, Unreachable> {
        let NatsTransport { runtime, context, cluster } = &self.transport;
        if context.client().connection_state() != State::Connected {
            return Err(unreachable("not connected"));
        }
        let store = &mut self.store;
        runtime.block_on(async {
            tokio::time::timeout(limit, async {
                let open = match store.take() {
                    Some(open) => open,
                    None => context.get_key_value(bucket(cluster)).await.map_err(unreachable)?,
                };
                request(store.insert(open).clone()).await
            })
            .await
            .unwrap_or_else(|_| Err(unreachable("no answer in time")))
        })
    }
}

impl Registry for NatsRegistry {
    fn read(&mut self, limit: Duration) -> Result<(u64, ShardMap), Unreachable> {
        self.run(limit, async |store| match store.entry(KEY).await.map_err(unreachable)? {
            None => Ok((0, ShardMap::default())),
            Some(entry) => {
                let map = postcard::from_bytes(&entry.value).map_err(|_| unreachable("its map cannot be read"))?;
                Ok((entry.revision, map))
            }
        })
    }

    fn replace(&mut self, version: u64, map: &ShardMap, limit: Duration) -> Result<bool, Unreachable> {
        let bytes = postcard::to_allocvec(map).map_err(unreachable)?;
        self.run(limit, async |store| {
            if version == 0 {
                return match store.create(KEY, bytes.into()).await {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Ok(false),
                    Err(error) => Err(unreachable(error)),
                };
            }
            match store.update(KEY, bytes.into(), version).await {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
                Err(error) => Err(unreachable(error)),
            }
        })
    }
}
