//! dexd
fn main() {}
