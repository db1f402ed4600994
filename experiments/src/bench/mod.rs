//! How long things take, beside the best that others do in the same run.

pub mod glmm;
pub mod step;
mod subject;
