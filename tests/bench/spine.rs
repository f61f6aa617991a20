//! What a save costs, beside the floor of the same run.

fn main() {}
