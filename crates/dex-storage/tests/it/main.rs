//! Tests of the backends through the public interface.

mod conformance;
