use flow_table::{Burst, Direction, Flow, FlowKey, FlowRef, KeyHash, Timestamp};

use crate::conn::Seen;
use crate::engine::gateway::Gateway;
use crate::engine::rate::Rate;
use crate::flows::Flows;
use crate::packet::{AdminProhibited, Body, Layout, Malformed, Packet, rewrite};
use crate::policy::Policy;
use crate::side::Side;
use crate::stats::Refusal;

/// What a worker keeps from burst to burst.
#[derive(Debug)]
pub struct Worker {
    /// What each packet says, and whether it has a key.
    read: Vec<(Result<Layout, Malformed>, bool)>,
    keys: Vec<FlowKey>,
    hashes: Vec<KeyHash>,
    errors: Rate,
}

impl Worker {
    /// A worker.
    pub const fn new() -> Self {
        Self { read: Vec::new(), keys: Vec::new(), hashes: Vec::new(), errors: Rate::new() }
    }

    /// Reads the packets. Those that cannot be looked up get no key.
    fn read(&mut self, packets: &[Packet]) {
        self.read.clear();
        self.keys.clear();
        for packet in packets {
            let layout = Layout::of(packet.data());
            let key = layout.as_ref().ok().and_then(|layout| layout.key(packet.from));
            self.keys.extend(key);
            self.read.push((layout, key.is_some()));
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Flows> Gateway<T> {
    /// Decides about a burst of packets: sets [`Packet::to`] of each and translates those that go on. A packet may
    /// also become an ICMP error that goes back.
    ///
    /// # Blocking
    ///
    /// Packets of flows take no lock. A packet that begins a flow may take locks of the tables for a short time.
    pub fn process(&self, worker: &mut Worker, packets: &mut [Packet], now: Timestamp) {
        if !self.is_active() {
            return packets.iter_mut().for_each(|packet| {
                packet.to = None;
                self.counters.refuse(Refusal::Standby);
            });
        }
        let policy = self.resources.policy.load();
        if policy.pass_through {
            packets.iter_mut().for_each(|packet| packet.to = Some(packet.from.other()));
            return self.count(packets);
        }
        worker.read(packets);
        let Worker { read, keys, hashes, errors } = worker;
        let burst = self.table.burst(now);
        hashes.clear();
        hashes.extend(keys.iter().map(|key| burst.hash(key)));
        let mut found = Vec::with_capacity(keys.len());
        burst.get_batch_hashed(keys, hashes, &mut found);

        let mut looked_up = keys.iter().zip(hashes.iter()).zip(&found);
        let mut begun = false;
        for (packet, (layout, has_key)) in packets.iter_mut().zip(read.iter()) {
            packet.to = None;
            let side = packet.from;
            let outcome = match layout {
                Err(_) => Err(Refusal::Malformed),
                Ok(layout) if layout.body == Body::LaterFragment => {
                    self.later_fragment(&policy, packet, layout, now)
                }
                Ok(_) if !has_key => Err(Refusal::NoFlow),
                Ok(layout) => {
                    let ((key, hash), found) = looked_up.next().expect("one for each packet with a key");
                    match (found, &layout.body) {
                        (Some(flow), Body::Error(inner)) => {
                            self.forward_error(packet, layout, inner, flow, flow.direction(), now)
                        }
                        (None, Body::Error(_)) => Err(Refusal::NoFlow),
                        (Some(flow), _) if flow.refresh(now) => {
                            let handle = || burst.handle(*flow);
                            self.forward(&policy, packet, layout, flow, flow.direction(), handle, now)
                        }
                        _ => {
                            // Two first packets of one flow can be in the same burst.
                            let known = || self.table.lookup(key, now).filter(|flow| flow.refresh(now));
                            let flow = match if begun { known() } else { None } {
                                Some(flow) => Ok(flow),
                                None => self.admit(&policy, layout, side, (*key, *hash), now),
                            };
                            flow.and_then(|flow| {
                                begun = true;
                                let handle = || Some(flow.clone());
                                self.forward(&policy, packet, layout, &flow, flow.direction(), handle, now)
                            })
                        }
                    }
                }
            };
            if let Err(refusal) = outcome {
                self.refuse(&policy, packet, layout, refusal, errors, now);
            }
        }
        self.count(packets);
    }

    /// Sends a packet of a flow on.
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "the parts of a look-up's result")]
    fn forward(
        &self,
        policy: &Policy,
        packet: &mut Packet,
        layout: &Layout,
        flow: &T::Flow,
        direction: Direction,
        handle: impl Fn() -> Option<T::Ref>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let conn = flow.value();
        let seen = match &layout.body {
            Body::Tcp(segment) => conn.track.segment(direction, segment),
            _ => conn.track.packet(direction),
        };
        match seen {
            Seen::Same => {}
            Seen::Invalid => return Err(Refusal::Sequence),
            Seen::Changed(phase) => {
                // An error says that the flow has ended meanwhile, so that no timeout matters any more.
                let _ = flow.set_timeout(phase.timeout(layout.protocol, &policy.timeouts), now);
                if let Some(flow) = handle() {
                    self.table.changed(&flow, now);
                }
            }
        }
        if layout.fragment.is_some_and(|fragment| fragment.is_first) {
            let timeout = policy.timeouts.fragment;
            let flow = handle().ok_or(Refusal::Fragment)?;
            if !self.fragments.remember(layout, packet.from, flow, timeout, now) {
                return Err(Refusal::Fragment);
            }
        }
        self.send(packet, layout, flow, direction)
    }

    /// Sends a fragment after the first one.
    fn later_fragment(
        &self,
        policy: &Policy,
        packet: &mut Packet,
        layout: &Layout,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (source, destination) = (layout.source.ip(), layout.destination.ip());
        if !policy.is_plausible(packet.from, source, destination) {
            return Err(Refusal::Spoofed);
        }
        let flow = self.fragments.find(layout, packet.from, now).ok_or(Refusal::Fragment)?;
        if !flow.refresh(now) {
            return Err(Refusal::Fragment);
        }
        self.send(packet, layout, &flow, flow.direction())
    }

    /// Translates a packet: it gets the ends of the flow's other key, exchanged.
    fn send(
        &self,
        packet: &mut Packet,
        layout: &Layout,
        flow: &T::Flow,
        direction: Direction,
    ) -> Result<(), Refusal> {
        let other = match direction {
            Direction::Forward => flow.reply_key().ok_or(Refusal::NoFlow)?,
            Direction::Reply => flow.key(),
        };
        if layout.protocol != crate::packet::TCP && layout.protocol != crate::packet::UDP {
            packet.complete_checksum();
        }
        packet.set_len(layout.len);
        let (source, destination) = (other.destination(), other.source());
        if (source, destination) != (layout.source, layout.destination) {
            rewrite(packet, layout, source, destination);
        }
        packet.to = Some(Side::of(other));
        flow.value().traffic(direction).count(layout.len);
        Ok(())
    }

    #[cold]
    fn refuse(
        &self,
        policy: &Policy,
        packet: &mut Packet,
        layout: &Result<Layout, Malformed>,
        refusal: Refusal,
        errors: &mut Rate,
        now: Timestamp,
    ) {
        self.counters.refuse(refusal);
        if let (Refusal::PortsExhausted, Ok(layout), Some(nat)) = (refusal, layout, &policy.nat)
            && errors.allows(policy.limits.errors_per_second, now)
            && AdminProhibited::answer(packet, layout, nat.own_address)
        {
            self.counters.send_error();
        }
    }

    fn count(&self, packets: &[Packet]) {
        let sent = packets.iter().filter(|packet| packet.to.is_some());
        let (packets, bytes) =
            sent.fold((0, 0), |(packets, bytes), packet| (packets + 1, bytes + packet.data().len() as u64));
        self.counters.forward(packets, bytes);
    }
}
