//! The commands that write records and summaries.

#[cfg(all(feature = "live", target_os = "linux"))]
mod live;
mod replay;
mod session;

#[cfg(all(feature = "live", target_os = "linux"))]
pub use live::live;
pub use replay::replay;
