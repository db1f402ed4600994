#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod circle;
mod copula;
mod cortex;
mod counts;
mod error;
mod exponential;
mod grouseticks;
mod mixture;
mod mt19937;
mod signals;
mod standardize;
mod table;
mod variable_genes;
mod verbagg;

pub use circle::{Circle, CircleData, circle};
pub use copula::{Counts, observe_counts, published_copula};
pub use cortex::{Cortex, CortexSource, cortex};
pub use counts::{
    CountMatrix, CountOptions, GeneNames, LabelSource, Labels, Orientation, Place, read_counts, write_embedding,
};
pub use error::{Error, Result};
pub use exponential::{Exponential, exponential};
pub use grouseticks::grouseticks;
pub use mixture::{Mixture, Stream, mixture};
pub use signals::{Component, SignalData};
pub use standardize::{Standardized, standardize};
pub use table::{ColumnValues, Delimiter, Table, TableColumn, TableOptions, TextColumn, read_table, read_table_from};
pub use variable_genes::{GeneVariability, gene_variability, highly_variable_genes};
pub use verbagg::verbagg;
