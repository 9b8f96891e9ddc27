//! One atomic step: reads, a pure decision, writes.

use std::fmt;

use dex_core::records::{Record, RecordKey, Row};

/// A change to one record.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend must handle every kind of write"
)]
pub enum Write {
    /// Writes a record that must not exist yet.
    Create(Row),
    /// Writes a record whether or not it exists. Its key must be among the transaction's reads.
    Put(Row),
    /// Removes a record that must exist.
    Delete(RecordKey),
}

impl Write {
    /// [`Write::Create`] of a typed record.
    pub fn create(record: &impl Record) -> Self {
        Self::Create(record.to_row())
    }

    /// [`Write::Put`] of a typed record.
    pub fn put(record: &impl Record) -> Self {
        Self::Put(record.to_row())
    }

    /// [`Write::Delete`] by typed key.
    pub fn delete<R: Record>(key: R::Key<'_>) -> Self {
        Self::Delete(R::record_key(key))
    }
}

/// The decision refused: nothing is written and the transaction ends with [`crate::StorageError::Aborted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a marker; the reason stays with the caller"
)]
pub struct Abort;

/// Sees the records that were read, in the order of the keys, and says what to write. Pure, synchronous, and called again
/// if another writer was faster.
pub type Decide = Box<dyn FnMut(Vec<Option<Row>>) -> Result<Vec<Write>, Abort> + Send>;

/// Reads, a decision, writes.
pub struct Transaction {
    /// What the decision sees.
    pub reads: Vec<RecordKey>,
    /// The decision.
    pub decide: Decide,
}

impl Transaction {
    /// A transaction that reads `reads` and lets `decide` choose the writes.
    pub fn new(
        reads: Vec<RecordKey>,
        decide: impl FnMut(Vec<Option<Row>>) -> Result<Vec<Write>, Abort> + Send + 'static,
    ) -> Self {
        Self {
            reads,
            decide: Box::new(decide),
        }
    }

    /// A transaction without reads: creates and deletes that stand for themselves.
    pub fn of(writes: Vec<Write>) -> Self {
        Self::new(Vec::new(), move |_| Ok(writes.clone()))
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("reads", &self.reads)
            .finish_non_exhaustive()
    }
}
