use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::service::row::FlowRow;

/// Says which flows to show: words that must all be true.
///
/// ```
/// # use flow_table_gateway::Filter;
/// let filter: Filter = "protocol=tcp net=10.0.0.0/24 port=443 phase=established".parse()?;
/// assert!("colour=red".parse::<Filter>().is_err());
/// # Ok::<(), flow_table_gateway::FilterError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter(Vec<Word>);

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Protocol(String),
    /// Any of the four ends is in this network.
    Net(IpNet),
    Port(u16),
    Phase(String),
    From(String),
}

/// A word that is not part of a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of protocol=, net=, host=, port=, phase=, from= with its value")]
pub struct FilterError(String);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        text.split_whitespace().map(|word| Word::read(word).ok_or_else(|| FilterError(word.to_owned()))).collect()
    }
}

impl FromIterator<Word> for Filter {
    fn from_iter<I: IntoIterator<Item = Word>>(words: I) -> Self {
        Self(words.into_iter().collect())
    }
}

impl Word {
    fn read(word: &str) -> Option<Self> {
        let (name, value) = word.split_once('=')?;
        let one_of = |values: &[&str]| values.contains(&value).then(|| value.to_owned());
        match name {
            "protocol" => Some(Self::Protocol(value.to_lowercase())),
            "net" | "host" => {
                let host = || value.parse::<IpAddr>().ok().map(IpNet::from);
                value.parse::<IpNet>().ok().or_else(host).map(Self::Net)
            }
            "port" => value.parse().ok().map(Self::Port),
            "phase" => one_of(&["opening", "established", "closing", "closed"]).map(Self::Phase),
            "from" => one_of(&["inside", "outside"]).map(Self::From),
            _ => None,
        }
    }

    fn matches(&self, row: &FlowRow) -> bool {
        let ends = [row.source, row.destination, row.translated_source, row.translated_destination];
        let any = |matches: &dyn Fn(&SocketAddr) -> bool| ends.iter().any(matches);
        match self {
            Self::Protocol(name) => *name == row.protocol_name() || *name == row.protocol.to_string(),
            Self::Net(net) => any(&|end| net.contains(&end.ip())),
            Self::Port(port) => any(&|end| end.port() == *port),
            Self::Phase(phase) => format!("{:?}", row.phase).eq_ignore_ascii_case(phase),
            Self::From(side) => row.from.to_string() == *side,
        }
    }
}

impl Filter {
    /// Whether the filter lets this flow pass.
    pub fn matches(&self, row: &FlowRow) -> bool {
        self.0.iter().all(|word| word.matches(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Phase;
    use crate::side::Side;

    #[test]
    fn all_words_must_match() {
        let end = |text: &str| text.parse().unwrap();
        let row = FlowRow {
            protocol: 6,
            from: Side::Inside,
            source: end("10.0.0.2:4000"),
            destination: end("192.0.2.1:80"),
            to: Side::Outside,
            translated_source: end("203.0.113.1:61000"),
            translated_destination: end("192.0.2.1:80"),
            phase: Phase::Established,
            packets: [1, 2],
            bytes: [3, 4],
            age: 5_000,
            expires: 6_000,
        };
        let matches = |text: &str| text.parse::<Filter>().map(|filter| filter.matches(&row));
        for yes in ["", "protocol=tcp", "protocol=6", "net=203.0.113.0/24 port=80", "host=10.0.0.2 from=inside"] {
            assert_eq!(matches(yes), Ok(true), "{yes}");
        }
        for no in ["protocol=udp", "net=203.0.113.0/24 port=81", "phase=closed", "from=outside"] {
            assert_eq!(matches(no), Ok(false), "{no}");
        }
        for wrong in ["tcp", "port=x", "phase=open", "net=1.2.3"] {
            assert_eq!(matches(wrong), Err(FilterError(wrong.to_owned())));
        }
        assert_eq!(
            row.to_string(),
            "tcp inside 10.0.0.2:4000 > 192.0.2.1:80 as 203.0.113.1:61000 > 192.0.2.1:80 established packets 1/2 \
             bytes 3/4 age 5s expires 6s"
        );
    }
}
