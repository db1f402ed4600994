//! Tables and figures of the paper: configs, trained cells, reports, and the claims that results must satisfy.

#![forbid(unsafe_code)]

pub mod bench;
pub mod cell;
pub mod check;
pub mod config;
pub mod data;
pub mod environment;
pub mod evaluate;
pub mod figures;
pub mod finished;
pub mod fits;
pub mod glmm;
pub mod laws;
pub mod report;
pub mod reported;
pub mod reproduce;
pub mod run;
pub mod scvi;
pub mod task;
