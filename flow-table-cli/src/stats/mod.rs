//! Statistics over flow records, in bounded memory.

mod aggregate;
mod histogram;
mod series;
mod top;

pub use aggregate::{Aggregate, Field, Group, Sums};
pub use histogram::Histogram;
pub use series::{Bin, Series};
pub use top::{Rank, Top};
