#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod checks;
mod data;
mod design;
mod error;
mod formula;
mod model_matrix;

pub use checks::{check_binary, check_counts, check_shares, check_varies};
pub use data::{Categorical, Column, Data};
pub use design::{Design, RandomTerm, Response};
pub use error::{Error, Result};
pub use formula::{Formula, FormulaError};
pub use model_matrix::{DesignOptions, Missing, Prepared};
