//! While nothing arrives, time goes on, and flows end.

use std::io::ErrorKind;
use std::ops::ControlFlow;

use flow_table_cli::capture::{Moment, Options, Pace};
use flow_table_cli::direction::FlowDirection;
use flow_table_cli::packet::LinkType;
use flow_table_cli::protocols::Protocols;
use flow_table_cli::read::{Packet, Packets, Problem, ReadError};
use flow_table_cli::record::End;

use crate::common;

/// One packet, and then a pause of two seconds after which the clock is read again and again.
struct Quiet {
    frame: Vec<u8>,
    calls: u32,
}

impl Packets for Quiet {
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, ReadError> {
        self.calls += 1;
        match self.calls {
            1 => Ok(Some(Packet { link: LinkType::RAW, timestamp: 0, data: &self.frame, wire_len: 20 })),
            _ => {
                let problem = Problem::Io(ErrorKind::WouldBlock.into());
                Err(ReadError { file: None, offset: 0, problem })
            }
        }
    }

    fn goes_on(&self) -> bool {
        false
    }

    fn describe(&self) -> String {
        "quiet".to_owned()
    }

    fn now(&self) -> Option<i128> {
        Some(i128::from(self.calls) * 1_000_000_000)
    }
}

#[test]
fn flows_end_by_the_clock() {
    let frame = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 64, 103, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    for &backend in common::backends() {
        for workers in [1, 2] {
            let options = common::options("4s", FlowDirection::Bidi, Protocols::All);
            let options = Options { workers, ..options };
            let mut packets = Quiet { frame: frame.clone(), calls: 0 };
            let mut seen = Vec::new();
            // The second call is idle at 2 s, the third at 3 s, and the fourth at the deadline.
            let mut watch = |moment: &Moment<'_>| {
                assert_eq!(moment.pace, Pace::Idle);
                seen.push(moment.summary.flows.count());
                if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let mut ends = Vec::new();
            let mut sink = |flow: flow_table_cli::record::FlowRecord| {
                ends.push(flow.end);
                Ok(())
            };
            backend.replay(&mut packets, &options, &mut watch, &mut sink).expect("nothing can fail");
            assert_eq!(seen, [0, 0, 1], "{backend}, {workers}");
            assert_eq!(ends, [End::IdleTimeout]);
        }
    }
}
