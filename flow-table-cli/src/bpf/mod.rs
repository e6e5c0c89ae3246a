//! Filters in libpcap's language.
//!
//! libpcap compiles an expression to a program for a small machine (BPF), which reads a frame and says whether it
//! is wanted. This program links no C library, so it asks `tcpdump -ddd`, which prints the compiled program, and
//! runs it itself. What the expression means depends on the kind of frames, so it is compiled for each link type
//! that comes. The machine cannot loop: its jumps only go forward.

mod compile;
mod decode;
mod filter;
mod instruction;
mod program;

pub use compile::BpfError;
pub use filter::{Expression, FrameFilter};
pub use program::{Program, ProgramError};
