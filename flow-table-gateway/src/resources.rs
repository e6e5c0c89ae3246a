use arc_swap::ArcSwap;

use crate::config::Config;
use crate::conn::Sources;
use crate::nat::Mappings;
use crate::policy::Policy;

/// What flows take and give back, and what they are judged by.
pub(crate) struct Resources {
    pub(crate) policy: ArcSwap<Policy>,
    pub(crate) mappings: Mappings,
    pub(crate) sources: Sources,
}

impl Resources {
    /// Resources that nothing but sources is taken from.
    pub(crate) fn without_nat() -> Self {
        Self::new(&Config::without_nat())
    }

    pub(crate) fn new(config: &Config) -> Self {
        Self {
            policy: ArcSwap::from_pointee(Policy::new(config, None)),
            // Each flow has at most one mapping of its own and one source.
            mappings: Mappings::new(config.limits.flows),
            sources: Sources::new(config.limits.flows),
        }
    }
}
