//! Pure logic of a save: values in, values and problems out. No file system, no clock, no process, no editor.
//!
//! A tour in the order in which a save meets the parts: [`change`] takes it in, [`settle`] waits for the burst to end,
//! [`graph`] and [`plan`] find what it affects and in which order, [`slot`] runs one operation at a time,
//! [`outcome`] and [`problem`] say how it ended; [`text`] and [`generation`] are the currency.

pub mod change;
pub mod generation;
pub mod graph;
pub mod outcome;
pub mod plan;
pub mod problem;
pub mod settle;
pub mod slot;
pub mod text;
