//! Writes flow records as text.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

use super::chunk::Chunk;
use super::netflow::{self, Version};
use super::row::{Row, WideRow};
use super::zeek::Conn;
use crate::record::{FlowRecord, Orientation};

/// The format of exported flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tab-separated, no header, ten columns.
    #[default]
    Tsv,
    /// Comma-separated, with a header and everything that is known.
    Csv,
    /// One JSON object per line, with everything that is known.
    Jsonl,
    /// One JSON object per line, in the names of Zeek's `conn.log`.
    Zeek,
    /// IPFIX (RFC 7011) with both directions in a record (RFC 5103).
    Ipfix,
    /// NetFlow version 9 (RFC 3954), with a record for each direction.
    Netflow9,
}

impl Format {
    /// The format of a file with this name, by its extension.
    pub fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()? {
            "tsv" => Self::Tsv,
            "csv" => Self::Csv,
            "json" | "jsonl" | "ndjson" => Self::Jsonl,
            "log" => Self::Zeek,
            "ipfix" => Self::Ipfix,
            "nf9" => Self::Netflow9,
            _ => return None,
        })
    }

    /// The orientation of records if none is asked for.
    pub const fn orientation(self) -> Orientation {
        match self {
            Self::Tsv | Self::Csv | Self::Jsonl => Orientation::Address,
            Self::Zeek | Self::Ipfix | Self::Netflow9 => Orientation::Syn,
        }
    }
}

/// Writes flow records in one of the formats.
pub struct Exporter<W: Write> {
    orientation: Orientation,
    rows: Rows<W>,
}

enum Rows<W: Write> {
    Tsv(Box<csv::Writer<W>>),
    Csv(Box<csv::Writer<W>>),
    Lines(BufWriter<W>),
    Zeek(BufWriter<W>),
    Messages(Box<netflow::Writer<W>>),
}

impl<W: Write> Exporter<W> {
    /// Writes to `output`, in pieces of about the size that `chunk` says.
    ///
    /// # Errors
    ///
    /// Returns the errors of `output`.
    pub fn new(output: W, format: Format, orientation: Orientation, chunk: Chunk) -> Result<Self> {
        let buffer = match chunk {
            Chunk::Datagram => 0,
            Chunk::Bytes(bytes) => bytes,
        };
        let delimited = |delimiter| {
            let mut builder = csv::WriterBuilder::new();
            builder.has_headers(false).delimiter(delimiter).buffer_capacity(buffer);
            builder
        };
        let messages =
            |output, version| Rows::Messages(Box::new(netflow::Writer::new(output, version, orientation, chunk)));
        let rows = match format {
            Format::Tsv => Rows::Tsv(Box::new(delimited(b'\t').from_writer(output))),
            Format::Csv => {
                let mut rows = delimited(b',').from_writer(output);
                rows.write_record(WideRow::HEADER)?;
                Rows::Csv(Box::new(rows))
            }
            Format::Jsonl => Rows::Lines(BufWriter::with_capacity(buffer, output)),
            Format::Zeek => Rows::Zeek(BufWriter::with_capacity(buffer, output)),
            Format::Ipfix => messages(output, Version::Ipfix),
            Format::Netflow9 => messages(output, Version::V9),
        };
        Ok(Self { orientation, rows })
    }

    /// Writes one flow.
    ///
    /// # Errors
    ///
    /// Returns the errors of the output.
    pub fn write(&mut self, flow: &FlowRecord) -> Result<()> {
        let orientation = self.orientation;
        match &mut self.rows {
            Rows::Tsv(rows) => rows.serialize(Row::of(flow, orientation))?,
            Rows::Csv(rows) => rows.serialize(WideRow::of(flow, orientation))?,
            Rows::Lines(lines) => line(lines, &WideRow::of(flow, orientation))?,
            Rows::Zeek(lines) => line(lines, &Conn::of(flow, orientation))?,
            Rows::Messages(messages) => messages.write(flow)?,
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
            Rows::Tsv(rows) | Rows::Csv(rows) => rows.flush()?,
            Rows::Lines(lines) | Rows::Zeek(lines) => lines.flush()?,
            Rows::Messages(messages) => messages.flush()?,
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

fn line(lines: &mut impl Write, row: &impl serde::Serialize) -> Result<()> {
    serde_json::to_writer(&mut *lines, row)?;
    Ok(lines.write_all(b"\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{End, Tally};
    use rstest::rstest;

    /// A request of 2 bytes and no answer, from the destination of the key.
    fn flow() -> FlowRecord {
        let tally = Tally {
            first_ns: -5,
            last_ns: i128::MAX,
            packets: 1,
            ip_bytes: 2,
            wire_bytes: 3,
            tcp_flags: 0x12,
            ttl_min: 63,
            ttl_max: 64,
        };
        FlowRecord {
            key: "tcp 10.0.0.1:53 > 10.0.0.2:1024".parse().unwrap(),
            tally,
            directions: [Tally::default(), tally],
            first_reversed: true,
            syn_reversed: Some(false),
            tunnel: None,
            end: End::IdleTimeout,
        }
    }

    fn written(format: Format, orientation: Option<Orientation>) -> String {
        let mut written = Vec::new();
        let orientation = orientation.unwrap_or(format.orientation());
        let mut exporter = Exporter::new(&mut written, format, orientation, Chunk::DEFAULT).unwrap();
        exporter.write(&flow()).unwrap();
        exporter.finish().unwrap();
        String::from_utf8(written).unwrap()
    }

    #[rstest]
    #[case(None, "10.0.0.1\t10.0.0.2\t6\t53\t1024")]
    #[case(Some(Orientation::First), "10.0.0.2\t10.0.0.1\t6\t1024\t53")]
    #[case(Some(Orientation::Syn), "10.0.0.1\t10.0.0.2\t6\t53\t1024")]
    fn tsv(#[case] orientation: Option<Orientation>, #[case] ends: &str) {
        let expected = format!("{ends}\t-5\t170141183460469231731687303715884105727\t1\t2\t3\n");
        assert_eq!(written(Format::Tsv, orientation), expected);
    }

    #[test]
    fn csv_and_json_lines_have_the_same_columns_and_values() {
        let text = written(Format::Csv, Some(Orientation::First));
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        let header = rows.headers().unwrap().clone();
        let row = rows.records().next().unwrap().unwrap();
        let object: serde_json::Value =
            serde_json::from_str(&written(Format::Jsonl, Some(Orientation::First))).unwrap();
        assert_eq!(object.as_object().unwrap().len(), header.len());
        for (name, value) in header.iter().zip(&row) {
            let in_json = match &object[name] {
                serde_json::Value::Null => String::new(),
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            // The parser reads numbers beyond 64 bits as floating-point numbers.
            if !name.ends_with("last_ns") {
                assert_eq!(in_json, value, "{name}");
            }
        }
        let value = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
        assert_eq!((value("src"), value("sport"), value("src_packets")), ("10.0.0.2", "1024", "1"));
        assert_eq!((value("dst_packets"), value("dst_first_ns"), value("src_ttl_min")), ("0", "", "63"));
        assert_eq!((value("state"), value("end"), value("src_tcp_flags")), ("syn_received", "idle_timeout", "18"));
    }

    #[test]
    fn zeek_knows_an_answer_without_a_question() {
        let object: serde_json::Value = serde_json::from_str(&written(Format::Zeek, None)).unwrap();
        assert_eq!((&object["id.orig_h"], &object["id.resp_p"]), (&"10.0.0.1".into(), &1024.into()));
        assert_eq!((&object["orig_pkts"], &object["resp_pkts"]), (&0.into(), &1.into()));
        assert_eq!((&object["proto"], &object["conn_state"]), (&"tcp".into(), &"OTH".into()));
        assert_eq!(object["history"], "^h");
    }
}
