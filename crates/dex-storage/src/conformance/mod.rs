//! What every backend must do, as tests that any crate can run over its own (compat: `storage.md` §15).
//!
//! ```no_run
//! dex_storage::conformance::suite!(memory, async || {
//!     std::sync::Arc::new(dex_storage::memory::Memory::new())
//! });
//! ```
//!
//! The line makes a module of `#[test]` functions. The closure is called by each of them and answers with a fresh, empty store, or with
//! a [`Fixture`] that also keeps alive what the store lives in.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these functions are tests: a panic is how they fail"
)]

mod concurrency;
mod expiry;
mod records;
mod samples;
mod transactions;

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use crate::Storage;
pub use crate::conformance_suite as suite;

pub use concurrency::{
    a_code_is_deleted_by_one_of_many, keys_are_created_by_one_of_two,
    keys_are_rotated_by_one_of_two, no_parallel_update_is_lost,
    of_two_racing_updates_the_second_sees_the_first,
    parallel_updates_of_different_records_all_succeed,
};
pub use expiry::{
    a_collection_is_bounded, expired_records_are_collected,
    expired_records_are_read_until_collected, sessions_are_collected_by_either_expiry,
    what_does_not_expire_is_never_collected,
};
pub use records::{
    auth_codes, auth_requests, auth_sessions, clients, connectors, device_requests, device_tokens,
    keys, offline_sessions, own_records, passwords, refresh_tokens,
    sso_sharing_with_nobody_is_not_the_default, times_keep_the_instant, user_identities,
    values_of_any_text_survive,
};
pub use transactions::{
    a_decision_sees_its_reads_in_order, a_failing_first_write_leaves_nothing,
    a_failing_later_write_leaves_nothing, a_put_creates_and_replaces,
    a_refused_decision_leaves_nothing, a_refused_update_hands_back_the_refusal,
    health_leaves_nothing, only_the_last_run_of_a_decision_counts,
    updating_what_is_missing_creates_nothing, writes_of_one_transaction_build_on_each_other,
};

/// A store under test and what must outlive it, such as a temporary directory.
pub struct Fixture {
    storage: Arc<dyn Storage>,
    _guard: Box<dyn Any + Send>,
}

impl Fixture {
    /// A store in something that must be kept.
    pub fn new(storage: Arc<dyn Storage>, guard: impl Any + Send) -> Self {
        Self {
            storage,
            _guard: Box::new(guard),
        }
    }

    /// The store.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }
}

impl<S: Storage> From<Arc<S>> for Fixture {
    fn from(storage: Arc<S>) -> Self {
        Self::new(storage, ())
    }
}

impl std::fmt::Debug for Fixture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Fixture").field(&self.storage).finish()
    }
}

/// Runs one test of the suite: on several threads, because races need them.
pub fn run<F, T>(open: impl Future<Output = F>, test: impl FnOnce(Arc<dyn Storage>) -> T)
where
    F: Into<Fixture>,
    T: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fixture: Fixture = open.await.into();
        test(Arc::clone(&fixture.storage)).await;
        fixture.storage.close().await;
    });
}

/// Makes the tests of the suite for one backend: `conformance::suite!(name, async || store)`.
#[macro_export]
macro_rules! conformance_suite {
    ($name:ident, $open:expr) => {
        mod $name {
            use super::*;
            $crate::conformance_suite! { @tests $open,
                auth_codes
                auth_requests
                auth_sessions
                clients
                connectors
                device_requests
                device_tokens
                keys
                own_records
                offline_sessions
                passwords
                refresh_tokens
                sso_sharing_with_nobody_is_not_the_default
                times_keep_the_instant
                user_identities
                values_of_any_text_survive
                a_decision_sees_its_reads_in_order
                a_failing_first_write_leaves_nothing
                a_failing_later_write_leaves_nothing
                a_put_creates_and_replaces
                a_refused_decision_leaves_nothing
                a_refused_update_hands_back_the_refusal
                health_leaves_nothing
                only_the_last_run_of_a_decision_counts
                updating_what_is_missing_creates_nothing
                writes_of_one_transaction_build_on_each_other
                a_code_is_deleted_by_one_of_many
                keys_are_created_by_one_of_two
                keys_are_rotated_by_one_of_two
                no_parallel_update_is_lost
                of_two_racing_updates_the_second_sees_the_first
                parallel_updates_of_different_records_all_succeed
                a_collection_is_bounded
                expired_records_are_collected
                expired_records_are_read_until_collected
                sessions_are_collected_by_either_expiry
                what_does_not_expire_is_never_collected
            }
        }
    };
    (@tests $open:expr, $($test:ident)*) => {
        $($crate::conformance_suite! { @test $open, $test })*
    };
    (@test $open:expr, $test:ident) => {
        #[test]
        fn $test() {
            $crate::conformance::run(($open)(), $crate::conformance::$test);
        }
    };
}
