//! Results on disk: a directory with a file of rows and a file about the machine.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use flow_table_benches::{Candidate, Workload};

use super::machine::Machine;
use super::row::{Row, Spread};

const MACHINE: &str = "machine.json";
const RESULTS: &str = "results.jsonl";

/// What was measured, and on what.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) machine: Machine,
    pub(crate) rows: Vec<Row>,
}

impl Record {
    pub(crate) fn save(&self, directory: &Path) -> Result<()> {
        let cannot = || format!("{}: cannot write the record", directory.display());
        fs::create_dir_all(directory).with_context(cannot)?;
        let mut machine = serde_json::to_vec_pretty(&self.machine)?;
        machine.push(b'\n');
        fs::write(directory.join(MACHINE), machine).with_context(cannot)?;
        let mut file = BufWriter::new(File::create(directory.join(RESULTS)).with_context(cannot)?);
        for row in &self.rows {
            serde_json::to_writer(&mut file, row)?;
            file.write_all(b"\n").with_context(cannot)?;
        }
        file.flush().with_context(cannot)
    }

    pub(crate) fn load(directory: &Path) -> Result<Self> {
        let path = directory.join(MACHINE);
        let text = fs::read(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let machine = serde_json::from_slice(&text).with_context(|| format!("{}: no record", path.display()))?;
        let path = directory.join(RESULTS);
        let file = File::open(&path).with_context(|| format!("{}: cannot read", path.display()))?;
        let mut rows = Vec::new();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let place = || format!("{}, line {}", path.display(), number + 1);
            rows.push(serde_json::from_str(&line.with_context(place)?).with_context(place)?);
        }
        Ok(Self { machine, rows })
    }

    /// The result of one candidate.
    pub(crate) fn row(
        &self,
        workload: Workload,
        candidate: Candidate,
        flows: usize,
        threads: usize,
    ) -> Option<&Row> {
        self.rows.iter().find(|row| {
            (row.workload.as_str(), row.candidate.as_str(), row.flows, row.threads)
                == (workload.name(), candidate.name(), flows, threads)
        })
    }

    /// Its median in nanoseconds per operation.
    pub(crate) fn median(
        &self,
        workload: Workload,
        candidate: Candidate,
        flows: usize,
        threads: usize,
    ) -> Option<f64> {
        Some(self.row(workload, candidate, flows, threads)?.ns_per_op.median)
    }

    /// The time of one candidate by the time of another in the same rounds.
    pub(crate) fn ratio(
        &self,
        workload: Workload,
        [own, other]: [Candidate; 2],
        flows: usize,
        threads: usize,
    ) -> Option<Spread> {
        self.row(workload, own, flows, threads)?.by(self.row(workload, other, flows, threads)?)
    }

    /// The table sizes, in order.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        distinct(self.rows.iter().map(|row| row.flows))
    }

    /// The numbers of threads, in order.
    pub(crate) fn threads(&self) -> Vec<usize> {
        distinct(self.rows.iter().map(|row| row.threads))
    }

    /// The candidates that have results in `workload`, in the order of reports.
    pub(crate) fn candidates(&self, workload: Workload) -> impl Iterator<Item = Candidate> {
        let has = move |candidate: &Candidate| {
            self.rows.iter().any(|row| row.workload == workload.name() && row.candidate == candidate.name())
        };
        Candidate::ALL.iter().copied().filter(has)
    }
}

fn distinct(values: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row with little noise.
    pub(crate) fn row(workload: Workload, candidate: Candidate, flows: usize, threads: usize, median: f64) -> Row {
        let rounds = [1.01, 0.99, 1.0].map(|noise| (median * noise * 100.0).round() / 100.0);
        Row {
            workload: workload.name().into(),
            candidate: candidate.name().into(),
            flows,
            threads,
            ns_per_op: Spread::of(rounds),
            rounds: rounds.into(),
            p50: None,
            p99: None,
            p9999: None,
            max_ns: None,
            bytes_per_flow: None,
            ops: 1,
            distribution: Vec::new(),
        }
    }

    pub(crate) fn record(rows: Vec<Row>) -> Record {
        Record { machine: Machine::this(), rows }
    }

    #[test]
    fn what_is_saved_can_be_loaded() {
        let directory = std::env::temp_dir().join(format!("flow-table-record-{}", std::process::id()));
        let mut grown = row(Workload::Grow, Candidate::Dashmap, 8, 1, 2.0);
        grown.bytes_per_flow = Some(100.5);
        grown.distribution = vec![(0.5, 3), (1.0, 4)];
        let saved = record(vec![row(Workload::Churn, Candidate::Custom, 8, 2, 1.5), grown]);
        saved.save(&directory).expect("it can be written");
        let loaded = Record::load(&directory);
        fs::remove_dir_all(&directory).expect("it can be removed");
        assert_eq!(loaded.expect("it can be read"), saved);
    }
}
