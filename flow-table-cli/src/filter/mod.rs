//! A small language that selects packets and flow records: `tcp and not (port 22 or net 10.0.0.0/8)`.
//!
//! | expression | true for |
//! |---|---|
//! | `host A`, `src host A`, `dst host A`, or just `A` | packets and flows with this address |
//! | `net A/N`, `src net A/N`, `dst net A/N`, or just `A/N` | addresses with this prefix |
//! | `port P`, `port P-Q`, `src port P`, `dst port P` | ports of TCP, UDP and the like |
//! | `proto N`, `tcp`, `udp`, `icmp`, `icmp6`, `sctp`, `gre` | this protocol |
//! | `ip`, `ip6` | this version |
//! | `tenant N` | this VLAN, label or network, if it is part of keys |
//! | `packets > N`, `bytes >= N`, `duration < T` | flow records only; also `=`, `!=`, `<=` |
//! | `not E`, `E and F`, `E F`, `E or F`, `(E)` | as in logic; `!`, `&&` and `\|\|`, too |

mod expression;
mod parse;
mod test;
mod token;

pub use expression::{Filter, Subject};
pub use parse::FilterError;
