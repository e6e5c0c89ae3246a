use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::expression::{Expression, Filter};
use super::test::{Quantity, Side, Test, bits};
use super::token::{Comparison, Token, tokens};
use crate::idle::duration;

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at character {}: {rest:?}", at + 1)]
pub struct FilterError {
    /// The number of bytes before the problem.
    pub at: usize,
    /// What was expected.
    pub problem: &'static str,
    /// The text from there on.
    pub rest: String,
}

/// Parentheses and negations may be this deep.
const DEPTH: u32 = 64;

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse(text).map(Self)
    }
}

/// Parses an expression.
fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { text, tokens: tokens(text), next: 0 };
    let expression = parser.any(0)?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.error("expected `and`, `or` or the end")),
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<(usize, Token<'t>)>,
    next: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    fn word(&mut self, expected: &'static str) -> Result<&'t str, FilterError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.error(expected)),
        }
    }

    /// The next word, as a value.
    fn value<V>(&mut self, expected: &'static str, parse: impl Fn(&str) -> Option<V>) -> Result<V, FilterError> {
        let value = parse(self.word(expected)?);
        value.ok_or_else(|| {
            self.next -= 1;
            self.error(expected)
        })
    }

    fn error(&self, problem: &'static str) -> FilterError {
        let at = self.tokens.get(self.next).map_or(self.text.len(), |(at, _)| *at);
        FilterError { at, problem, rest: self.text[at..].to_owned() }
    }

    fn any(&mut self, depth: u32) -> Result<Expression, FilterError> {
        let mut parts = vec![self.all(depth)?];
        while self.peek() == Some(Token::Or) {
            self.next += 1;
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self, depth: u32) -> Result<Expression, FilterError> {
        let mut parts = vec![self.not(depth)?];
        loop {
            match self.peek() {
                Some(Token::And) => self.next += 1,
                // Conditions side by side, as in `tcp port 80`.
                Some(Token::Word(_) | Token::Not | Token::Open) => {}
                _ => return Ok(one_or(parts, Expression::All)),
            }
            parts.push(self.not(depth)?);
        }
    }

    fn not(&mut self, depth: u32) -> Result<Expression, FilterError> {
        if depth == DEPTH {
            return Err(self.error("nested too deeply"));
        }
        match self.peek() {
            Some(Token::Not) => {
                self.next += 1;
                Ok(Expression::Not(Box::new(self.not(depth + 1)?)))
            }
            Some(Token::Open) => {
                self.next += 1;
                let inner = self.any(depth + 1)?;
                if self.peek() != Some(Token::Close) {
                    return Err(self.error("expected `)`"));
                }
                self.next += 1;
                Ok(inner)
            }
            _ => self.test().map(Expression::Test),
        }
    }

    fn test(&mut self) -> Result<Test, FilterError> {
        const CONDITION: &str = "expected a condition such as `host`, `net`, `port` or `tcp`";
        let word = self.word(CONDITION)?;
        let side = match word {
            "src" => Side::Source,
            "dst" => Side::Destination,
            _ => Side::Either,
        };
        let word = if side == Side::Either { word } else { self.word("expected `host`, `net` or `port`")? };
        Ok(match word {
            "host" => {
                let address = self.value("expected an address", |word| word.parse().ok())?;
                Test::Net(side, address, bits(address))
            }
            "net" => {
                let (address, prefix) = self.value("expected a network such as 10.0.0.0/8", net)?;
                Test::Net(side, address, prefix)
            }
            "port" => Test::Port(side, self.value("expected a port, or two with `-`", ports)?),
            "proto" if side == Side::Either => {
                Test::Protocol(self.value("expected a protocol", |word| protocol(word).or(word.parse().ok()))?)
            }
            "ip" if side == Side::Either => Test::Version4(true),
            "ip6" if side == Side::Either => Test::Version4(false),
            "tenant" if side == Side::Either => {
                Test::Tenant(self.value("expected a number", |word| word.parse().ok())?)
            }
            "packets" | "bytes" | "duration" if side == Side::Either => self.quantity(word)?,
            other => {
                let protocol = protocol(other).filter(|_| side == Side::Either).map(Test::Protocol);
                let address = net(other).map(|(address, prefix)| Test::Net(side, address, prefix));
                protocol.or(address).ok_or_else(|| {
                    self.next -= 1;
                    self.error(CONDITION)
                })?
            }
        })
    }

    fn quantity(&mut self, word: &str) -> Result<Test, FilterError> {
        let Some(Token::Compare(comparison)) = self.peek() else {
            return Err(self.error("expected a comparison such as `>`"));
        };
        self.next += 1;
        self.compared(word, comparison)
    }

    fn compared(&mut self, word: &str, comparison: Comparison) -> Result<Test, FilterError> {
        if word == "duration" {
            let nanos = |word: &str| u64::try_from(duration(word).ok()?.as_nanos()).ok();
            let nanos = self.value("expected a duration such as 1.5s", nanos)?;
            return Ok(Test::Quantity(Quantity::Duration, comparison, nanos));
        }
        let number = self.value("expected a number such as 1000 or 10k", number)?;
        let quantity = if word == "packets" { Quantity::Packets } else { Quantity::Bytes };
        Ok(Test::Quantity(quantity, comparison, number))
    }
}

fn one_or(mut parts: Vec<Expression>, all: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { all(parts) }
}

fn net(word: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = word.split_once('/').map_or((word, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let prefix = prefix.map_or(Some(bits(address)), |prefix| prefix.parse().ok())?;
    (prefix <= bits(address)).then_some((address, prefix))
}

fn ports(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

fn protocol(word: &str) -> Option<u8> {
    Some(match word {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "gre" => 47,
        "icmp6" | "icmpv6" => 58,
        "sctp" => 132,
        _ => return None,
    })
}

/// A number with a decimal unit.
fn number(word: &str) -> Option<u64> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &word[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::{Filter, Subject};
    use crate::record::Tally;

    fn holds(filter: &str, key: &str) -> bool {
        let filter: Filter = filter.parse().unwrap_or_else(|error| panic!("{error}"));
        let tally =
            Tally { packets: 10, ip_bytes: 1_500, first_ns: -5, last_ns: 1_000_000_000, ..Tally::default() };
        let key = key.parse().expect("a key");
        assert_eq!(filter.to_string().parse(), Ok(filter.clone()));
        filter.matches(&Subject { key: &key, tally: Some(&tally) })
    }

    const KEY: &str = "tcp 10.1.2.3:40000 > 192.0.2.9:443 @7";

    #[rstest]
    #[case("tcp")]
    #[case("tcp port 443")]
    #[case("dst port 400-500 and src host 10.1.2.3")]
    #[case("10.1.2.3")]
    #[case("src net 10.0.0.0/8 && dst 192.0.2.0/24")]
    #[case("net 0.0.0.0/0 and ip and not ip6")]
    #[case("udp or (port 443 and !host 10.9.9.9)")]
    #[case("not udp and not port 22")]
    #[case("proto 6 proto tcp tenant 7")]
    #[case("packets >= 10 and packets<11 and bytes > 1k and bytes != 2M")]
    #[case("duration > 1s and duration <= 1.5s")]
    fn true_ones(#[case] filter: &str) {
        assert!(holds(filter, KEY), "{filter}");
    }

    #[rstest]
    #[case("udp")]
    #[case("src port 443")]
    #[case("dst host 10.1.2.3")]
    #[case("net 10.0.0.0/16")]
    #[case("ip6")]
    #[case("host ::1 or net fd00::/8")]
    #[case("tcp and not tcp")]
    #[case("port 1-442")]
    #[case("tenant 8 or packets = 11 or bytes < 1500 or duration < 1s")]
    fn false_ones(#[case] filter: &str) {
        assert!(!holds(filter, KEY), "{filter}");
    }

    #[test]
    fn or_binds_less_than_and() {
        assert!(holds("tcp or udp and port 1", KEY));
        assert!(!holds("(tcp or udp) and port 1", KEY));
    }

    #[test]
    fn identifiers_of_echoes_are_no_ports() {
        assert!(!holds("port 443", "icmp 10.0.0.1:443 > 10.0.0.2:443"));
    }

    #[rstest]
    #[case("", "expected a condition", 0)]
    #[case("tcp and", "expected a condition", 7)]
    #[case("(tcp", "expected `)`", 4)]
    #[case("tcp)", "expected `and`, `or` or the end", 3)]
    #[case("host example.org", "expected an address", 5)]
    #[case("net 10.0.0.0/33", "expected a network", 4)]
    #[case("port 80-79", "expected a port", 5)]
    #[case("src tcp", "expected a condition", 4)]
    #[case("packets 5", "expected a comparison", 8)]
    #[case("bytes > 5x", "expected a number", 8)]
    fn errors(#[case] filter: &str, #[case] problem: &str, #[case] at: usize) {
        let error = filter.parse::<Filter>().unwrap_err();
        assert!(error.problem.starts_with(problem), "{error}");
        assert_eq!(error.at, at, "{error}");
    }

    #[test]
    fn depth_is_limited() {
        for deep in ["(".repeat(100_000), "not ".repeat(100_000)] {
            let error = deep.parse::<Filter>().unwrap_err();
            assert_eq!(error.problem, "nested too deeply");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(src|host|net|port|tcp|not|or|[(]|[)]| |10[.]0[.]0[.]1/8|<|7){0,20}|\\PC*") {
            if let Ok(filter) = text.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse(), Ok(filter));
            }
        }
    }
}
