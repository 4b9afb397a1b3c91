//! The whole operator on the simulated API server.
