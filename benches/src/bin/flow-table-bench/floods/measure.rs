//! Floods of one table, in this process.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use flow_table::{Budget, Burst, FlowKey, FlowSpec, Table, Timeout, Timestamp};
use flow_table_benches::resident_bytes;
use serde::{Deserialize, Serialize};

use super::args::FloodsArgs;
use super::key::key;
use super::survivors::Survivors;

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

/// The timeout of flows that outlive their flood: they expire before the next one is reaped.
const LONG: Duration = Duration::from_secs(105);

/// Floods a table, and passes each measurement to `report`.
pub(super) fn measure<T: Table<FlowKey, Record>>(
    args: &FloodsArgs,
    mut report: impl FnMut(Row) -> Result<()>,
) -> Result<()> {
    let table = T::new(args.lasting + 2 * args.flows);
    let mut measured = |flood, moment| {
        report(Row {
            flood,
            moment,
            flows: table.len(),
            table_bytes: table.memory() as u64,
            resident_bytes: resident_bytes(),
        })
    };
    let numbers = |flood: usize| (flood * args.flows) as u64..((flood + 1) * args.flows) as u64;
    let surviving = |flood| numbers(flood).filter(|&number| args.survivors.has(number)).count();
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

    // A fresh table with as many flows as will outlive each flood.
    let on_top = args.survivors == Survivors::OnTop;
    let first = if on_top { args.lasting } else { surviving(0) };
    for _ in 0..first {
        packet(if on_top { Timeout::NEVER } else { LONG.into() }, Timestamp::ZERO)?;
    }
    measured(0, Moment::Before)?;
    let bursts: Vec<_> = (0..args.stalled_bursts).map(|_| table.burst(Timestamp::ZERO)).collect();
    ensure!(bursts.iter().all(|burst| burst.get(&key(0)).is_some()), "the first flow is there");
    let mut before = if on_top { 0 } else { first };
    for flood in 1..=args.floods {
        let now = Timestamp::from_secs(100 * flood as u64);
        for number in numbers(flood) {
            packet(if args.survivors.has(number) { LONG } else { TIMEOUT }.into(), now)?;
        }
        measured(flood, Moment::Full)?;
        let reaped = table.reap(now + TIMEOUT, Budget::UNLIMITED);
        let survive = surviving(flood);
        let expected = args.flows - survive + std::mem::replace(&mut before, survive);
        ensure!(reaped.expired == expected, "{expected} flows were to expire: {reaped:?}");
        measured(flood, Moment::Reaped)?;
    }
    Ok(())
}
