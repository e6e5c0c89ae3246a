use flow_table_api::TableConfig;

/// How the tables of one run are configured. Every case runs in each of [`Setup::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    shards: usize,
    room: Room,
}

/// How much larger than needed a table's capacity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Exactly what the case needs, so that a lost place is noticed at once.
    Snug,
    /// A million flows.
    Large,
}

impl Setup {
    /// One shard, no place to spare.
    pub const ONE_SHARD_SNUG: Self = Self { shards: 1, room: Room::Snug };
    /// One shard, a large capacity.
    pub const ONE_SHARD_LARGE: Self = Self { shards: 1, room: Room::Large };
    /// Many shards, no place to spare.
    pub const MANY_SHARDS_SNUG: Self = Self { shards: 16, room: Room::Snug };
    /// Many shards, a large capacity.
    pub const MANY_SHARDS_LARGE: Self = Self { shards: 16, room: Room::Large };

    /// Every configuration.
    pub const ALL: [Self; 4] =
        [Self::ONE_SHARD_SNUG, Self::ONE_SHARD_LARGE, Self::MANY_SHARDS_SNUG, Self::MANY_SHARDS_LARGE];

    /// A table that never holds more than `flows` flows.
    pub const fn config(self, flows: usize) -> TableConfig {
        match self.room {
            Room::Snug => self.exactly(flows),
            Room::Large => self.exactly(1_000_000),
        }
    }

    /// A table for exactly `capacity` flows, for cases about capacity.
    pub const fn exactly(self, capacity: usize) -> TableConfig {
        TableConfig::new(capacity).shards(self.shards)
    }
}
