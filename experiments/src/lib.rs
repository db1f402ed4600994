//! Tables and figures of the paper: their reported numbers, the report of our own runs, and the claims these must satisfy.

#![forbid(unsafe_code)]

pub mod cell;
pub mod check;
pub mod figures;
pub mod report;
pub mod reported;
