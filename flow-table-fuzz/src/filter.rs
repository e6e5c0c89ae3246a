//! A filter expression.

use flow_table_cli::filter::{Filter, Subject};
use flow_table_cli::record::Tally;

/// Parses the bytes as a filter, writes it, and asks it about flows.
pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let filter: Filter = match text.parse() {
        Ok(filter) => filter,
        Err(error) => {
            assert!(text.is_char_boundary(error.at) && text[error.at..] == error.rest, "{error:?}");
            return;
        }
    };
    let written = filter.to_string();
    assert_eq!(written.parse(), Ok(filter.clone()), "{text:?} was written as {written:?}");

    // A filter and its opposite never agree, and packets meet no conditions on records.
    let opposite: Filter = format!("not ({written})").parse().unwrap_or_else(|error| {
        assert!(format!("{error}").contains("too deeply"), "{error}");
        filter.clone()
    });
    let tally = Tally { packets: 10, ip_bytes: 1_500, last_ns: 1_000_000_000, ..Tally::default() };
    for key in
        ["tcp 10.0.0.1:40000 > 192.0.2.9:443 @7", "udp [fd00::1]:53 > [fd00::2]:1", "icmp 10.0.0.1:0 > 10.0.0.2:0"]
    {
        let key = key.parse().expect("a key");
        for tally in [None, Some(&tally)] {
            let subject = Subject { key: &key, tally };
            let matches = filter.matches(&subject);
            assert!(opposite == filter || opposite.matches(&subject) != matches, "{text:?}");
        }
    }
}
