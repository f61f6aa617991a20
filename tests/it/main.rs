//! The whole system, driven as a user drives it: the real binary, over real pipes.
