#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod circle;
mod empirical;
mod error;
mod kendall;
mod ks;
mod partitions;
mod quantile;
mod summary;
mod wasserstein;

pub use circle::{mean_radius_error, share_inside};
pub use error::{Error, Result};
pub use kendall::{KendallDistribution, clayton_lambda};
pub use ks::{ks_statistic_one_sample, ks_statistic_two_sample};
pub use partitions::{adjusted_rand_index, normalized_mutual_information};
pub use quantile::{lower_edge, negative_share, quantile};
pub use summary::{Summary, summarize};
pub use wasserstein::wasserstein_1;
