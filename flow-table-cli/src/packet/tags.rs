/// Tags and labels below IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The VLANs of the outer tag and of the one after it; zero if there is none.
    pub vlans: [u16; 2],
    /// The first label of an MPLS stack.
    pub mpls: Option<u32>,
}
