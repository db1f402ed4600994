#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod design;
mod error;

pub use design::{Design, RandomTerm, Response};
pub use error::{Error, Result};
