use std::fmt;

use flow_table::FlowKey;

use super::test::{Quantity, Side, Test, same_net};
use crate::record::Tally;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(pub(super) Expression);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Test(Test),
    Not(Box<Expression>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

/// What a filter is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The key of a packet, or of a record from its source.
    pub key: &'s FlowKey,
    /// The sums of a record. Packets have none, and conditions on them are false.
    pub tally: Option<&'s Tally>,
}

impl Filter {
    /// Returns `true` if the expression holds.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.holds(subject)
    }

    /// Returns `true` if it has conditions that only records can meet.
    pub fn needs_records(&self) -> bool {
        self.0.needs_records()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Expression {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Test(test) => test.holds(subject),
            Self::Not(inner) => !inner.holds(subject),
            Self::All(parts) => parts.iter().all(|part| part.holds(subject)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(subject)),
        }
    }

    fn needs_records(&self) -> bool {
        match self {
            Self::Test(test) => matches!(test, Test::Quantity(..)),
            Self::Not(inner) => inner.needs_records(),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::needs_records),
        }
    }
}

impl Test {
    fn holds(&self, subject: &Subject<'_>) -> bool {
        let key = subject.key;
        let either = |side: Side, source: bool, destination: bool| match side {
            Side::Either => source || destination,
            Side::Source => source,
            Side::Destination => destination,
        };
        match self {
            Self::Net(side, address, prefix) => {
                let within = |ip| same_net(ip, *address, *prefix);
                either(*side, within(key.source().ip()), within(key.destination().ip()))
            }
            Self::Port(side, range) => {
                // Identifiers of echoes stand in place of ports, but are none.
                matches!(key.protocol(), 6 | 17 | 33 | 132 | 136)
                    && either(
                        *side,
                        range.contains(&key.source().port()),
                        range.contains(&key.destination().port()),
                    )
            }
            Self::Protocol(number) => key.protocol() == *number,
            Self::Version4(v4) => key.source().is_ipv4() == *v4,
            Self::Tenant(id) => key.tenant().get() == *id,
            Self::Quantity(quantity, comparison, number) => subject.tally.is_some_and(|tally| {
                let value = match quantity {
                    Quantity::Packets => tally.packets,
                    Quantity::Bytes => tally.ip_bytes,
                    Quantity::Duration => {
                        u64::try_from(tally.last_ns.saturating_sub(tally.first_ns)).unwrap_or(u64::MAX)
                    }
                };
                comparison.holds(value, *number)
            }),
        }
    }
}

impl fmt::Display for Expression {
    /// Writes parentheses only where they were needed to write the expression the first time, so that what is
    /// written is never nested more deeply than what was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (index, part) in parts.iter().enumerate() {
                let word = if index == 0 { "" } else { word };
                write!(f, "{word}")?;
                match (self, part) {
                    (Self::Any(_), Self::All(_)) | (_, Self::Test(_) | Self::Not(_)) => write!(f, "{part}")?,
                    _ => write!(f, "({part})")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Test(test) => test.fmt(f),
            Self::Not(inner) => match **inner {
                Self::Test(_) | Self::Not(_) => write!(f, "not {inner}"),
                _ => write!(f, "not ({inner})"),
            },
            Self::All(parts) => join(f, parts, " and "),
            Self::Any(parts) => join(f, parts, " or "),
        }
    }
}
