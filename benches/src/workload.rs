/// Something to measure, over one table that it owns.
pub trait Workload {
    /// The name in reports.
    const NAME: &'static str;

    /// Makes the table, with `flows` flows, and whatever [`run`](Self::run) needs, so that it has nothing to
    /// compute but the operations.
    fn prepare(flows: usize) -> Self;

    /// Runs `operations` operations and goes on where the last call ended.
    ///
    /// # Panics
    ///
    /// If the table gave a wrong result.
    fn run(&mut self, operations: u64);
}
