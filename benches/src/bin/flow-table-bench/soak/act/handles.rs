use anyhow::{Result, ensure};
use flow_table::{Flow, FlowKey, FlowRef, Table, WeakFlowRef};

use crate::soak::body::Body;
use crate::soak::worker::Worker;

impl<T: Table<FlowKey, Body> + 'static> Worker<T> {
    /// Leaves a handle for another thread, and takes the one that is there.
    pub(in crate::soak) fn exchange(&mut self) -> Result<()> {
        let draw = self.dice.below(usize::MAX);
        let mine = (!self.held.is_empty()).then(|| self.held.swap_remove(draw % self.held.len()));
        let theirs = std::mem::replace(&mut *self.world.place(draw), mine);
        match theirs {
            Some(flow) => {
                flow.value().check(&*flow)?;
                self.hold(flow);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Drops one handle, and sometimes all.
    pub(in crate::soak) fn let_go(&mut self) -> Result<()> {
        let rest = if self.dice.one_in(64) { 0 } else { self.held.len().saturating_sub(1) };
        let gone = self.held.split_off(rest);
        gone.iter().try_for_each(|flow| flow.value().check(&**flow))
    }

    /// A weak handle returns the same flow for as long as the flow exists.
    pub(in crate::soak) fn weak(&mut self) -> Result<()> {
        if let Some(flow) = self.some() {
            let weak = flow.downgrade();
            let same = weak.upgrade();
            ensure!(same.as_ref() == Some(&flow), "V2: flow {} is held and gone", flow.value().serial());
            self.hold_weak(weak);
        }
        if let Some(flow) = self.dice.pick(&self.weak).and_then(WeakFlowRef::upgrade) {
            flow.value().check(&*flow)?;
            self.hold(flow);
        }
        Ok(())
    }
}
