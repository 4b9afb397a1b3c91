//! An exploration on disk.
