//! Floods of one table, in this process.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use flow_table::{Budget, FlowKey, FlowSpec, Table, Timeout, Timestamp};
use flow_table_benches::resident_bytes;
use serde::{Deserialize, Serialize};

use super::args::FloodsArgs;
use super::key::key;

/// What a table and its process have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Floods so far; at first, none.
    pub(super) flood: usize,
    pub(super) moment: Moment,
    /// Flows in the table.
    pub(super) flows: usize,
    /// What the table reports.
    pub(super) table_bytes: u64,
    /// What the system reports about the process, if it does.
    pub(super) resident_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    /// Before the first flood.
    Before,
    /// At its height.
    Full,
    /// When all of it has expired and been reaped.
    Reaped,
}

/// The value of each flow.
type Record = [u64; 8];

const TIMEOUT: Duration = Duration::from_secs(10);

/// Floods a table, and passes each measurement to `report`.
pub(super) fn measure<T: Table<FlowKey, Record>>(
    args: &FloodsArgs,
    mut report: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let table = T::new(args.lasting + args.flows);
    let mut measured = |flood, moment| {
        report(Row {
            flood,
            moment,
            flows: table.len(),
            table_bytes: table.memory() as u64,
            resident_bytes: resident_bytes(),
        })
    };
    let mut number = 0;
    let mut packet = |timeout: Timeout, now: Timestamp| -> Result<()> {
        let key = key(number);
        number += 1;
        let spec = FlowSpec::new(key).timeout(timeout);
        let admission =
            table.get_or_insert_with(spec, now, Record::default).map_err(|error| anyhow!("{key}: {error}"))?;
        ensure!(admission.is_inserted(), "{key} was there before");
        Ok(())
    };

    for _ in 0..args.lasting {
        packet(Timeout::NEVER, Timestamp::ZERO)?;
    }
    measured(0, Moment::Before)?;
    for flood in 1..=args.floods {
        let now = Timestamp::from_secs(100 * flood as u64);
        for _ in 0..args.flows {
            packet(TIMEOUT.into(), now)?;
        }
        measured(flood, Moment::Full)?;
        let reaped = table.reap(now + TIMEOUT, Budget::UNLIMITED);
        ensure!(reaped.expired == args.flows, "{} flows were to expire: {reaped:?}", args.flows);
        measured(flood, Moment::Reaped)?;
    }
    Ok(())
}
