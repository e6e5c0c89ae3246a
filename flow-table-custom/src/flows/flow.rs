//! What users see of a flow.

use std::fmt;

use flow_table_api::state::StateView;
use flow_table_api::{Direction, Flow, Timestamp};

use super::entry::FlowEntry;
use super::page::Page;

impl<K, V> Flow<K, V> for FlowEntry<K, V> {
    #[inline]
    fn key(&self) -> &K {
        // SAFETY: users reach an entry through handles and bursts only, and `Entry::flow` has the same
        // condition: the key is initialised and stays so for as long as `self` is borrowed.
        unsafe { &*self.entry().key_pointer(Direction::Forward) }
    }

    fn reply_key(&self) -> Option<&K> {
        // SAFETY: as for `key`; a pair has this field.
        self.entry().is_pair().then(|| unsafe { &*self.entry().key_pointer(Direction::Reply) })
    }

    #[inline]
    fn value(&self) -> &V {
        // SAFETY: as for `key`.
        unsafe { &*self.entry().value_pointer() }
    }

    #[inline]
    fn state(&self) -> StateView<'_> {
        StateView::new(&self.state, self.options(), Page::slack_of(self.entry()))
    }

    /// As the trait's own method, but the page's address is computed only if it is needed.
    #[inline]
    fn refresh(&self, now: Timestamp) -> bool {
        let entry = self.entry();
        self.state.refresh_with_slack(now, self.options(), move || *Page::slack_of(entry))
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for FlowEntry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("key", self.key())
            .field("reply_key", &self.reply_key())
            .field("state", &self.state)
            .field("value", self.value())
            .finish()
    }
}
