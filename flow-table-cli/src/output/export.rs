//! Writes flow records as text.

use std::io::{BufWriter, Write};
use std::net::IpAddr;

use anyhow::Result;
use clap::ValueEnum;

use crate::record::{End, FlowRecord};

/// The format of exported flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tab-separated, no header.
    #[default]
    Tsv,
    /// Comma-separated, with a header and the reason of each flow's end.
    Csv,
    /// One JSON object per line, with the reason of each flow's end.
    Jsonl,
}

/// Writes flow records in one of the formats.
pub struct Exporter<W: Write> {
    format: Format,
    rows: Rows<W>,
}

enum Rows<W: Write> {
    Delimited(Box<csv::Writer<W>>),
    Lines(BufWriter<W>),
}

#[derive(serde::Serialize)]
struct Row {
    src: IpAddr,
    dst: IpAddr,
    proto: u8,
    sport: u16,
    dport: u16,
    first_ns: i128,
    last_ns: i128,
    packets: u64,
    ip_bytes: u64,
    wire_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<End>,
}

const CSV_HEADER: [&str; 11] =
    ["src", "dst", "proto", "sport", "dport", "first_ns", "last_ns", "packets", "ip_bytes", "wire_bytes", "end"];

impl<W: Write> Exporter<W> {
    /// Writes to `output`.
    ///
    /// # Errors
    ///
    /// Returns the errors of `output`.
    pub fn new(output: W, format: Format) -> Result<Self> {
        let delimited = |delimiter| {
            let mut builder = csv::WriterBuilder::new();
            builder.has_headers(false).delimiter(delimiter).buffer_capacity(1 << 16);
            builder
        };
        let rows = match format {
            Format::Tsv => Rows::Delimited(Box::new(delimited(b'\t').from_writer(output))),
            Format::Csv => {
                let mut rows = delimited(b',').from_writer(output);
                rows.write_record(CSV_HEADER)?;
                Rows::Delimited(Box::new(rows))
            }
            Format::Jsonl => Rows::Lines(BufWriter::with_capacity(1 << 16, output)),
        };
        Ok(Self { format, rows })
    }

    /// Writes one flow.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn write(&mut self, flow: &FlowRecord) -> Result<()> {
        let row = Row {
            src: flow.key.source().ip(),
            dst: flow.key.destination().ip(),
            proto: flow.key.protocol(),
            sport: flow.key.source().port(),
            dport: flow.key.destination().port(),
            first_ns: flow.tally.first_ns,
            last_ns: flow.tally.last_ns,
            packets: flow.tally.packets,
            ip_bytes: flow.tally.ip_bytes,
            wire_bytes: flow.tally.wire_bytes,
            end: (self.format != Format::Tsv).then_some(flow.end),
        };
        match &mut self.rows {
            Rows::Delimited(rows) => rows.serialize(row)?,
            Rows::Lines(lines) => {
                serde_json::to_writer(&mut *lines, &row)?;
                lines.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn flush(&mut self) -> Result<()> {
        match &mut self.rows {
            Rows::Delimited(rows) => rows.flush()?,
            Rows::Lines(lines) => lines.flush()?,
        }
        Ok(())
    }

    /// Writes what is buffered, and ends.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Tally;
    use rstest::rstest;

    #[rstest]
    #[case(
        Format::Tsv,
        "10.0.0.1\t10.0.0.2\t17\t53\t1024\t-5\t170141183460469231731687303715884105727\t1\t2\t3\n"
    )]
    #[case(
        Format::Csv,
        "src,dst,proto,sport,dport,first_ns,last_ns,packets,ip_bytes,wire_bytes,end\n\
         10.0.0.1,10.0.0.2,17,53,1024,-5,170141183460469231731687303715884105727,1,2,3,idle_timeout\n"
    )]
    #[case(
        Format::Jsonl,
        "{\"src\":\"10.0.0.1\",\"dst\":\"10.0.0.2\",\"proto\":17,\"sport\":53,\"dport\":1024,\"first_ns\":-5,\
         \"last_ns\":170141183460469231731687303715884105727,\"packets\":1,\"ip_bytes\":2,\"wire_bytes\":3,\
         \"end\":\"idle_timeout\"}\n"
    )]
    fn formats(#[case] format: Format, #[case] expected: &str) {
        let tally = Tally { first_ns: -5, last_ns: i128::MAX, packets: 1, ip_bytes: 2, wire_bytes: 3 };
        let key = "udp 10.0.0.1:53 > 10.0.0.2:1024".parse().unwrap();
        let flow = FlowRecord { key, tally, end: End::IdleTimeout };
        let mut written = Vec::new();
        let mut exporter = Exporter::new(&mut written, format).unwrap();
        exporter.write(&flow).unwrap();
        exporter.finish().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
