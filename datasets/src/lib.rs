#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod catalogue;
mod circle;
mod copula;
mod cortex;
mod counts;
mod error;
mod exponential;
#[cfg(feature = "download")]
mod fetch;
mod grouseticks;
mod idx;
mod mixture;
mod mnist;
mod mt19937;
mod signals;
mod standardize;
mod table;
mod variable_genes;
mod verbagg;

pub use catalogue::{Checksum, DataSet, RemoteFile, Size, catalogue};
pub use circle::{Circle, CircleData, circle};
pub use copula::{Counts, observe_counts, published_copula};
pub use cortex::{Cortex, CortexSource, cortex};
pub use counts::{
    CountMatrix, CountOptions, GeneNames, LabelSource, Labels, Orientation, Place, read_counts, write_embedding,
};
pub use error::{Error, Result};
pub use exponential::{Exponential, exponential};
#[cfg(feature = "download")]
pub use fetch::{
    Certificates, Existing, Failure, FetchOptions, Fetched, Outcome, Problem, Progress, Proxies, fetch, fetch_file,
};
pub use grouseticks::grouseticks;
pub use idx::{read_idx_images, read_idx_images_from, read_idx_labels, read_idx_labels_from};
pub use mixture::{Mixture, Stream, mixture};
pub use mnist::{Images, Mnist, mnist};
pub use signals::{Component, SignalData};
pub use standardize::{Standardized, standardize};
pub use table::{ColumnValues, Delimiter, Table, TableColumn, TableOptions, TextColumn, read_table, read_table_from};
pub use variable_genes::{GeneVariability, gene_variability, highly_variable_genes};
pub use verbagg::verbagg;
