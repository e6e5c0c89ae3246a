use std::fmt;

use flow_table::{FlowKey, Tenant};
use serde::{Deserialize, Serialize};

/// The side of the gateway on which a packet arrives or leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The networks that the gateway protects.
    Inside,
    /// Everything else.
    Outside,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Inside => Self::Outside,
            Self::Outside => Self::Inside,
        }
    }

    /// The side whose packets have this key.
    pub(crate) const fn of(key: &FlowKey) -> Self {
        if key.tenant().get() == 0 { Self::Inside } else { Self::Outside }
    }

    /// The key as packets on this side have it. The side is part of a key, so a packet never matches a flow from
    /// the wrong side, whatever addresses it claims.
    pub(crate) fn key(self, key: FlowKey) -> FlowKey {
        let tenant = match self {
            Self::Inside => 0,
            Self::Outside => 1,
        };
        key.with_tenant(Tenant::new(tenant).unwrap_or_default())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inside => "inside",
            Self::Outside => "outside",
        })
    }
}
