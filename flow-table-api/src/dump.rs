use std::fmt;
use std::marker::PhantomData;

use crate::{Flow, FlowRef};

/// Flows for people to read, as [`Table::dump`](crate::Table::dump) lists them: sorted by key, a line for each
/// when displayed.
///
/// ```text
/// udp 10.0.0.1:5353 > 192.0.2.7:53  active until 312.500000000s  timeout 300s  7
/// ```
pub struct Dump<K, V, R> {
    flows: Vec<R>,
    of: PhantomData<fn() -> (K, V)>,
}

impl<K: Ord, V, R: FlowRef<K, V>> Dump<K, V, R> {
    /// Sorts the flows.
    pub(crate) fn new(mut flows: Vec<R>) -> Self {
        flows.sort_by(|one, other| (one.key(), one.reply_key()).cmp(&(other.key(), other.reply_key())));
        Self { flows, of: PhantomData }
    }

    /// The flows, in the order of their keys.
    pub fn into_flows(self) -> Vec<R> {
        self.flows
    }
}

impl<K: fmt::Display, V: fmt::Debug, R: FlowRef<K, V>> fmt::Display for Dump<K, V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for flow in &self.flows {
            let word = flow.state().load();
            write!(f, "{}", flow.key())?;
            if let Some(reply) = flow.reply_key() {
                write!(f, "  reply {reply}")?;
            }
            let status = format!("{:?}", word.status).to_lowercase();
            write!(f, "  {status} until {}  timeout {:?}  {:?}", word.deadline, flow.timeout(), flow.value())?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl<K, V, R: fmt::Debug> fmt::Debug for Dump<K, V, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dump").field(&self.flows).finish()
    }
}
