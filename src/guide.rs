//! Guides, and where more is written. This module has documentation only.
//!
//! * [`recipes`]: programs to start from, each tested.
//! * [`from_dashmap`]: from a `DashMap<K, Arc<V>>` with timers to a flow table.
//! * [Choosing a table](crate#choose-this-if), on the front page.
//!
//! # Files
//!
//! The sources have these files beside the code. Each package has its licence texts. This one has the first four,
//! too.
//!
//! | file | what is in it |
//! |---|---|
//! | `BENCHMARKS.md` | measurements: both backends, other maps and caches, and the limits of the hardware |
//! | `SECURITY.md` | what is promised under attack, how it is tested, and what the tests found |
//! | `ARCHITECTURE.md` | how the crates fit together, and what must stay true |
//! | `CHANGELOG.md` | what has changed |
//! | `LICENSE-APACHE`, `LICENSE-MIT` | the licences |
//! | `docs/adr` | the decisions, and the reasons for them |
//! | `docs/grafana.json` | a dashboard for the metrics of a `Monitor` |
//! | `benches/README.md` | how to measure |

#[doc = include_str!("../docs/guide/recipes.md")]
pub mod recipes {}

#[doc = include_str!("../docs/guide/from-dashmap.md")]
pub mod from_dashmap {}
