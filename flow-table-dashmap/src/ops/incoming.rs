use flow_table_api::NewFlow;

use crate::base::panics::Panics;

/// A flow to be inserted, until it is installed or returned to the caller.
///
/// If a key panics in the meantime, the flow is dropped during the unwinding. It is dropped part by part, because
/// a second panic would end the process.
pub(crate) struct Incoming<K, V>(Option<NewFlow<K, V>>);

impl<K, V> Incoming<K, V> {
    pub(crate) const fn new(flow: NewFlow<K, V>) -> Self {
        Self(Some(flow))
    }

    pub(crate) fn get(&self) -> &NewFlow<K, V> {
        self.0.as_ref().expect("not taken yet")
    }

    /// Takes the flow. Call it once.
    pub(crate) fn take(&mut self) -> NewFlow<K, V> {
        self.0.take().expect("not taken yet")
    }
}

impl<K, V> Drop for Incoming<K, V> {
    fn drop(&mut self) {
        let Some(parts) = self.0.take().map(NewFlow::into_parts) else { return };
        let mut panics = Panics::default();
        panics.catch(|| drop(parts.key));
        panics.catch(|| drop(parts.reply));
        panics.catch(|| drop(parts.value));
        panics.resume();
    }
}
