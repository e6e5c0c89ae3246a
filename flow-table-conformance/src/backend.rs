use flow_table_api::{Key, Table, Value};

use crate::fixture::{TestKey, TestValue};

/// A backend under test: a family of tables, one for each key and value type.
///
/// [`conformance_tests!`](crate::conformance_tests) writes the implementation. A program that runs
/// [cases](crate::registry) itself must write it: `type Table<K: Key + Clone, V: Value> = MyTable<K, V>;`.
pub trait Backend: 'static {
    /// The table type. It may clone keys, because the suite's keys can be cloned.
    type Table<K: Key + Clone, V: Value>: Table<K, V> + 'static;
}

/// The table that most cases use.
pub type TestTable<B> = <B as Backend>::Table<TestKey, TestValue>;

/// A handle of [`TestTable`].
pub type TestRef<B> = <TestTable<B> as Table<TestKey, TestValue>>::Ref;

/// A flow in [`TestTable`].
pub(crate) type TestFlow<B> = <TestTable<B> as Table<TestKey, TestValue>>::Flow;

/// A burst on [`TestTable`].
pub(crate) type OpenBurst<'t, B> = <TestTable<B> as Table<TestKey, TestValue>>::Burst<'t>;
