//! Snapshots: objects as somebody dumped them into a file, with `kubectl get … -o yaml` or `-o json`.

mod dump;

pub use dump::{Dump, DumpError, Found, Place, parse};
