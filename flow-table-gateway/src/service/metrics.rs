//! The endpoint for Prometheus.

use std::net::SocketAddr;

use anyhow::Context;
use flow_table_replicate::{Instruments, Status};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::service::request::Statistics;

pub(super) fn listen(address: SocketAddr) -> anyhow::Result<()> {
    let builder = PrometheusBuilder::new().with_http_listener(address);
    builder.install().with_context(|| format!("cannot serve metrics at {address}"))
}

/// What is published beside the counters of a gateway alone.
pub(super) struct Metrics {
    pair: Option<Instruments>,
}

impl Metrics {
    /// `of_pair` says that the gateway is one of a pair.
    pub(super) fn register(of_pair: bool) -> Self {
        Self { pair: of_pair.then(|| Instruments::register("gateway")) }
    }

    pub(super) fn publish(&self, stats: &Statistics, status: Option<&Status>) {
        publish(stats);
        if let (Some(pair), Some(status)) = (&self.pair, status) {
            pair.set(status);
        }
    }
}

fn publish(stats: &Statistics) {
    gauge!("flow_table_gateway_flows").set(stats.flows as f64);
    gauge!("flow_table_gateway_flows_capacity").set(stats.capacity as f64);
    gauge!("flow_table_gateway_ports_in_use").set(stats.ports as f64);
    gauge!("flow_table_gateway_fragmented_packets").set(stats.fragments as f64);
    gauge!("flow_table_gateway_table_bytes").set(stats.bytes as f64);
    counter!("flow_table_gateway_flows_begun_total").absolute(stats.begun);
    counter!("flow_table_gateway_flows_ended_total", "reason" => "expired").absolute(stats.expired);
    counter!("flow_table_gateway_flows_ended_total", "reason" => "cancelled").absolute(stats.cancelled);
    counter!("flow_table_gateway_packets_forwarded_total").absolute(stats.forwarded);
    counter!("flow_table_gateway_bytes_forwarded_total").absolute(stats.forwarded_bytes);
    counter!("flow_table_gateway_icmp_errors_sent_total").absolute(stats.errors_sent);
    for (reason, count) in &stats.refused {
        counter!("flow_table_gateway_packets_dropped_total", "reason" => reason.clone()).absolute(*count);
    }
}
